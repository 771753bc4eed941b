"""What a file is: its kind, its encoding and separator, its layout, and the line where its rows begin."""

import csv
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from tearsheet.errors import FormatError, InputError
from tearsheet.sources.files.refused import refuse_archive, refuse_other
from tearsheet.sources.layouts.catalogue import Choice
from tearsheet.sources.layouts.layout import JSON_LINES, Kind, Layout
from tearsheet.sources.layouts.mapping import FeeSign, mapped_layout
from tearsheet.sources.statements.csv_rows import CsvGrid, CsvShape
from tearsheet.sources.statements.json_rows import JsonReader
from tearsheet.sources.statements.table import Grid
from tearsheet.sources.text import encoding as texts
from tearsheet.sources.text.lines import Lines, shown

_HEAD = 1 << 16
_HEADER_WITHIN = 3000
_LONGEST_HEADER = 10_000
_OBJECTS = 1000


class Found(Struct, frozen=True):
    """A file that was recognised: how to read it, and what stands above its rows."""

    layout: Layout
    kind: Kind
    shape: CsvShape
    grid: Grid
    preamble: dict[str, str] = {}
    is_json_lines: bool = False


class Sniffed(Struct, frozen=True):
    """What the first bytes of a file tell."""

    kind: Kind
    encoding: str
    first_line: str


def sniff(path: Path) -> Sniffed:
    """The kind of a file and its encoding. Raises InputError where it cannot be read."""
    head = _head(path)
    refuse_other(path, head)
    if head.startswith(b"PK\x03\x04"):
        refuse_archive(path)
        return Sniffed("xlsx", "", "")
    if head.startswith(b"SQLite format 3\0"):
        return Sniffed("sqlite", "", "")
    encoding = texts.encoding_of(head)
    text = head.decode(encoding, "replace").lstrip("\ufeff")
    first = next((line.lstrip() for line in text.splitlines() if line.strip()), "")
    if first.startswith("<"):
        is_html = re.search(r"<(?:!doctype html|html|table)\b", text, re.IGNORECASE) is not None
        return Sniffed("html" if is_html else "xml", encoding, first)
    return Sniffed("json" if first.startswith(("{", "[")) else "csv", encoding, first)


def recognise(
    path: Path,
    known: Mapping[str, Layout],
    wanted: str | None,
    mapping: Mapping[str, str],
    fee_sign: FeeSign | None,
) -> Found:
    """The layout of a file and where its rows begin. Raises InputError and FormatError."""
    sniffed = sniff(path)
    if sniffed.kind == "json" and _is_json_lines(path, sniffed, wanted):
        return _detect_json_lines(path, sniffed, known["generic_fills"])
    if mapping:
        return _detect_mapped(path, sniffed, mapped_layout(mapping, known["generic_fills"], fee_sign))
    if sniffed.kind == "csv" or wanted == "generic_fills":
        return _csv(path, sniffed.encoding, known, wanted)
    return _detect_in_tables(path, sniffed, known, wanted)


def header_rows(path: Path, encoding: str) -> Iterator[tuple[int, str, list[str]]]:
    """Every line that may be a header: its number, its separator and its cells."""
    with Lines(path, encoding) as lines:
        for number, line in enumerate(itertools.islice(lines, _HEADER_WITHIN), 1):
            if line.strip():
                separator = texts.separator_of(line)
                # Cells beyond any header are cut, for the csv module raises at endless ones.
                yield (number, separator, next(csv.reader([line[:_LONGEST_HEADER]], delimiter=separator)))


def rows_of(path: Path, sniffed: Sniffed) -> Iterator[tuple[int, str, list[str]]]:
    """The rows of a file that is no CSV, any of which may be a header: line, nothing, cells."""
    for grid in _open_tables(path, sniffed):
        for cells, problem in itertools.islice(grid.rows(0), _HEADER_WITHIN):
            if problem is None and "".join(cells).strip():
                yield grid.line, "", cells


def _csv(path: Path, encoding: str, known: Mapping[str, Layout], wanted: str | None) -> Found:
    """By the first line that is a header of a layout."""
    choice = Choice(str(path), known, wanted)
    for number, separator, header in header_rows(path, encoding):
        chosen = choice.of(header)
        if chosen is None:
            continue
        layout, places = chosen
        shape = CsvShape(encoding, separator, header, number, places)
        grid = CsvGrid(path, encoding, separator)
        above = _lines_above(path, encoding, number) if layout.preamble else []
        return Found(layout, "csv", shape, grid, stated_above(layout, above))
    raise choice.failure() or without_text(path, "holds no text")


