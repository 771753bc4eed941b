"""Opens a file of fills: finds its encoding, separator, layout and number form, then streams its rows."""

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.errors import FormatError, InputError
from tearsheet.sources import text as texts
from tearsheet.sources.csv_rows import CsvReader, CsvShape
from tearsheet.sources.fill_rows import NUMBER_PLACES, FillRows
from tearsheet.sources.json_rows import JsonReader, fields_of
from tearsheet.sources.layout import FIELDS, JSON_LINES, Layout, choose, known_layouts, layouts
from tearsheet.sources.lines import Lines, shown
from tearsheet.sources.problem import RowError
from tearsheet.sources.text import NumberForm
from tearsheet.sources.times import DateOrder, TimeReader, TimeTextError, date_order
from tearsheet.trade.fill import Fill, Rejection, Side
from tearsheet.trade.instrument import Instruments

__all__ = ["JSON_LINES", "Statement", "StatementOptions", "known_layouts", "open_statement"]

_HEAD = 1 << 16
_SAMPLE = 1000
_HEADER_WITHIN = 50
_LONGEST_HEADER = 10_000
_TIME = FIELDS.index("time")
_HOUR = timedelta(hours=1)
_Row = Sequence[str]


class StatementOptions(Struct, frozen=True):
    """What the user says of a file that it does not say itself."""

    timezone: ZoneInfo | None = None
    account: str | None = None
    layout: str | None = None
    date_order: DateOrder | None = None


class Statement:
    """A file of fills that was recognised. `rows` streams it; `line` is that of the last row given."""

    def __init__(
        self,
        path: Path,
        layout: str,
        fill_rows: Callable[[], FillRows],
        reader: CsvReader | JsonReader,
    ) -> None:
        self.path = path
        self.layout = layout
        self.total_bytes = path.stat().st_size
        self._fill_rows = fill_rows
        self._reader = reader

    @property
    def line(self) -> int:
        """The line of the row given last."""
        return self._reader.line

    @property
    def bytes_read(self) -> int:
        """How far the file has been read."""
        return self._reader.bytes_read

    def rows(self) -> Iterator[Fill | Rejection]:
        """Fills and rejections in the order of the file, from its beginning at every call."""
        return self._reader.read(self._fill_rows())


def open_statement(path: Path, instruments: Instruments, options: StatementOptions) -> Statement:
    """Recognise a file of fills. Raises InputError where it cannot be read, FormatError where it
    is not known or leaves open what has to be said."""
    head = _head(path)
    encoding = texts.encoding_of(head)
    if _first_line(head, encoding).startswith("{") and options.layout in (None, JSON_LINES):
        return _open_json(path, encoding, instruments, options)
    return _open_csv(path, encoding, instruments, options)


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
        raise _without_text(path, "is empty")
    return head


def _without_text(path: Path, what: str) -> InputError:
    return InputError(f"{path} {what}", "a file of fills needs a header and at least one row")


def _first_line(head: bytes, encoding: str) -> str:
    text = head.decode(encoding, "replace").lstrip("\ufeff")
    return next((line.lstrip() for line in text.splitlines() if line.strip()), "")


def _open_csv(
    path: Path, encoding: str, instruments: Instruments, options: StatementOptions
) -> Statement:
    shape, layout = _recognise(path, encoding, options.layout)
    reader = CsvReader(path, shape)
    sample = [row for row, _ in itertools.islice(reader.texts(), _SAMPLE)]
    if not layout.names_zone and options.timezone is None:
        raise FormatError(
            f"{path}: {layout.title} are written in the local time of the computer",
            "say which with --timezone, such as --timezone America/Chicago",
        )
    everything = (row for row, _ in reader.texts())
    numbers = texts.number_form(
        _number_cells(sample), _number_cells(everything), shape.separator, str(path)
    )
    order = options.date_order or _order(
        reader, sample, is_european=shape.separator == ";" or numbers.mark == ",", file=str(path)
    )
    make = _maker(path, instruments, options, layout, numbers, order, sample, shape.separator)
    return Statement(path, layout.name, make, reader)


