"""Opener of a statement: detects kind, layout, number format and date order, then streams its rows."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from tearsheet.columns import native
from tearsheet.errors import FormatError
from tearsheet.sources.files.csv_rows import CsvTable
from tearsheet.sources.guides.catalogue import guide_of
from tearsheet.sources.layouts.catalogue import all_layouts
from tearsheet.sources.layouts.layout import JSON_LINES, Effect, Fees, Layout
from tearsheet.sources.layouts.mapping import FeeSign
from tearsheet.sources.layouts.unmapped_columns import check_unmapped_columns
from tearsheet.sources.statements.detect import DetectedFile, detect_layout
from tearsheet.sources.statements.fill_rows import FillParser
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.plain_columns import PlainColumns, is_plain
from tearsheet.sources.statements.row_kinds import choose_levels
from tearsheet.sources.statements.settlement import DealPrices, Settlement, find_deal_prices, find_lot_sizes
from tearsheet.sources.statements.table import TableReader
from tearsheet.sources.text.encoding import NumberFormat, detect_number_format
from tearsheet.sources.text.time_formats import DateOrder
from tearsheet.sources.text.times import (
    TimeFormatError,
    TimeParser,
    date_in_text,
    detect_date_order,
    has_zone,
    is_unambiguous,
)
from tearsheet.trade.fill import Fill, Rejection, Side
from tearsheet.trade.instrument import Instruments

#: The least size of a file that is read by columns.
LEAST_BYTES = 1 << 20
_SAMPLE_NUMBERS, _SAMPLE_TIMES = 5000, 1000
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_CLOCK = re.compile(r"\s*(\d{1,2}):(\d\d)")
_OTHER_ZONE = re.compile(r"UTC[+-](?!0?0\b)\d{1,2}")


class ParseRules(Struct, frozen=True):
    """Time zone, date order and number format of a file."""

    zone: ZoneInfo | None
    order: DateOrder | None
    numbers: NumberFormat


class Statement:
    """An opened file of fills."""

    def __init__(
        self,
        path: Path,
        detected: DetectedFile,
        reader: TableReader,
        parse_rules: ParseRules,
        new_parser: Callable[[], FillParser],
        assumed: Sequence[str] = (),
    ) -> None:
        self.path = path
        #: what neither file nor user state, and how to state it
        self.assumed = tuple(assumed)
        self.detected = detected
        self.layout = JSON_LINES if detected.is_json_lines else detected.layout.name
        self.parse_rules = parse_rules
        self.total_bytes = path.stat().st_size
        self._reader = reader
        self._effect = lru_cache(1000)(detected.layout.effect)
        self._new_parser = new_parser
        self._parser = new_parser()

    @property
    def line(self) -> int:
        """Line of the row read last."""
        return self._reader.line

    @property
    def bytes_read(self) -> int:
        """Number of bytes read so far."""
        return self._reader.bytes_read

    @property
    def skipped(self) -> dict[str, int]:
        """Number of rows of the last pass that are not trades, by the name of the rule."""
        return dict(self._reader.skipped)

    def nothing_read(self) -> str:
        """Describe a file without readable rows."""
        passed = ", ".join(f"{number:,} {rule}" for rule, number in self.skipped.items())
        rows = f"its rows are {passed}" if passed else "it has no rows"
        return f"it is {self.detected.layout.title}, and holds no fill and no event: {rows}"

    def rows(self) -> Iterator[Fill | Rejection]:
        """Yield fills and rejections in file order; each call starts at the first row."""
        self._parser = self._new_parser()
        return self._reader.read(self._parser)

    def columns(self, now: datetime) -> PlainColumns | None:
        """Return the rows of a large file in a plain layout by columns, from the first row; None for others.

        `rows_after` goes on where they end.
        """
        detected, rules = self.detected, self.parse_rules
        is_small = self.total_bytes < LEAST_BYTES or not native.is_available()
        if (
            is_small
            or not isinstance(detected.table, CsvTable)
            or detected.preamble
            or detected.is_json_lines
        ):
            return None
        layout, header = detected.layout, detected.position.header
        effects = {layout.effect("", side) for side in Side} if layout.has_effect else {""}
        if rules.numbers.decimal_mark != "." or effects != {""} or not is_plain(layout, header):
            return None
        parser = self._new_parser()
        if parser.is_newest_first:
            return None
        self._parser, parser.reads_columns = parser, True
        is_utc = rules.zone is not None and rules.zone.key == "UTC"
        return self._reader.columns(self.path, detected.position, parser, now, is_utc=is_utc)

    def rows_after(self, line: int) -> Iterator[Fill | Rejection]:
        """Yield fills and rejections below a line, after those above were read by columns."""
        return self._reader.read(self._parser, line)

    def effect(self, fill: Fill) -> Effect:
        """Return whether the fill read last opened or closed, as far as the file states it."""
        return "close" if self.is_end else self._effect(self._parser.last.effect, fill.side)

    @property
    def is_end(self) -> bool:
        """Return whether the last fill is the end of an option, which opens nothing."""
        return self._parser.last.is_end

    @property
    def trade_day(self) -> date | None:
        """Return the trading day that the file states for the last fill."""
        return date_in_text(self._parser.last.trade_day, self.parse_rules.order)

    @property
    def result(self) -> Decimal | None:
        """Return the realized result that the file states for the last fill."""
        text = self._parser.last.realized
        try:
            return self.parse_rules.numbers.parse(text) if text else None
        except ValueError:
            return None

    @property
    def reported_net(self) -> Decimal | None:
        """Return the result after fees that the file states for the last fill, if its results are after fees."""
        rules = self.detected.layout.report
        return self.result if rules is not None and rules.result == "net" else None


def open_statement(path: Path, instruments: Instruments, options: StatementOptions) -> Statement:
    """Detect and open a file of fills.

    Raises InputError if it cannot be read, FormatError if its format is unknown or ambiguous.
    """
    known = all_layouts(options.layouts)
    detected = detect_layout(
        path, known, options.layout, options.mapping, options.fee_sign, options.constants
    )
    _raise_unsupported(path, detected.layout)
    detected = _with_fee_sign(detected, options.fee_sign)
    options, assumed = _with_usual(detected, options)
    day = None
    if not detected.layout.states_day and options.day is None:
        options = structs.replace(options, day=(day := _day_of(path, detected, options)))
    detected = _with_user_constants(path, detected, options)
    detected = _with_level(path, detected)
    detected, named = _with_named_account(path, detected, options)
    reader = _reader(detected, options.account)
    if options.mapping:
        position, currency = detected.position, instruments.default_currency
        rows = detected.table.rows(position.header_line)
        check_unmapped_columns(path, detected.layout, position.header, rows, currency, options.mapping)
    times = list(itertools.islice(reader.times(), _SAMPLE_TIMES))
    zone = _zone(path, detected, options, times)
    reader.number_format = _number_format(path, detected, reader, options)
    _check_fee_signs(path, detected.layout.fees, reader, is_stated=options.fee_sign is not None)
    order = _date_order(path, detected, reader, times, options)
    rules = ParseRules(zone, order, reader.number_format)
    layout = detected.layout
    lots = _lots(reader, layout, instruments)
    new_parser = _parser_factory(path, instruments, options, detected, rules, times, lots)
    assumed += [f"{name} is booked at the rates of its results" for name in lots.converted]
    assumed += [f"the account is {named}, by the file's name; --account says another"] if named else []
    if day is not None:
        assumed.append(f"its times are of {day}, when the file was written; --date says another day")
    is_usual = zone is not None and zone.key == layout.usual_zone and options.timezone is None
    if zone is not None and is_usual and not _are_zoned(times):
        assumed.append(f"times are of {zone.key}; --timezone says another zone")
    return Statement(path, detected, reader, rules, new_parser, assumed)


def _lots(reader: TableReader, layout: Layout, instruments: Instruments) -> DealPrices:
    """Return the sizes of lots that the results of a file show, and prices where they are in another currency."""
    if not layout.lots:
        return DealPrices()
    sizes = find_lot_sizes(reader.trades(), layout, reader.number_format)
    stated = {name for name, own in instruments.overrides.items() if own.multiplier is not None}
    deals = find_deal_prices(reader.trades(), layout, reader.number_format, {*sizes, *stated})
    return structs.replace(deals, sizes={**deals.sizes, **sizes})


def _with_usual(detected: DetectedFile, options: StatementOptions) -> tuple[StatementOptions, list[str]]:
    """Return the options with those that the layout has for what nobody states, and what is assumed by it."""
    usual, assumed = detected.layout.usual, []
    has_account = "account" in {
        *detected.preamble,
        *(detected.layout.match_header(detected.position.header) or {}),
    }
    if usual.account and options.account is None and not has_account:
        options = structs.replace(options, account=usual.account)
        assumed.append(f"the account is {usual.account}, by the saved layout; --account says another")
    if usual.currency and options.currency is None:
        options = structs.replace(options, currency=usual.currency)
        assumed.append(f"its money is {usual.currency}, by the saved layout; --currency says another")
    if usual.decimal_mark and options.decimal_mark is None:
        options = structs.replace(options, decimal_mark=usual.decimal_mark)
    return options, assumed


def _with_named_account(
    path: Path, detected: DetectedFile, options: StatementOptions
) -> tuple[DetectedFile, str]:
    """Return the file with the account that its name states, and that account, unless file or user state one."""
    layout = detected.layout
    match = re.search(layout.file_name, path.name) if layout.file_name else None
    is_stated = "account" in {*detected.preamble, *(layout.match_header(detected.position.header) or {})}
    if match is None or is_stated or options.account:
        return detected, ""
    return structs.replace(detected, preamble={**detected.preamble, "account": match[1]}), match[1]


def _reader(detected: DetectedFile, account: str | None) -> TableReader:
    preamble = dict(detected.preamble)
    if account:
        preamble.pop("account", None)
    return TableReader(
        detected.table,
        detected.layout,
        detected.position.header,
        detected.position.header_line,
        preamble,
        None if "account" in detected.layout.columns else account,
    )


def _raise_unsupported(path: Path, layout: Layout) -> None:
    """Raise FormatError for a known report without fills."""
    if layout.refused:
        guide = guide_of(layout.name)
        where = f"{guide.take}: {guide.path} (`tearsheet formats {guide.slug}`)" if guide else ""
        raise FormatError(
            f"{path}: {layout.title}: {layout.refused}", " ".join(filter(None, (layout.notes, where)))
        )


def _zone(
    path: Path, detected: DetectedFile, options: StatementOptions, times: Sequence[str]
) -> ZoneInfo | None:
    """Return the time zone of times without an offset: that of the format, else that of the user.

    It is optional if all times of the sample have an offset. Binance writes a zone other than UTC into
    the name of a file. Raises FormatError.
    """
    layout = detected.layout
    zone = layout.zone_of(detected.position.header)
    elsewhere = _OTHER_ZONE.search(path.name) if zone == "UTC" else None
    if zone is not None and elsewhere is None:
        return ZoneInfo(zone)
    if elsewhere is not None and options.timezone is None:
        raise FormatError(
            f"{path}: its name says that its times are {elsewhere[0]}, not UTC",
            "export in UTC, or set --timezone (Etc/GMT-3 means UTC+3)",
        )
    if layout.usual_zone is not None and options.timezone is None:
        return ZoneInfo(layout.usual_zone)
    if not layout.names_zone and options.timezone is None and not _are_zoned(times):
        raise FormatError(
            f"{path}: {layout.title} files use local times without a time zone",
            "specify it with --timezone, for example America/Chicago",
            "timezone",
        )
    return options.timezone


def _with_level(path: Path, detected: DetectedFile) -> DetectedFile:
    """Return the file with rules for its finest level of detail: executions, else orders."""
    layout, position = detected.layout, detected.position
    if not any(rule.levels for rule in layout.rows):
        return detected
    rules = choose_levels(layout.rows, position.header, lambda: _rows(detected), str(path))
    return structs.replace(detected, layout=structs.replace(layout, rows=rules))


def _are_zoned(times: Sequence[str]) -> bool:
    return any(times) and all(has_zone(text.strip()) for text in times)


def _with_fee_sign(detected: DetectedFile, sign: FeeSign | None) -> DetectedFile:
    """Return the file with the sign of fees that the user states."""
    if sign is None or detected.layout.fees.cost == sign or detected.is_json_lines:
        return detected
    fees = structs.replace(detected.layout.fees, cost=sign)
    return structs.replace(detected, layout=structs.replace(detected.layout, fees=fees))


def _day_of(path: Path, detected: DetectedFile, options: StatementOptions) -> date:
    """Return the last day on which all times of a file without days were past when it was written."""
    zone = options.timezone or ZoneInfo(detected.layout.zone or detected.layout.usual_zone or "UTC")
    written = datetime.fromtimestamp(path.stat().st_mtime, zone)
    clocks = filter(None, map(_CLOCK.match, _reader(detected, options.account).times()))
    latest = max(((int(clock[1]), int(clock[2])) for clock in clocks), default=(0, 0))
    return written.date() - (_DAY if latest > (written.hour, written.minute) else timedelta())


def _with_user_constants(path: Path, detected: DetectedFile, options: StatementOptions) -> DetectedFile:
    """Return the file with the day and currency that the user states. Raises FormatError."""
    layout = detected.layout
    if not layout.states_currency and options.currency is None:
        raise FormatError(
            f"{path}: {layout.title} do not say in which money they are",
            "say which with --currency, such as EUR",
        )
    stated = {"day": options.day and options.day.isoformat(), "currency": options.currency}
    constants = {field: text for field, text in stated.items() if text} | {
        **layout.constants,
        **options.constants,
    }
    return structs.replace(detected, layout=structs.replace(layout, constants=constants))


def _check_fee_signs(path: Path, fees: Fees, reader: TableReader, *, is_stated: bool) -> None:
    """Raise FormatError if the signs of the fees do not distinguish costs from rebates."""
    if is_stated or fees.cost not in ("unknown", "negative"):
        return
    signs = {reader.number_format.sign_of(text) for text in reader.fees()}
    if fees.cost == "unknown" and -1 in signs:
        raise FormatError(
            f"{path}: negative fees could be costs or rebates",
            "set --fee-sign negative if they are costs, --fee-sign positive if costs are above 0",
        )
    if fees.cost == "negative" and 1 in signs and -1 not in signs:
        raise FormatError(
            f"{path}: this format uses negative fees, but all fees are positive",
            "say --fee-sign positive if they are costs, or --fee-sign negative if they are rebates",
        )


def _number_format(
    path: Path, detected: DetectedFile, reader: TableReader, options: StatementOptions
) -> NumberFormat:
    if detected.is_json_lines:
        return NumberFormat(".")
    if options.decimal_mark is not None:
        return NumberFormat(options.decimal_mark)
    sample = itertools.islice(reader.numbers(), _SAMPLE_NUMBERS)
    return detect_number_format(sample, reader.numbers(), detected.position.separator or ",", str(path))


def _date_order(
    path: Path, detected: DetectedFile, reader: TableReader, sample: Sequence[str], options: StatementOptions
) -> DateOrder | None:
    """Return the date order, detected in the whole file unless the sample is unambiguous."""
    stated = options.date_order or detected.layout.date_order
    if stated is not None or detected.is_json_lines or all(is_unambiguous(text.strip()) for text in sample):
        return stated
    is_european = detected.position.separator == ";" or reader.number_format.decimal_mark == ","
    # Other dates of a file are written like its times.
    others = (cell for cells in _rows(detected) for cell in cells)
    usual = detected.layout.usual_date_order
    return detect_date_order(
        reader.times(), is_european=is_european, file=str(path), others=others, usual=usual
    )


def _rows(detected: DetectedFile) -> Iterator[list[str]]:
    """Yield the readable rows below the header."""
    return (cells for cells, problem in detected.table.rows(detected.position.header_line) if problem is None)


def _parser_factory(
    path: Path,
    instruments: Instruments,
    options: StatementOptions,
    detected: DetectedFile,
    rules: ParseRules,
    times: Iterable[str],
    lots: DealPrices,
) -> Callable[[], FillParser]:
    """Return a factory for parsers: each pass over the file needs its own, because a parser has state."""
    newest_first, ascending = _time_direction(times, rules, is_newest_first=detected.layout.newest_first)
    settlement = Settlement(
        lots=detected.layout.lots,
        lot_sizes=lots.sizes,
        deal_prices=lots.prices,
        lot_currency=detected.preamble.get("fee_currency"),
        is_account_money=detected.layout.is_account_money,
        is_root_equity=detected.layout.ambiguous == "equity",
        rates=options.fee_rates,
        futures_pay_fees_only=detected.layout.fees.futures_pay_fees_only,
    )
    sides = detected.layout.side_words(Side.BUY, Side.SELL)
    if detected.layout.has_rules:
        sides |= {"buy": Side.BUY, "sell": Side.SELL}
    row_text = itemgetter(-1) if detected.is_json_lines else (detected.position.separator or ",").join

    def make() -> FillParser:
        return FillParser(
            file=path.name,
            instruments=instruments,
            times=TimeParser(rules.zone, rules.order, ascending=ascending),
            sides=sides,
            account=options.account,
            newest_first=newest_first,
            row_text=row_text,
            settlement=settlement,
        )

    return make


def _time_direction(sample: Iterable[str], rules: ParseRules, *, is_newest_first: bool) -> tuple[bool, bool]:
    """Return whether times are descending, and whether they are ascending, down the file.

    A fall of an hour or less may be the end of daylight saving time, so it counts for neither. If
    all times are equal, the layout decides by `is_newest_first`.
    """
    times = []
    parser = TimeParser(rules.zone, rules.order, ascending=False)
    for text in sample:
        try:
            times.append(parser.parse(text.strip()))
        except TimeFormatError:
            continue
    steps = [later - earlier for earlier, later in itertools.pairwise(times) if later != earlier]
    if not steps:
        return is_newest_first, not is_newest_first
    newest_first = all(step < timedelta() for step in steps)
    return newest_first, not newest_first and all(step >= -_HOUR for step in steps)
