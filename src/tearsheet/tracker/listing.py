"""Long lists for people and programs: fills and positions, a page at a time, the newest first."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from tearsheet.errors import UsageError
from tearsheet.performance.summary import Scope
from tearsheet.store import pages
from tearsheet.store.marks import Mark, Marks
from tearsheet.store.pages import Page, Place, Span
from tearsheet.tracker.marking import Unrealized, unrealized
from tearsheet.tracker.tracking import PerformanceTracker
from tearsheet.trade.amount import exact
from tearsheet.trade.fill import Fill, Rejection
from tearsheet.trade.position import Outcome, Position, outcome_of
from tearsheet.trade.session import Window

__all__ = ["Lists", "Page", "Place", "PositionView"]

_UNKNOWN = Unrealized(None)


class PositionView(Struct, frozen=True, kw_only=True):
    """A position as it is shown. Money is in `currency`; what is not known is None."""

    id: str
    account: str
    symbol: str
    currency: str
    side: str
    state: Literal["open", "closed"]
    outcome: Outcome | None
    opened_at: datetime | None
    closed_at: datetime | None
    last_fill_at: datetime
    quantity: Decimal
    open_quantity: Decimal
    average_entry: Decimal | None
    average_exit: Decimal | None
    gross: Decimal
    fees: Decimal
    net: Decimal
    r_multiple: Decimal | None
    stop_loss: Decimal | None
    target: Decimal | None
    mark: Decimal | None = None
    mark_at: datetime | None = None
    unrealized_pnl: Decimal | None = None
    unrealized_reason: str | None = None
    strategy: str | None
    mode: str | None
    fills: int


class Lists:
    """Asks the ledger for pages; a page goes on after the last row of the one before."""

    def __init__(self, tracker: PerformanceTracker) -> None:
        self._ledger = tracker.ledger
        self._calendar = tracker.settings.calendar
        self._band = tracker.settings.breakeven_band

    def fills(self, window: Window, scope: Scope, number: int, after: Place | None) -> Page[Fill]:
        """Fills of a window, the newest first. Logged results are none. Raises UsageError."""
        with self._ledger.snapshot() as reading:
            return pages.fills(reading, self._span(window, scope, after), number)

    def closed(
        self, window: Window, scope: Scope, number: int, after: Place | None
    ) -> Page[PositionView]:
        """Positions closed in a window, the newest first. Raises UsageError."""
        with self._ledger.snapshot() as reading:
            found = pages.closed_positions(reading, self._span(window, scope, after), number)
        return Page([view_of(position, self._band) for position in found.items], found.next)

    def rejections(self, number: int, after: Place | None) -> Page[Rejection]:
        """Lines that could not be used, those read last first."""
        with self._ledger.snapshot() as reading:
            return pages.rejections(reading, after, number)

    def open(self, scope: Scope) -> list[PositionView]:
        """Open positions with what they would bring at their marks."""
        with self._ledger.snapshot() as reading:
            marks = Marks(reading)
            return [_open_view(p, marks.get(p.symbol)) for p in reading.open_positions(scope)]

    def _span(self, window: Window, scope: Scope, after: Place | None) -> Span:
        if window.last_trades is not None:
            raise UsageError("a list is of a stretch of time", "leave rolling out")
        since, until = self._calendar.start(window.start), self._calendar.start(window.end)
        return Span(scope, since, until, after)


def _open_view(position: Position, mark: Mark | None) -> PositionView:
    its = unrealized(position, mark)
    return view_of(position, Decimal(0), mark, its)


def view_of(
    p: Position, band: Decimal, mark: Mark | None = None, its: Unrealized = _UNKNOWN
) -> PositionView:
    """A position as it is shown; its outcome is told by the breakeven band."""
    closed = p.closed_at is not None
    with exact():
        return PositionView(
            id=p.id, account=p.account, symbol=p.symbol, currency=p.currency,
            side="long" if p.side.value == "BUY" else "short",
            state="closed" if closed else "open",
            outcome=outcome_of(p.net, band) if closed else None,
            opened_at=p.opened_at, closed_at=p.closed_at, last_fill_at=p.last_at,
            quantity=p.quantity, open_quantity=p.open_quantity, average_entry=p.average_entry,
            average_exit=p.average_exit, gross=p.gross, fees=p.fees, net=p.net,
            r_multiple=p.r_multiple if closed else None, stop_loss=p.stop_loss, target=p.target,
            mark=None if mark is None else mark.price, mark_at=None if mark is None else mark.time,
            unrealized_pnl=its.value, unrealized_reason=its.reason,
            strategy=p.strategy, mode=p.mode, fills=p.fills,
        )  # fmt: skip
