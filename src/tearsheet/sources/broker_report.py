"""Reads what a broker says it all came to: realised results, fees, positions and balances, to compare with.

Such reports are no fills; they are recognised as the layouts that are refused as fills, and by the
header of the generic form.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from tearsheet.errors import FormatError
from tearsheet.sources.catalogue import all_layouts
from tearsheet.sources.csv_rows import CsvGrid
from tearsheet.sources.layout import folded, header_places
from tearsheet.sources.lines import shown
from tearsheet.sources.recognition import header_rows, recognise, sniff
from tearsheet.sources.statement import StatementOptions
from tearsheet.sources.table import Grid
from tearsheet.sources.text import NumberForm, number_form
from tearsheet.sources.times import TimeReader, TimeTextError, date_order
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.instrument import Instruments, UnknownInstrument

GENERIC = "generic_statement"
_NEEDED = ("account", "date")
_AMOUNTS = ("realized_pnl", "fees", "position", "balance")
_EXAMPLE = "account,date,symbol,realized_pnl,fees,position,balance"


class Leg(Struct, frozen=True):
    """A fill that a broker's report rests on: its id, or when it was and at which price."""

    side: str
    quantity: Decimal
    price: Decimal | None
    at: datetime
    fill_id: str | None


class ReportLine(Struct, frozen=True, kw_only=True):
    """A line of a report. What it does not say is None; `realized` is before fees.

    One of a round trip has the instant of its closing and both legs; others have a day.
    """

    line: int
    account: str
    symbol: str | None
    day: date | None = None
    at: datetime | None = None
    realized: Decimal | None = None
    fees: Decimal | None = None
    position: Decimal | None = None
    balance: Decimal | None = None
    opening: Leg | None = None
    closing: Leg | None = None


class BrokerReport(Struct, frozen=True):
    """A report that was read: its format, and its lines."""

    layout: str
    lines: list[ReportLine]


class _Round(Struct, frozen=True):
    """The columns of a report of round trips."""

    symbol: Sequence[str]
    quantity: Sequence[str]
    pnl: Sequence[str]
    fees: Sequence[str] = ()
    account: Sequence[str] = ()
    side: Sequence[str] = ()
    entry: Sequence[str] = ()
    exit: Sequence[str] = ()
    entered: Sequence[str] = ()
    left: Sequence[str] = ()
    bought: Sequence[str] = ()
    sold: Sequence[str] = ()
    buy_price: Sequence[str] = ()
    sell_price: Sequence[str] = ()
    buy_id: Sequence[str] = ()
    sell_id: Sequence[str] = ()


_ROUNDS = {
    "ninjatrader_performance": _Round(
        ["Instrument"], ["Qty"], ["Profit"],
        fees=["Commission", "Clearing Fee", "Exchange Fee", "IP Fee", "NFA Fee"],
        account=["Account"], side=["Market pos."], entry=["Entry price"], exit=["Exit price"],
        entered=["Entry time"], left=["Exit time"],
    ),
    "tradovate_performance": _Round(
        ["symbol", "Contract"], ["qty", "Paired Qty"], ["pnl", "P/L"], account=["Account"],
        bought=["boughtTimestamp", "Bought Timestamp"], sold=["soldTimestamp", "Sold Timestamp"],
        buy_price=["buyPrice", "Buy Price"], sell_price=["sellPrice", "Sell Price"],
        buy_id=["buyFillId", "Buy Fill ID"], sell_id=["sellFillId", "Sell Fill ID"],
    ),
    "projectx_trades": _Round(
        ["ContractName"], ["Size"], ["PnL"], fees=["Fees", "Commissions"], account=["AccountName"],
        side=["Type"], entry=["EntryPrice"], exit=["ExitPrice"], entered=["EnteredAt"],
        left=["ExitedAt"],
    ),
}  # fmt: skip


