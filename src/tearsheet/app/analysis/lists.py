"""Paginated lists of fills, positions and rejections, newest first."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Literal

from msgspec import Struct, structs

from tearsheet.app.analysis.notes import NoteSummary, note_summaries
from tearsheet.app.analysis.unrealized import Unrealized, unrealized_of_position
from tearsheet.app.context import LedgerContext
from tearsheet.errors import UsageError
from tearsheet.performance.summary import Scope
from tearsheet.store.list_values import Page, PageCursor, TradeCursor, TradeFilter
from tearsheet.store.tables import pages
from tearsheet.store.tables.pages import RowRange
from tearsheet.store.tables.prices import Mark, Marks
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.trade_list import TradeList, TradeScope, spans_of
from tearsheet.trade.amount import ZERO, exact, ratio
from tearsheet.trade.event import CARRY, CASH, Event, EventKind, account_part
from tearsheet.trade.fill import Fill, Rejection, Side
from tearsheet.trade.position import Outcome, Position, outcome_of
from tearsheet.trade.session import Window

_CLOSED, _NO_NOTES = Unrealized(None), NoteSummary()
_NO_SIZE = Unrealized(None, "the trade log does not state what is left of it")


class PositionView(Struct, frozen=True, kw_only=True):
    """View of a position. Money is in `currency`; unknown values are None. `net` is gross − fees + carry.

    `return_on_entry` is net ÷ the value of all entries, of a closed position whose entries are known. `implied_exit` is
    the mean exit price that the logged result of a trade amounts to, where the log states the entry only.
    """

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
    carry: Decimal
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
    position_side: str | None = None
    closed_by: str | None = None
    note: str | None = None
    tags: tuple[str, ...] = ()
    return_on_entry: Decimal | None = None
    implied_exit: Decimal | None = None


FillSource = Literal["execution", "round_trip"]


class ListedFill(Fill, frozen=True, gc=False, kw_only=True):
    """Fill with what it was read from: a list of executions, or a row that holds both sides of a trade.

    `fee_stated`: whether that states the commission, which may be 0.
    """

    source: FillSource
    fee_stated: bool


class CashEvent(Struct, frozen=True, kw_only=True):
    """Money of an account: `amount` as it moved the balance, and what it `counts_as`, null for a credit.

    `held_at` is the instant that decided which position bears it, where that is not its time. `import_id` is the
    import that can be undone.
    """

    id: str | None
    time: datetime
    account: str
    kind: EventKind
    currency: str
    amount: Decimal
    counts_as: str | None
    symbol: str | None
    leg: str | None
    held_at: datetime | None
    note: str | None
    import_id: int


def _cash_event(event: Event, import_id: int) -> CashEvent:
    amount = event.amount or ZERO
    part = account_part(event.kind, amount)
    of_trades = "carry" if event.kind in CARRY else "fees" if event.kind.endswith("_fee") else "gross"
    counts_as = part[0] if part else None if event.kind in CASH else of_trades
    return CashEvent(
        id=event.fill_id,
        time=event.time,
        account=event.account,
        kind=event.kind,
        currency=event.currency,
        amount=amount,
        counts_as=counts_as,
        symbol=event.symbol or None,
        leg=event.position_side,
        held_at=event.terms.held_at,
        note=event.terms.note,
        import_id=import_id,
    )


class Lists:
    """Cursor-based pages of a ledger; each page starts after the last row of the previous page."""

    def __init__(self, context: LedgerContext) -> None:
        self._ledger = context.ledger
        self._currency = context.settings.currency
        self._context = context
        self._band = context.settings.breakeven_band

    def fills(self, window: Window, scope: Scope, number: int, after: PageCursor | None) -> Page[ListedFill]:
        """Return the fills of a window, newest first, without trade-log results. Raises UsageError."""
        with self._ledger.snapshot() as queries:
            page = pages.fills(queries, self._row_range(window, scope, after), number)
        listed = [
            ListedFill(
                **{**structs.asdict(fill), "commission": fill.commission or ZERO},
                source="round_trip" if fill.is_leg else "execution",
                fee_stated=fill.states_fee,
            )
            for fill in page.items
        ]
        return Page(listed, page.next)

    def cash(self, window: Window, scope: Scope, number: int, after: PageCursor | None) -> Page[CashEvent]:
        """Return money of accounts in a window, newest first: of trading and beside it. Raises UsageError."""
        with self._ledger.snapshot() as queries:
            page = pages.events_with_money(queries, self._row_range(window, scope, after), number)
        return Page([_cash_event(event, source) for event, source in page.items], page.next)

    def closed_trades(
        self, window: Window, scope: Scope, number: int, after: PageCursor | None, tag: str | None = None
    ) -> Page[PositionView]:
        """Return the positions closed in a window, newest first, optionally of one tag. Raises UsageError."""
        of = TradeScope(scope, None, spans_of(self._context.calendars, scope.account, _dated(window)))
        place = None if after is None else TradeCursor(None, after.time_us, str(after.id))
        with self._ledger.snapshot() as queries:
            found = TradeList(queries, of, TradeFilter(tag=tag), self._band)
            items, _, last = found.page(number, after=place)
            views = self._views(queries, items)
        return Page(views, None if last is None else PageCursor(last.time_us, last.id))

    def rejections(self, number: int, after: PageCursor | None) -> Page[Rejection]:
        """Return the rejected rows, newest first."""
        with self._ledger.snapshot() as queries:
            return pages.rejections(queries, after, number)

    def marks(self) -> list[Mark]:
        """Return the last known prices, by symbol."""
        with self._ledger.snapshot() as queries:
            return Marks(queries).all()

    def open_positions(self, scope: Scope, tag: str | None = None) -> list[PositionView]:
        """Return the open positions with unrealized P&L at their marks, optionally of one tag."""
        with self._ledger.snapshot() as queries:
            logged = queries.open_log_positions(scope, self._currency)
            views = self._views(queries, [*queries.open_positions(scope), *logged])
        return [view for view in views if tag is None or tag in view.tags]

    def _views(self, queries: Queries, positions: Sequence[Position]) -> list[PositionView]:
        marks, remarks = Marks(queries), note_summaries(queries, [p.id for p in positions])
        return [
            position_view(
                p,
                self._band,
                marks.get(p.symbol) if p.closed_at is None and p.fills else None,
                remarks.get(p.id),
            )
            for p in positions
        ]

    def _row_range(self, window: Window, scope: Scope, after: PageCursor | None) -> RowRange:
        calendars = self._context.calendars
        since, until = (
            calendars.start(scope.account, _dated(window).start),
            calendars.end(scope.account, window),
        )
        return RowRange(scope, since, until, after, partial(calendars.holds, window))


def _dated(window: Window) -> Window:
    """Return a window of dates. Raises UsageError for the last trades, which are no stretch of time."""
    if window.last_trades is not None:
        raise UsageError("rolling is not supported here", "use dates instead")
    return window


def position_view(
    p: Position, band: Decimal, mark: Mark | None = None, remark: NoteSummary | None = None
) -> PositionView:
    """Return the view of a position; the breakeven band decides its outcome."""
    closed = p.closed_at is not None
    # a bot's logged result has the price of one end only
    is_logged = closed and p.fills == 1
    entry_known, exit_known = (bool(v) or not is_logged for v in (p.entry_value, p.exit_value))
    its = _CLOSED if closed else unrealized_of_position(p, mark) if p.fills else _NO_SIZE
    remark = remark or _NO_NOTES
    with exact():
        return PositionView(
            id=p.id,
            account=p.account,
            symbol=p.symbol,
            currency=p.currency,
            side="long" if p.side.value == "BUY" else "short",
            state="closed" if closed else "open",
            outcome=outcome_of(p.net, band) if closed else None,
            opened_at=p.opened_at,
            closed_at=p.closed_at,
            last_fill_at=p.last_at,
            quantity=p.quantity,
            open_quantity=p.open_quantity,
            average_entry=p.average_entry if entry_known else None,
            average_exit=p.average_exit if exit_known else None,
            gross=p.gross,
            fees=p.fees,
            carry=p.carry,
            net=p.net,
            r_multiple=p.r_multiple if closed else None,
            stop_loss=p.stop_loss,
            target=p.target,
            mark=None if mark is None else mark.price,
            mark_at=None if mark is None else mark.time,
            unrealized_pnl=its.value,
            unrealized_reason=its.reason,
            strategy=p.strategy,
            mode=p.mode,
            fills=p.fills,
            position_side=p.position_side,
            closed_by=p.closed_by,
            note=remark.note,
            tags=remark.tags,
            return_on_entry=_return_on_entry(p) if closed and entry_known else None,
            implied_exit=_implied_exit(p) if is_logged and entry_known and not exit_known else None,
        )


def _implied_exit(p: Position) -> Decimal | None:
    """Return the exit price by which gross is what the log says, to 8 decimals; None for an inverse contract."""
    if p.is_inverse or not p.entry_value:
        return None
    gained = ratio(p.gross if p.side is Side.BUY else -p.gross, p.quantity * p.multiplier)
    entry = ratio(p.entry_value, p.quantity)
    return None if gained is None or entry is None else entry + gained


def _return_on_entry(p: Position) -> Decimal | None:
    """Return net ÷ entry value to 8 decimals; the entry value of an inverse contract is in its coin already."""
    if p.has_unknown_cost:
        return None
    return ratio(p.net, abs(p.entry_value if p.is_inverse else p.entry_value * p.multiplier))
