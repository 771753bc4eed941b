"""Previews of a change: it is made in a transaction, compared with the state before, and rolled back."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Generic, TypeVar

from msgspec import Struct

from tearsheet.performance.summary import Scope
from tearsheet.store.tables.columns import TallyRow
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.query_rows import ClosedCountRow
from tearsheet.store.tables.tallies import decode
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.position import signed_open_quantity

T = TypeVar("T")
AccountSymbol = tuple[str, str]
DayKey = tuple[date, str, str]


class DayChange(Struct, frozen=True):
    """Net P&L of an account on a trading day, before and after a change."""

    session: date
    account: str
    currency: str
    before: Decimal
    after: Decimal

    @property
    def change(self) -> Decimal:
        """The difference of both values."""
        with exact():
            return self.after - self.before


class PositionChange(Struct, frozen=True):
    """Open quantity (short is negative) and closed trades of an account and symbol, before and after a change."""

    account: str
    symbol: str
    open_before: Decimal
    open_after: Decimal
    closed_before: int
    closed_after: int


class Preview(Struct, frozen=True):
    """Report of a change, and every day and position that it changes."""

    report: Any
    days: list[DayChange]
    positions: list[PositionChange]


class _Snapshot(Struct, frozen=True):
    days: Mapping[DayKey, Decimal]
    open: Mapping[AccountSymbol, Decimal]
    closed: Mapping[AccountSymbol, int]


class _PreviewDone(Exception, Generic[T]):  # noqa: N818 - raised to leave the transaction
    """Carries the result out of a transaction that is rolled back."""

    def __init__(self, report: T, after: _Snapshot) -> None:
        super().__init__()
        self.report = report
        self.after = after


def preview_change(ledger: Ledger, change: Callable[[], object]) -> Preview:
    """Return what a change would do; its transaction is rolled back."""
    try:
        with ledger.writing():
            before = _snapshot(ledger)
            report = change()
            raise _PreviewDone(report, _snapshot(ledger))
    except _PreviewDone as seen:
        return _diff(seen.report, before, seen.after)


def _snapshot(ledger: Ledger) -> _Snapshot:
    queries = ledger.queries
    days = {}
    with exact():
        for row in queries.rows(TallyRow, "days_of_accounts"):
            days[date.fromisoformat(row.session), row.account, row.currency] = decode(row.body).curve.net
        held = {(p.account, p.symbol): signed_open_quantity(p) for p in queries.open_positions(Scope())}
    counts = queries.rows(ClosedCountRow, "closed_of_streams")
    closed = {(row.account, row.symbol): row.closed for row in counts}
    return _Snapshot(days, held, closed)


def _diff(report: object, before: _Snapshot, after: _Snapshot) -> Preview:
    days = [
        DayChange(*key, before.days.get(key, ZERO), after.days.get(key, ZERO))
        for key in sorted(before.days.keys() | after.days.keys())
        if before.days.get(key) != after.days.get(key)
    ]
    positions = [
        PositionChange(
            *key,
            before.open.get(key, ZERO),
            after.open.get(key, ZERO),
            before.closed.get(key, 0),
            after.closed.get(key, 0),
        )
        for key in sorted(before.closed.keys() | after.closed.keys())
        if (before.open.get(key), before.closed.get(key)) != (after.open.get(key), after.closed.get(key))
    ]
    return Preview(report, days, positions)
