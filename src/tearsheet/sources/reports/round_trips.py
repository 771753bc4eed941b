"""Reader of reports of round trips: one row per round trip, with its result and its two fills."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from tearsheet.errors import FormatError
from tearsheet.sources.layouts.layout import Layout
from tearsheet.sources.layouts.report_rules import RoundTripRules, StatedQuantity
from tearsheet.sources.reports.report_table import ReportTable, instrument_of
from tearsheet.sources.reports.reported import BrokerReport, ReportedFill, ReportLine, Role
from tearsheet.sources.statements.detect import DetectedFile
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.text.contracts import fraction_price
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.lines import truncate
from tearsheet.sources.text.problem import RowError
from tearsheet.sources.text.times import TimeFormatError, TimeParser, date_in_text, detect_date_order
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.fill import Fill, Side, content_key, execution_key
from tearsheet.trade.instrument import Instrument, Instruments

_SHOWN = 40


def read_round_trips(
    path: Path, detected: DetectedFile, instruments: Instruments, options: StatementOptions
) -> BrokerReport:
    """Read the rows and fills of a report of round trips. Raises FormatError with the line."""
    columns = detected.layout.round_trips
    assert columns is not None
    if options.timezone is None and not detected.layout.names_zone:
        raise FormatError(
            f"{path}: the file has local times but no time zone",
            "specify it with --timezone, for example America/Chicago",
            "timezone",
        )
    table = ReportTable(
        path,
        detected.table,
        detected.position.header,
        detected.position.header_line,
        detected.position.separator,
    )
    account = detected.preamble.get("account")
    reading = _RoundTripReader(table, columns, instruments, options, account, detected.layout)
    report = BrokerReport(layout=detected.layout.name, title=detected.layout.title, lines=[])
    report.from_round_trips = columns.pairs
    with exact():
        for line, cells in table.rows:
            row, legs = reading.line(line, cells)
            report.lines.append(row)
            report.fills += legs if columns.pairs else []
    return report


class _RoundTripReader:
    def __init__(
        self,
        table: ReportTable,
        columns: RoundTripRules,
        instruments: Instruments,
        options: StatementOptions,
        account: str | None,
        layout: Layout,
    ) -> None:
        self._table, self._columns = table, columns
        self._instruments, self._account = instruments, options.account or account
        fees = [name for names in columns.fees for name in names]
        self._number_format = table.number_format([*columns.pnl, *fees, *columns.quantity])
        if options.decimal_mark is not None:
            self._number_format = NumberFormat(options.decimal_mark)
        named = [
            (columns.entered, columns.entered_clock),
            (columns.left, columns.left_clock),
            (columns.bought, []),
            (columns.sold, []),
        ]
        times = [self._timestamp(row, *names) for _, row in table.rows for names in named if names[0]]
        days = [f"{table.text(row, columns.day)} 00:00" for _, row in table.rows if columns.day]
        self._order = (
            options.date_order
            or layout.date_order
            or detect_date_order([*times, *days], is_european=False, file=str(table.path))
        )
        self._is_fraction = layout.prices == "fractions"
        self._times = TimeParser(options.timezone, self._order, ascending=False)

    def line(self, line: int, cells: Sequence[str]) -> tuple[ReportLine, list[ReportedFill]]:
        """Return the stated amounts of a row, and its two fills."""
        columns, text = self._columns, self._table.text
        account = text(cells, columns.account) or self._account
        if not account:
            raise FormatError(f"{self._table.path}, line {line}: no account", "set it with --account")
        sides, times = self._sides(cells), self._entry_and_exit_time(line, cells)
        symbol = text(cells, columns.symbol) or self._table.title_above(line)
        instrument = instrument_of(self._table.path, line, symbol, max(times).date(), self._instruments)
        fills = self._fills(line, cells, account, instrument, sides, times)
        profit = self._amount(line, cells, columns.pnl) or ZERO
        fees = self._fees(line, cells)
        gross = _add_fees_back(profit, fees or ZERO, [one.fill for one in fills])
        says: dict[StatedQuantity, Decimal] = {"realized": gross}
        if fees is not None:
            says["paid"] = fees
        row = ReportLine(
            line=line,
            account=account,
            symbol=instrument.symbol,
            at=max(times),
            amounts=says,
            day=self._day(line, cells),
        )
        return row, [one for one in fills if one.fill.price is not None]

    def _fees(self, line: int, cells: Sequence[str]) -> Decimal | None:
        columns = self._columns
        paid = [self._amount(line, cells, names) for names in columns.fees]
        stated = [one for one in paid if one is not None]
        if not stated:
            return None
        if columns.fee_sign == "unsigned":
            return sum(map(abs, stated), ZERO)
        total = sum(stated, ZERO)
        return -total if columns.fee_sign == "negative" else total

    def _sides(self, cells: Sequence[str]) -> tuple[Side, Side]:
        if not self._columns.side:
            return Side.BUY, Side.SELL
        word = self._table.text(cells, self._columns.side).casefold()
        return (Side.SELL, Side.BUY) if word.startswith("s") else (Side.BUY, Side.SELL)

    def _entry_and_exit_time(self, line: int, cells: Sequence[str]) -> tuple[datetime, datetime]:
        columns = self._columns
        if columns.entered:
            return (
                self._time(line, cells, columns.entered, columns.entered_clock),
                self._time(line, cells, columns.left, columns.left_clock),
            )
        bought, sold = columns.bought, columns.sold
        return self._time(line, cells, bought, []), self._time(line, cells, sold, [])

    def _fills(
        self,
        line: int,
        cells: Sequence[str],
        account: str,
        instrument: Instrument,
        sides: tuple[Side, Side],
        times: tuple[datetime, datetime],
    ) -> list[ReportedFill]:
        """Return the fills with a valid price and a quantity; the earlier one is the opening fill."""
        columns = self._columns
        quantity = abs(self._amount(line, cells, columns.quantity) or ZERO)
        prices = (columns.entry or columns.buy_price, columns.exit or columns.sell_price)
        ids = (columns.buy_id, columns.sell_id)
        roles: tuple[Role, Role] = ("opening", "closing")
        if not columns.side and times[1] < times[0]:
            roles = ("closing", "opening")
        fills = []
        for side, at, price, names, role in zip(sides, times, prices, ids, roles, strict=True):
            value = self._price(cells, price)
            if value is None or not quantity:
                continue
            fill_id = self._table.text(cells, names) or None
            key = (
                execution_key(fill_id)
                if fill_id
                else content_key(
                    account=account,
                    symbol=instrument.symbol,
                    time=at,
                    side=side,
                    quantity=quantity,
                    price=value,
                    commission=ZERO,
                    occurrence=line,
                )
            )
            fill = Fill(
                account=account,
                symbol=instrument.symbol,
                time=at,
                side=side,
                quantity=quantity,
                price=value,
                commission=ZERO,
                multiplier=instrument.multiplier,
                currency=instrument.currency,
                key=key,
                fill_id=fill_id,
            )
            fills.append(ReportedFill(line, fill, role))
        return sorted(fills, key=lambda one: one.role == "closing")

    def _day(self, line: int, cells: Sequence[str]) -> date | None:
        text = self._table.text(cells, self._columns.day)
        day = date_in_text(text, self._order)
        if text and day is None:
            raise FormatError(
                f"{self._table.path}, line {line}: {self._columns.day[0]} {truncate(text, _SHOWN)!r} is no date",
                "set --date-order day-first or month-first",
            )
        return day

    def _timestamp(self, cells: Sequence[str], names: Sequence[str], clock: Sequence[str]) -> str:
        text = self._table.text
        return f"{text(cells, names)} {text(cells, clock)}".strip()

    def _time(self, line: int, cells: Sequence[str], names: Sequence[str], clock: Sequence[str]) -> datetime:
        try:
            return self._times.parse(self._timestamp(cells, names, clock))
        except TimeFormatError as error:
            where = f"{self._table.path}, line {line}"
            raise FormatError(f"{where}: {names[0]} {error.reason}", error.hint) from None

    def _amount(self, line: int, cells: Sequence[str], names: Sequence[str]) -> Decimal | None:
        name = next((n for n in names if self._table.places.place(n) is not None), "")
        return self._table.number(line, cells, name, self._number_format) if name else None

    def _price(self, cells: Sequence[str], names: Sequence[str]) -> Decimal | None:
        """Return a price, or None if the cell is not a number, which is not an error here."""
        text = self._table.text(cells, names)
        try:
            fraction = fraction_price(text) if self._is_fraction else None
            return self._number_format.parse(text) if fraction is None else fraction
        except (ValueError, RowError):
            return None


def _add_fees_back(profit: Decimal, fees: Decimal, fills: Sequence[Fill]) -> Decimal:
    """Return the profit before fees. The prices show whether a report states it after fees."""
    if len(fills) < 2:
        return profit
    value = sum(
        (one.price * (one.quantity if one.side is Side.SELL else -one.quantity) for one in fills), ZERO
    )
    return profit + fees if profit + fees == value * fills[0].multiplier else profit