def read_report(path: Path, instruments: Instruments, options: StatementOptions) -> BrokerReport:
    """Read a broker's report. Raises InputError where it cannot be read, FormatError where it is none."""
    sniffed = sniff(path)
    if sniffed.kind == "csv":
        for number, separator, header in header_rows(path, sniffed.encoding):
            names = {folded(cell) for cell in header}
            if names.issuperset(_NEEDED) and names & {*_AMOUNTS}:
                grid = CsvGrid(path, sniffed.encoding, separator)
                table = _Table(path, grid, header, number, separator)
                return BrokerReport(GENERIC, _generic(table, instruments, options))
    found = recognise(path, all_layouts(options.layouts), options.layout, {}, None)
    rounds = _ROUNDS.get(found.layout.name)
    if rounds is None:
        raise FormatError(
            f"{path}: {found.layout.title} cannot be compared with",
            f"known are {', '.join(_ROUNDS)}, and a CSV with the columns {_EXAMPLE}",
        )
    table = _Table(
        path, found.grid, found.shape.header, found.shape.header_line, found.shape.separator
    )
    return BrokerReport(found.layout.name, _Rounds(table, rounds, instruments, options).lines())


class _Table:
    """The rows of a report below its header, each with its line."""

    def __init__(
        self, path: Path, grid: Grid, header: Sequence[str], header_line: int, separator: str
    ) -> None:
        self.path = path
        self.places = header_places(header)
        self.separator = separator or ","
        self.rows: list[tuple[int, list[str]]] = []
        for cells, problem in grid.rows(header_line):
            if problem is not None:
                raise FormatError(f"{path}, line {grid.line}: {problem.reason}", problem.hint)
            if "".join(cells).strip():
                self.rows.append((grid.line, cells))
        if not self.rows:
            raise FormatError(f"{path}: there is no row below its header", "export it again")

    def text(self, cells: Sequence[str], names: Sequence[str]) -> str:
        """The cell of the first of some columns that the table has."""
        for name in names:
            place = self.places.get(folded(name))
            if place is not None and place < len(cells):
                return cells[place].strip()
        return ""

    def form(self, names: Sequence[str]) -> NumberForm:
        """How its numbers are written."""
        cells = [self.text(row, [name]) for _, row in self.rows for name in names]
        return number_form(cells, cells, self.separator, str(self.path))

    def number(
        self, line: int, cells: Sequence[str], name: str, form: NumberForm
    ) -> Decimal | None:
        """The number in a column, None where it is empty. Raises FormatError."""
        text = self.text(cells, [name])
        try:
            return form.parse(text) if text else None
        except ValueError as error:
            raise FormatError(f"{self.path}, line {line}: {name} {error}", "correct it") from None


def _generic(
    table: _Table, instruments: Instruments, options: StatementOptions
) -> list[ReportLine]:
    form = (
        table.form(_AMOUNTS) if options.decimal_mark is None else NumberForm(options.decimal_mark)
    )
    lines = []
    for line, cells in table.rows:
        account = table.text(cells, ["account"]) or options.account
        text = table.text(cells, ["date"])
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise FormatError(
                f"{table.path}, line {line}: date {shown(text, 40)!r} is none", "write YYYY-MM-DD"
            ) from None
        if not account:
            raise FormatError(f"{table.path}, line {line}: account is empty", "say --account")
        amounts = {name: table.number(line, cells, name, form) for name in _AMOUNTS}
        symbol = table.text(cells, ["symbol"])
        lines.append(ReportLine(
            line=line, account=account, day=day, realized=amounts["realized_pnl"],
            symbol=_symbol(table.path, line, symbol, day, instruments)[0] if symbol else None,
            fees=amounts["fees"], position=amounts["position"], balance=amounts["balance"],
        ))  # fmt: skip
    return lines


def _symbol(
    path: Path, line: int, text: str, day: date, instruments: Instruments
) -> tuple[str, Decimal]:
    found = instruments.resolve(text, day)
    if isinstance(found, UnknownInstrument):
        raise FormatError(f"{path}, line {line}: {found.reason}", found.hint)
    return found.symbol, found.multiplier


