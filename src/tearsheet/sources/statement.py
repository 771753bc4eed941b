"""Opens a file of fills: finds its encoding, separator, layout and number form, then streams its rows."""

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.errors import FormatError, InputError
from tearsheet.sources import text as texts
from tearsheet.sources.fill_rows import FillRows
from tearsheet.sources.layout import Layout, choose, layouts
from tearsheet.sources.text import NumberForm
from tearsheet.sources.times import DateOrder, TimeReader, TimeTextError, date_order
from tearsheet.trade.fill import Fill, Rejection, Side
from tearsheet.trade.instrument import Instruments

JSON_LINES = "generic_fills_jsonl"
LONGEST_LINE = 1_000_000
_HEAD = 1 << 16
_SAMPLE = 1000
_HEADER_WITHIN = 50
_SURROGATE = re.compile("[\udc80-\udcff]")
_NUMBERS = ("quantity", "price", "commission", "stop_loss", "target")


class StatementOptions(Struct, frozen=True):
    """What the user says of a file that it does not say itself."""

    timezone: ZoneInfo | None = None
    account: str | None = None
    layout: str | None = None
    date_order: DateOrder | None = None


class Statement:
    """A file of fills that was recognised. `rows` streams it; `line` is that of the last row given."""

    def __init__(
        self, path: Path, layout: str, rows: FillRows, reader: "_CsvReader | _JsonReader"
    ) -> None:
        self.path = path
        self.layout = layout
        self.total_bytes = path.stat().st_size
        self._rows = rows
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
        """Fills and rejections in the order of the file."""
        return self._reader.read(self._rows)


def open_statement(path: Path, instruments: Instruments, options: StatementOptions) -> Statement:
    """Recognise a file of fills. Raises InputError where it cannot be read, FormatError where it
    is not known or leaves open what has to be said."""
    head = _head(path)
    encoding = texts.encoding_of(head)
    first = _first_line(head, encoding)
    if first.lstrip().startswith("{") and options.layout in (None, JSON_LINES):
        return _open_json(path, encoding, instruments, options)
    return _open_csv(path, encoding, instruments, options)


def known_layouts() -> dict[str, tuple[str, list[str]]]:
    """Every format by name: its title, and the columns it needs."""
    known = {name: (layout.title, layout.needed) for name, layout in layouts().items()}
    csv_fills = layouts()["generic_fills"]
    known[JSON_LINES] = ("Generic fills (JSON Lines)", csv_fills.needed)
    return known


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not a file", "name a file of fills") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", "check the path and permissions"
        ) from None


def _first_line(head: bytes, encoding: str) -> str:
    text = head.decode(encoding, "replace").lstrip("\ufeff")
    return next((line for line in text.splitlines() if line.strip()), "")


def _open_csv(
    path: Path, encoding: str, instruments: Instruments, options: StatementOptions
) -> Statement:
    separator, layout, places, skipped = _recognise(path, encoding, options.layout)
    reader = _CsvReader(path, encoding, separator, places, skipped)
    sample = [row for row, _, _ in itertools.islice(reader.texts(), _SAMPLE)]
    if not layout.names_zone and options.timezone is None:
        raise FormatError(
            f"{path}: {layout.title} are written in the local time of the computer",
            "say which with --timezone, such as --timezone America/Chicago",
        )
    numbers = texts.number_form(
        (row.get(name, "") for row in sample for name in _NUMBERS), separator, str(path)
    )
    order = options.date_order or _order(reader, sample, separator, str(path))
    rows = _rows(path, instruments, options, layout, numbers, order, sample)
    return Statement(path, layout.name, rows, reader)


def _recognise(
    path: Path, encoding: str, wanted: str | None
) -> tuple[str, Layout, dict[str, int], int]:
    """Separator, layout, places of the fields, and how many lines stand up to the header."""
    failure: FormatError | None = None
    with _lines(path, encoding) as lines:
        for number, line in enumerate(itertools.islice(lines, _HEADER_WITHIN), 1):
            if not line.strip():
                continue
            separator = texts.separator_of(line)
            header = next(csv.reader([line], delimiter=separator))
            try:
                layout, places = choose(header, wanted, str(path))
            except FormatError as error:
                failure = failure or error
                continue
            return separator, layout, places, number
    raise failure or FormatError(f"{path} holds no text", "it needs a header and rows")


