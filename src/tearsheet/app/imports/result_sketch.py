"""Results of statements by themselves, without a ledger: what the sample would look like."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from tearsheet.settings import Settings
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import open_statement
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, FillRevision
from tearsheet.trade.position import Book


class ResultSketch(Struct, frozen=True):
    """Net P&L of closed trades: its running total by trading day, and the numbers of trades and days."""

    totals: tuple[Decimal, ...]
    trades: int

    @property
    def days(self) -> int:
        """The number of days on which a trade was closed."""
        return len(self.totals)


def sketch_results(paths: Sequence[Path], settings: Settings, options: StatementOptions) -> ResultSketch:
    """Return what the fills of some statements come to. Raises InputError, FormatError."""
    instruments = load_instruments(None, settings.currency)
    fills = [
        row
        for path in paths
        for row in open_statement(path, instruments, options).rows()
        if isinstance(row, Fill) and not isinstance(row, FillRevision | Event)
    ]
    book = Book()
    book.book_all(sorted(fills, key=lambda one: one.order))
    nets: dict[date, Decimal] = defaultdict(lambda: ZERO)
    totals, total = [], ZERO
    with exact():
        for position in book.closed:
            assert position.closed_at is not None
            nets[settings.calendar.trading_day_of(position.closed_at)] += position.net
        for day in sorted(nets):
            total += nets[day]
            totals.append(total)
    return ResultSketch(tuple(totals), len(book.closed))
