"""Elements of an XML file as rows of their attributes; the column `element` has their names."""

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from tearsheet.errors import FormatError
from tearsheet.sources.files.records import column_names
from tearsheet.sources.text.problem import RowProblem

_CHUNK = 1 << 16
_ELEMENT = "element"


class XmlElements:
    """Elements that have attributes. Documents that declare types or entities are refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: list[str] | None = None
        self.line = self.last_line = 0
        self.resume_after = 1
        self.bytes_read = 0

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """Yield the names of all attributes if `after` is 0, then the values of each element.

        Raises FormatError for a file that is not XML.
        """
        if self._names is None:
            self._names = column_names(record for _, record in self._elements())
        if not after:
            self.line = self.last_line = 1
            yield list(self._names), None
        for line, record in self._elements():
            self.line = self.last_line = line
            yield [record.get(name, "") for name in self._names], None

    def _elements(self) -> Iterator[tuple[int, dict[str, str]]]:
        ready: list[tuple[int, dict[str, str]]] = []
        parser = expat.ParserCreate()

        def start(name: str, attributes: dict[str, str]) -> None:
            if attributes:
                ready.append((parser.CurrentLineNumber, {_ELEMENT: name, **attributes}))

        parser.StartElementHandler = start
        parser.StartDoctypeDeclHandler = self._reject_doctype
        with self._path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                self._parse(parser, chunk, is_last=False)
                self.bytes_read = file.tell()
                yield from ready
                ready.clear()
            self._parse(parser, b"", is_last=True)
        yield from ready

    def _parse(self, parser: expat.XMLParserType, chunk: bytes, *, is_last: bool) -> None:
        try:
            parser.Parse(chunk, is_last)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise FormatError(f"{self._path}: it is no XML: {error}", "download the file again") from None

    def _reject_doctype(self, *_: object) -> None:
        raise FormatError(
            f"{self._path}: it declares a document type, which no statement does", "download the file again"
        )