def _order(
    reader: "_CsvReader", sample: list[dict[str, str]], separator: str, file: str
) -> DateOrder:
    """The date order, from the whole file unless its first time is ISO 8601."""
    first = next((row["time"] for row in sample if row.get("time")), "")
    try:
        datetime.fromisoformat(first)
    except ValueError:
        return date_order((row.get("time", "") for row, _, _ in reader.texts()), separator, file)
    return "month-first"


def _rows(
    path: Path, instruments: Instruments, options: StatementOptions, layout: Layout,
    numbers: NumberForm, order: DateOrder, sample: list[dict[str, str]],
) -> FillRows:  # fmt: skip
    sides = dict.fromkeys(map(str.casefold, layout.sides.buy), Side.BUY)
    sides |= dict.fromkeys(map(str.casefold, layout.sides.sell), Side.SELL)
    newest_first = _is_newest_first(sample, options.timezone, order)
    return FillRows(
        file=path.name,
        instruments=instruments,
        times=TimeReader(options.timezone, order, ascending=not newest_first),
        numbers=numbers,
        sides=sides,
        account=options.account,
        newest_first=newest_first,
    )


def _is_newest_first(sample: list[dict[str, str]], zone: ZoneInfo | None, order: DateOrder) -> bool:
    """Whether times only ever fall down the file."""
    times = []
    reader = TimeReader(zone, order, ascending=False)
    for row in sample:
        try:
            times.append(reader.read(row.get("time", "")))
        except TimeTextError:
            continue
    falls = [later < earlier for earlier, later in itertools.pairwise(times) if later != earlier]
    return bool(falls) and all(falls)


class _lines:  # noqa: N801 - used as a function
    """The lines of a text file; undecodable bytes become surrogates, overlong lines are cut."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._raw: BinaryIO = path.open("rb")
        self._text = io.TextIOWrapper(
            self._raw, encoding=encoding, errors="surrogateescape", newline=""
        )

    def __enter__(self) -> Iterator[str]:
        return iter(self)

    def __exit__(self, *error: object) -> None:
        self._text.close()

    def __iter__(self) -> Iterator[str]:
        readline = self._text.readline
        while line := readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE and not line.endswith("\n"):
                while (rest := readline(LONGEST_LINE)) and not rest.endswith("\n"):
                    pass
            yield line

    def tell(self) -> int:
        return self._raw.tell()


class _CsvReader:
    """Streams the rows of a CSV file as named texts."""

    def __init__(
        self, path: Path, encoding: str, separator: str, places: dict[str, int], skipped: int
    ) -> None:
        self._path = path
        self._encoding = encoding
        self._separator = separator
        self._places = places
        self._skipped = skipped
        self.line = 0
        self.bytes_read = 0

    def texts(self) -> Iterator[tuple[dict[str, str], int, list[str]]]:
        """Each row's fields, its line, and its cells; rows that are none have no fields."""
        places = list(self._places.items())
        lines = _lines(self._path, self._encoding)
        with lines as stream:
            header = next(itertools.islice(stream, self._skipped - 1, None))
            width = len(next(csv.reader([header], delimiter=self._separator)))
            head = header.strip()
            rows = csv.reader(stream, delimiter=self._separator)
            while True:
                try:
                    cells = next(rows, None)
                except csv.Error as error:
                    yield {}, self._skipped + rows.line_num, [str(error)]
                    continue
                if cells is None:
                    return
                number = self._skipped + rows.line_num
                if number % 1000 == 0:
                    self.bytes_read = lines.tell()
                if not any(cells):
                    continue
                if len(cells) < width:
                    cells += [""] * (width - len(cells))
                elif len(cells) > width and any(cells[width:]):
                    yield {}, number, cells
                    continue
                if cells[0] and head.startswith(cells[0]) and self._is_header(cells, head):
                    continue
                yield {name: cells[place].strip() for name, place in places}, number, cells

    def read(self, rows: FillRows) -> Iterator[Fill | Rejection]:
        """The fills and rejections of the file."""
        for row, line, cells in self.texts():
            self.line = line
            text = self._separator.join(cells)
            bad = _not_a_row(row, text)
            made = rows.reject(line, text, *bad) if bad else rows.make(row, line, text)
            if made is not None:
                yield made
        self.bytes_read = self._path.stat().st_size

    def _is_header(self, cells: list[str], head: str) -> bool:
        return self._separator.join(cells).rstrip(self._separator) == head.rstrip(self._separator)