class _Rounds:
    """The lines of a report of round trips."""

    def __init__(
        self, table: _Table, columns: _Round, instruments: Instruments, options: StatementOptions
    ) -> None:
        if options.timezone is None:
            raise FormatError(
                f"{table.path}: its times are local, and it does not say of where",
                "say which with --timezone, such as --timezone America/Chicago",
            )
        self._table, self._columns = table, columns
        self._instruments, self._account = instruments, options.account
        numbers = (*columns.pnl, *columns.fees, *columns.quantity)
        self._form = table.form(numbers)
        if options.decimal_mark is not None:
            self._form = NumberForm(options.decimal_mark)
        names = [n for n in (columns.entered, columns.left, columns.bought, columns.sold) if n]
        times = [table.text(row, name) for _, row in table.rows for name in names]
        order = options.date_order or date_order(times, is_european=False, file=str(table.path))
        self._times = TimeReader(options.timezone, order, ascending=False)

    def lines(self) -> list[ReportLine]:
        """Every round trip."""
        with exact():
            return [self._line(line, cells) for line, cells in self._table.rows]

    def _line(self, line: int, cells: Sequence[str]) -> ReportLine:
        columns, text = self._columns, self._table.text
        account = text(cells, columns.account) or self._account
        if not account:
            raise FormatError(
                f"{self._table.path}, line {line}: it does not say whose trades these are",
                "say whose with --account",
            )
        opening, closing = self._legs(line, cells)
        day = closing.at.date()
        symbol, multiplier = _symbol(
            self._table.path, line, text(cells, columns.symbol), day, self._instruments
        )
        profit = self._amount(line, cells, columns.pnl) or ZERO
        paid = [self._amount(line, cells, [name]) for name in columns.fees]
        fees = sum((one for one in paid if one is not None), ZERO) if columns.fees else None
        gross = _before_fees(profit, fees or ZERO, opening, closing, multiplier)
        return ReportLine(
            line=line, account=account, symbol=symbol, at=closing.at, realized=gross, fees=fees,
            opening=opening, closing=closing,
        )  # fmt: skip

    def _legs(self, line: int, cells: Sequence[str]) -> tuple[Leg, Leg]:
        columns = self._columns
        quantity = self._amount(line, cells, columns.quantity) or ZERO
        if columns.side:
            is_short = self._table.text(cells, columns.side).casefold().startswith("s")
            sides = ("SELL", "BUY") if is_short else ("BUY", "SELL")
            prices, times = (columns.entry, columns.exit), (columns.entered, columns.left)
            ids: tuple[Sequence[str], Sequence[str]] = ((), ())
        else:
            sides = ("BUY", "SELL")
            prices = (columns.buy_price, columns.sell_price)
            times, ids = (columns.bought, columns.sold), (columns.buy_id, columns.sell_id)
        one, other = (
            Leg(
                side, quantity, self._price(cells, price), self._time(line, cells, time),
                self._table.text(cells, fill_id) or None,
            )
            for side, price, time, fill_id in zip(sides, prices, times, ids, strict=True)
        )  # fmt: skip
        return (one, other) if columns.side or one.at <= other.at else (other, one)

    def _time(self, line: int, cells: Sequence[str], names: Sequence[str]) -> datetime:
        try:
            return self._times.read(self._table.text(cells, names))
        except TimeTextError as error:
            where = f"{self._table.path}, line {line}"
            raise FormatError(f"{where}: {names[0]} {error.reason}", error.hint) from None

    def _amount(self, line: int, cells: Sequence[str], names: Sequence[str]) -> Decimal | None:
        name = next((n for n in names if folded(n) in self._table.places), "")
        return self._table.number(line, cells, name, self._form) if name else None

    def _price(self, cells: Sequence[str], names: Sequence[str]) -> Decimal | None:
        """A price, None where it is written in fractions: it then tells nothing here."""
        try:
            return self._form.parse(self._table.text(cells, names))
        except ValueError:
            return None


def _before_fees(
    profit: Decimal, fees: Decimal, opening: Leg, closing: Leg, multiplier: Decimal
) -> Decimal:
    """A profit before fees: some reports state it after them, which the prices tell."""
    if opening.price is None or closing.price is None:
        return profit
    sign = 1 if opening.side == "BUY" else -1
    points = (closing.price - opening.price) * opening.quantity * sign
    return profit + fees if profit + fees == points * multiplier else profit
