"""Opens a file of fills: finds its kind, encoding, separator, layout and number form, then streams its rows."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from tearsheet.errors import FormatError
from tearsheet.sources.layouts.catalogue import all_layouts
from tearsheet.sources.layouts.layout import FIELDS, JSON_LINES, Effect, Fees, Layout
from tearsheet.sources.layouts.mapping import FeeSign
from tearsheet.sources.statements.csv_rows import CsvReader
from tearsheet.sources.statements.detect import DetectedFile, detect_layout
from tearsheet.sources.statements.fill_rows import NUMBER_PLACES, FillParser
from tearsheet.sources.statements.json_rows import JsonReader, fields_of
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.settlement import Settlement
from tearsheet.sources.statements.table import TableReader
from tearsheet.sources.text import encoding as texts
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.problem import RowError
from tearsheet.sources.text.times import (
    DateOrder,
    TimeFormatError,
    TimeParser,
    date_in_text,
    detect_date_order,
    is_unambiguous,
)
from tearsheet.trade.fill import Fill, Rejection, Side
from tearsheet.trade.instrument import Instruments

_SAMPLE = 1000
_TIME = FIELDS.index("time")
_HOUR = timedelta(hours=1)
_OTHER_ZONE = re.compile(r"UTC[+-](?!0?0\b)\d{1,2}")
_RowTexts = Sequence[str]


class Statement:
    """A file of fills that was recognised. `rows` streams it; `line` is that of the last row given."""

    def __init__(
        self,
        path: Path,
        found: DetectedFile,
        fill_rows: Callable[[], FillParser],
        reader: CsvReader | JsonReader | TableReader,
        reading: "ParseRules",
    ) -> None:
        self.path = path
        self.detected = found
        self.layout = JSON_LINES if isinstance(reader, JsonReader) else found.layout.name
        self.parse_rules = reading
        self.total_bytes = path.stat().st_size
        self._new_parser = fill_rows
        self._parser = fill_rows()
        self._reader = reader

    @property
    def line(self) -> int:
        """The line of the row given last."""
        return self._reader.line

    @property
    def bytes_read(self) -> int:
        """How far the file has been read."""
        return self._reader.bytes_read

    @property
    def skipped(self) -> dict[str, int]:
        """How many rows of the last reading were no trades, by the rule that says so."""
        return dict(self._reader.skipped) if isinstance(self._reader, TableReader) else {}

    def rows(self) -> Iterator[Fill | Rejection]:
        """Fills and rejections in the order of the file, from its beginning at every call."""
        self._parser = self._new_parser()
        return self._reader.read(self._parser)

    def effect(self, fill: Fill) -> Effect:
        """Whether the fill given last opened or closed, as far as the file tells."""
        return self.detected.layout.effect(self._parser.effect, fill.side)

    @property
    def trade_day(self) -> date | None:
        """The trading day that the file gives the fill given last, None where it gives none."""
        return date_in_text(self._parser.trade_day, self.parse_rules.order)

    @property
    def result(self) -> Decimal | None:
        """What the file says that the fill given last realised, None where it says nothing."""
        text = self._parser.result
        try:
            return self.parse_rules.numbers.parse(text) if text else None
        except ValueError:
            return None


class ParseRules(Struct, frozen=True):
    """How the texts of a file are understood."""

    zone: ZoneInfo | None
    order: DateOrder | None
    numbers: NumberFormat


def open_statement(path: Path, instruments: Instruments, options: StatementOptions) -> Statement:
    """Recognise a file of fills. Raises InputError where it cannot be read, FormatError where it
    is not known or leaves open what has to be said."""
    known = all_layouts(options.layouts)
    found = detect_layout(path, known, options.layout, options.mapping, options.fee_sign)
    _raise_unsupported(path, found.layout)
    found = _with_fee_sign(found, options.fee_sign)
    zone = _zone(path, found, options)
    if found.is_json_lines:
        return _open_json(path, found, instruments, options, zone)
    if found.layout.is_simple:
        return _open_simple(path, found, instruments, options, zone)
    return _open_table(path, found, instruments, options, zone)


def _raise_unsupported(path: Path, layout: Layout) -> None:
    """A report that is known and cannot be read as fills."""
    if layout.refused:
        raise FormatError(f"{path}: {layout.title}: {layout.refused}", layout.notes)


def _zone(path: Path, found: DetectedFile, options: StatementOptions) -> ZoneInfo | None:
    """The zone of times without an offset: the format's own, else what the user says.

    Binance writes another zone than UTC into the name of its files.
    """
    layout = found.layout
    zone = layout.zone_of(found.position.header)
    elsewhere = _OTHER_ZONE.search(path.name) if zone == "UTC" else None
    if zone is not None and elsewhere is None:
        return ZoneInfo(zone)
    if elsewhere is not None and options.timezone is None:
        raise FormatError(
            f"{path}: its name says that its times are {elsewhere[0]}, not UTC",
            "export it in UTC, or say its zone with --timezone, such as Etc/GMT-3 for UTC+3",
        )
    if not layout.names_zone and options.timezone is None:
        raise FormatError(
            f"{path}: {layout.title} are written in local time, and the file does not say of where",
            "say which with --timezone, such as America/Chicago",
        )
    return options.timezone


def _open_simple(
    path: Path,
    found: DetectedFile,
    instruments: Instruments,
    options: StatementOptions,
    zone: ZoneInfo | None,
) -> Statement:
    reader = CsvReader(path, found.position)
    sample = [row for row, _ in itertools.islice(reader.texts(), _SAMPLE)]
    everything = (row for row, _ in reader.texts())
    numbers = _detect_number_format(
        options, _number_cells(sample), _number_cells(everything), found.position.separator, path
    )
    is_european = found.position.separator == ";" or numbers.decimal_mark == ","
    times = (row[_TIME] for row, _ in reader.texts())
    order = _detect_date_order(
        options, found.layout, [row[_TIME] for row in sample], times, is_european, path
    )
    reading = ParseRules(zone, order, numbers)
    sampled = (row[_TIME] for row in sample)
    make = _parser_factory(path, instruments, options, found, reading, sampled)
    return Statement(path, found, make, reader, reading)


def _open_table(
    path: Path,
    found: DetectedFile,
    instruments: Instruments,
    options: StatementOptions,
    zone: ZoneInfo | None,
) -> Statement:
    stated = dict(found.preamble)
    if options.account:
        stated.pop("account", None)
    says_account = "account" in found.layout.columns
    reader = TableReader(
        found.table,
        found.layout,
        found.position.header,
        found.position.header_line,
        stated,
        None if says_account else options.account,
    )
    separator = found.position.separator or ","
    first = list(itertools.islice(reader.numbers(), _SAMPLE))
    reader.number_format = _detect_number_format(options, first, reader.numbers(), separator, path)
    _check_fee_signs(path, found.layout.fees, reader, is_said=options.fee_sign is not None)
    is_european = separator == ";" or reader.number_format.decimal_mark == ","
    sample = list(itertools.islice(reader.times(), _SAMPLE))
    order = _detect_date_order(options, found.layout, sample, reader.times(), is_european, path)
    plain = ParseRules(zone, order, NumberFormat("."))
    make = _parser_factory(path, instruments, options, found, plain, sample)
    return Statement(path, found, make, reader, ParseRules(zone, order, reader.number_format))


def _with_fee_sign(found: DetectedFile, sign: FeeSign | None) -> DetectedFile:
    """A recognised file with the sign of its fees as the user says it."""
    if sign is None or found.layout.fees.cost == sign or found.is_json_lines:
        return found
    fees = structs.replace(found.layout.fees, cost=sign)
    return structs.replace(found, layout=structs.replace(found.layout, fees=fees))


def _check_fee_signs(path: Path, fees: Fees, reader: TableReader, *, is_said: bool) -> None:
    """Raises FormatError where the signs of a file leave open what costs and what pays."""
    if is_said or fees.cost not in ("unknown", "negative"):
        return
    signs = {reader.number_format.sign_of(text) for text in reader.fees()}
    if fees.cost == "unknown" and -1 in signs:
        raise FormatError(
            f"{path}: it has fees below 0, and nothing tells whether these are costs or rebates",
            "say --fee-sign negative if they are costs, or --fee-sign positive if costs are above 0",
        )
    if fees.cost == "negative" and 1 in signs and -1 not in signs:
        raise FormatError(
            f"{path}: fees of its format are below 0, but all of its fees are above 0",
            "say --fee-sign positive if they are costs, or --fee-sign negative if they are rebates",
        )


def _detect_number_format(
    options: StatementOptions, sample: Iterable[str], everything: Iterable[str], separator: str, path: Path
) -> NumberFormat:
    if options.decimal_mark is not None:
        return NumberFormat(options.decimal_mark)
    return texts.detect_number_format(sample, everything, separator, str(path))


def _number_cells(rows: Iterable[_RowTexts]) -> Iterator[str]:
    return (row[place] for row in rows for place in NUMBER_PLACES.values())


def _detect_date_order(
    options: StatementOptions,
    layout: Layout,
    sample: Sequence[str],
    everything: Iterable[str],
    is_european: bool,
    path: Path,
) -> DateOrder | None:
    """The date order, from the whole file unless its first times leave no doubt."""
    stated = options.date_order or layout.date_order
    if stated is not None or all(is_unambiguous(text.strip()) for text in sample):
        return stated
    return detect_date_order(everything, is_european=is_european, file=str(path))


def _parser_factory(
    path: Path,
    instruments: Instruments,
    options: StatementOptions,
    found: DetectedFile,
    reading: ParseRules,
    sample: Iterable[str],
) -> Callable[[], FillParser]:
    """Makes what reads the rows; it remembers rows, so that every reading needs its own."""
    newest_first, ascending = _time_direction(sample, reading, is_said=found.layout.newest_first)
    settlement = Settlement(
        lots=found.layout.lots,
        rates=options.fee_rates,
        futures_pay_fees_only=found.layout.fees.futures_pay_fees_only,
    )
    sides = found.layout.side_words(Side.BUY, Side.SELL)
    if not found.layout.is_simple:
        sides |= {"buy": Side.BUY, "sell": Side.SELL}

    def make() -> FillParser:
        return FillParser(
            file=path.name,
            instruments=instruments,
            times=TimeParser(reading.zone, reading.order, ascending=ascending),
            numbers=reading.numbers,
            sides=sides,
            account=options.account,
            newest_first=newest_first,
            separator=found.position.separator or ("" if found.is_json_lines else ","),
            settlement=settlement,
        )

    return make


def _time_direction(sample: Iterable[str], reading: ParseRules, *, is_said: bool) -> tuple[bool, bool]:
    """Whether times only ever fall down the file, and whether they never do.

    A fall of an hour or less may be the clock put back, so it does not tell. Where all times are
    one, it is as the layout says.
    """
    times = []
    reader = TimeParser(reading.zone, reading.order, ascending=False)
    for text in sample:
        try:
            times.append(reader.parse(text.strip()))
        except TimeFormatError:
            continue
    steps = [later - earlier for earlier, later in itertools.pairwise(times) if later != earlier]
    if not steps:
        return is_said, not is_said
    newest_first = all(step < timedelta() for step in steps)
    return newest_first, not newest_first and all(step >= -_HOUR for step in steps)


def _open_json(
    path: Path,
    found: DetectedFile,
    instruments: Instruments,
    options: StatementOptions,
    zone: ZoneInfo | None,
) -> Statement:
    reader = JsonReader(path, found.position.encoding)
    sample = [row[_TIME] for row in _valid_objects(itertools.islice(reader.objects(), _SAMPLE))]
    reading = ParseRules(zone, options.date_order, NumberFormat("."))
    make = _parser_factory(path, instruments, options, found, reading, sample)
    return Statement(path, found, make, reader, reading)


def _valid_objects(objects: Iterable[dict[str, object]]) -> Iterator[_RowTexts]:
    for content in objects:
        try:
            yield fields_of(content)
        except RowError:
            continue