def _lines_above(path: Path, encoding: str, line: int) -> list[str]:
    with Lines(path, encoding) as lines:
        return list(itertools.islice(lines, line - 1))


def stated_above(layout: Layout, above: Sequence[str]) -> dict[str, str]:
    """What the lines above the table state, by the patterns of the layout."""
    found = {}
    for field, pattern in layout.preamble.items():
        search = re.compile(pattern, re.IGNORECASE).search
        match = next((m for text in above if (m := search(text.strip()))), None)
        if match is not None:
            found[field] = match[1].strip()
    return found


def _detect_in_tables(path: Path, sniffed: Sniffed, known: Mapping[str, Layout], wanted: str | None) -> Found:
    """By the first row of a table that is a header of a layout."""
    choice = Choice(str(path), known, wanted, sniffed.kind)
    above: list[str] = []
    for grid in _open_tables(path, sniffed):
        for cells, problem in itertools.islice(grid.rows(0), _HEADER_WITHIN):
            if problem is not None or not "".join(cells).strip():
                continue
            chosen = choice.of(cells)
            if chosen is None:
                above.append(",".join(cell for cell in cells if cell))
                continue
            layout, places = chosen
            shape = CsvShape(sniffed.encoding, "", list(cells), grid.place, places)
            return Found(layout, sniffed.kind, shape, grid, stated_above(layout, above))
    raise choice.failure() or without_text(path, "holds no table")


def _open_tables(path: Path, sniffed: Sniffed) -> Sequence[Grid]:
    """The tables of a file that is no CSV; what reads them is imported only then."""
    if sniffed.kind == "html":
        from tearsheet.sources.files.html import HtmlGrid

        return [HtmlGrid(path, sniffed.encoding)]
    if sniffed.kind == "xlsx":
        from tearsheet.sources.files.excel import XlsxGrid

        return [XlsxGrid(path)]
    if sniffed.kind == "xml":
        from tearsheet.sources.files.xml import XmlGrid

        return [XmlGrid(path)]
    if sniffed.kind == "sqlite":
        from tearsheet.sources.files.freqtrade import database_grids

        return database_grids(path)
    from tearsheet.sources.files.json_tables import json_grids

    return json_grids(path, sniffed.encoding)


def _is_json_lines(path: Path, sniffed: Sniffed, wanted: str | None) -> bool:
    """Whether each line is a fill in the generic format; a format of a broker has other keys."""
    if wanted is not None:
        return wanted == JSON_LINES
    objects = itertools.islice(JsonReader(path, sniffed.encoding).objects(), _OBJECTS)
    keys = [content.keys() for content in objects]
    others = any({"transaction_time", "execid", "activity_type"} & names for names in keys)
    return any({"symbol", "side", "price"} <= names for names in keys) and not others


def _detect_json_lines(path: Path, sniffed: Sniffed, layout: Layout) -> Found:
    objects = list(itertools.islice(JsonReader(path, sniffed.encoding).objects(), _OBJECTS))
    if not any({"symbol", "side", "price"} <= content.keys() for content in objects):
        seen = ", ".join(objects[0]) if objects else "no JSON object"
        raise FormatError(
            f"{path}: no layout fits its keys: {shown(seen, 500)}",
            f"a JSON Lines file of fills needs: {', '.join(layout.needed)}",
        )
    shape = CsvShape(sniffed.encoding, "", [], 0, {})
    return Found(layout, "json", shape, CsvGrid(path, sniffed.encoding, ","), {}, True)


def _detect_mapped(path: Path, sniffed: Sniffed, layout: Layout) -> Found:
    """By the columns that the user names."""
    kinds = {layout.name: layout}
    if sniffed.kind == "csv":
        return _csv(path, sniffed.encoding, kinds, layout.name)
    return _detect_in_tables(path, sniffed, kinds, layout.name)


def _head(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            what = "folder" if path.is_dir() else "device or pipe"
            raise InputError(f"{path} is a {what}, not a file", "name a file of fills")
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", "check the path and permissions"
        ) from None
    if not head:
        raise without_text(path, "is empty")
    return head


def without_text(path: Path, what: str) -> InputError:
    """The error for a file in which there is nothing to read."""
    return InputError(f"{path} {what}", "a file of fills needs a header and at least one row")