def _recognise(path: Path, encoding: str, wanted: str | None) -> tuple[CsvShape, Layout]:
    """The shape and the layout, by the first line that is a header."""
    failure: FormatError | None = None
    with Lines(path, encoding) as lines:
        for number, line in enumerate(itertools.islice(lines, _HEADER_WITHIN), 1):
            if not line.strip():
                continue
            separator = texts.separator_of(line)
            # Cells beyond any header are cut, for the csv module raises at endless ones.
            header = next(csv.reader([line[:_LONGEST_HEADER]], delimiter=separator))
            try:
                layout, places = choose(header, wanted, str(path))
            except FormatError as error:
                failure = failure or error
                continue
            return CsvShape(encoding, separator, header, number, places), layout
    raise failure or _without_text(path, "holds no text")


def _number_cells(rows: Iterable[_Row]) -> Iterator[str]:
    return (row[place] for row in rows for place in NUMBER_PLACES.values())


def _order(
    reader: CsvReader, sample: list[_Row], *, is_european: bool, file: str
) -> DateOrder | None:
    """The date order, from the whole file unless its first times are all ISO 8601."""
    if all(map(_is_iso, (row[_TIME].strip() for row in sample))):
        return None
    times = (row[_TIME] for row, _ in reader.texts())
    return date_order(times, is_european=is_european, file=file)


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return not text
    return True


def _maker(
    path: Path, instruments: Instruments, options: StatementOptions, layout: Layout,
    numbers: NumberForm, order: DateOrder | None, sample: list[_Row], separator: str,
) -> Callable[[], FillRows]:  # fmt: skip
    """Makes what reads the rows; it remembers rows, so that every reading needs its own."""
    newest_first, ascending = _direction(sample, options.timezone, order)

    def make() -> FillRows:
        return FillRows(
            file=path.name,
            instruments=instruments,
            times=TimeReader(options.timezone, order, ascending=ascending),
            numbers=numbers,
            sides=layout.side_words(Side.BUY, Side.SELL),
            account=options.account,
            newest_first=newest_first,
            separator=separator,
        )

    return make


def _direction(
    sample: list[_Row], zone: ZoneInfo | None, order: DateOrder | None
) -> tuple[bool, bool]:
    """Whether times only ever fall down the file, and whether they never do.

    A fall of an hour or less may be the clock put back, so it does not tell.
    """
    times = []
    reader = TimeReader(zone, order, ascending=False)
    for row in sample:
        try:
            times.append(reader.read(row[_TIME].strip()))
        except TimeTextError:
            continue
    steps = [later - earlier for earlier, later in itertools.pairwise(times) if later != earlier]
    newest_first = bool(steps) and all(step < timedelta() for step in steps)
    return newest_first, not newest_first and all(step >= -_HOUR for step in steps)


def _open_json(
    path: Path, encoding: str, instruments: Instruments, options: StatementOptions
) -> Statement:
    layout = layouts()["generic_fills"]
    reader = JsonReader(path, encoding)
    objects = list(itertools.islice(reader.objects(), _SAMPLE))
    if not any({"symbol", "side", "price"} <= content.keys() for content in objects):
        seen = ", ".join(objects[0]) if objects else "no JSON object"
        raise FormatError(
            f"{path}: no layout fits its keys: {shown(seen, 500)}",
            f"a JSON Lines file of fills needs: {', '.join(layout.needed)}",
        )
    sample = list(_usable(objects))
    order = options.date_order
    make = _maker(path, instruments, options, layout, NumberForm("."), order, sample, "")
    return Statement(path, JSON_LINES, make, reader)


def _usable(objects: Iterable[dict[str, object]]) -> Iterator[_Row]:
    for content in objects:
        try:
            yield fields_of(content)
        except RowError:
            continue