def _not_a_row(row: dict[str, str], text: str) -> tuple[str, str, str] | None:
    """Why cells are no row: code, reason, hint."""
    if len(text) >= LONGEST_LINE or (not row and "field limit" in text):
        return "line_too_long", "a cell is far longer than any value", "check for a missing quote"
    if not row:
        return (
            "extra_columns",
            "the row has more cells than the header",
            "quote cells with separators",
        )
    if not text.isascii() and _SURROGATE.search(text):
        return "bad_encoding", "the row has bytes that are no text", "save the file as UTF-8"
    return None


def _open_json(
    path: Path, encoding: str, instruments: Instruments, options: StatementOptions
) -> Statement:
    layout = layouts()["generic_fills"]
    reader = _JsonReader(path, encoding)
    sample = list(itertools.islice(reader.sample(), _SAMPLE))
    if not any({"symbol", "side", "price"} <= row.keys() for row in sample):
        seen = ", ".join(sample[0]) if sample else "no JSON object"
        raise FormatError(
            f"{path}: no layout fits its keys: {seen}",
            f"a JSON Lines file of fills needs: {', '.join(layout.needed)}",
        )
    rows = _rows(path, instruments, options, layout, NumberForm("."), "month-first", sample)
    return Statement(path, JSON_LINES, rows, reader)


class _JsonReader:
    """Streams the objects of a JSON Lines file as named texts; numbers keep their digits."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        self.line = 0
        self.bytes_read = 0

    def sample(self) -> Iterator[dict[str, str]]:
        """The objects that can be read."""
        for row, _, _ in self._objects():
            if isinstance(row, dict):
                yield row

    def read(self, rows: FillRows) -> Iterator[Fill | Rejection]:
        """The fills and rejections of the file."""
        for row, line, text in self._objects():
            self.line = line
            made = (
                rows.reject(self.line, text, *row)
                if isinstance(row, tuple)
                else rows.make(row, self.line, text)
            )
            if made is not None:
                yield made
        self.bytes_read = self._path.stat().st_size

    def _objects(self) -> Iterator[tuple[dict[str, str] | tuple[str, str, str], int, str]]:
        lines = _lines(self._path, self._encoding)
        with lines as stream:
            for number, line in enumerate(stream, 1):
                if number % 1000 == 0:
                    self.bytes_read = lines.tell()
                if line.strip():
                    yield _json_row(line), number, line.strip()


def _json_row(line: str) -> dict[str, str] | tuple[str, str, str]:
    """A line's fields as texts, or why it has none."""
    if len(line) > LONGEST_LINE:
        return "line_too_long", "the line is far longer than any fill", "one fill a line"
    if _SURROGATE.search(line):
        return "bad_encoding", "the line has bytes that are no text", "save the file as UTF-8"
    try:
        content = json.loads(
            line, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_no_doubles
        )
    except (ValueError, RecursionError) as error:
        return "bad_json", f"the line is no JSON object: {error}", "one JSON object a line"
    if not isinstance(content, dict):
        return "bad_json", "the line is no JSON object", "one JSON object a line"
    return {str(k).casefold(): _scalar(v) for k, v in content.items() if v is not None}


def _scalar(value: Any) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {double!r} stands twice")
    return content
