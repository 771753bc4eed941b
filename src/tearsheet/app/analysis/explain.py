"""Explanation of a metric: the bookings, positions and fills behind it, which sum to it exactly."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from tearsheet.app.analysis.base_view import builder_for
from tearsheet.app.analysis.summaries import WindowRows
from tearsheet.app.context import LedgerContext
from tearsheet.app.reports import ExplainedFill, ExplainedTrade, Explanation, FillPlace, ReplacedFill
from tearsheet.errors import NotFoundError
from tearsheet.performance.metric import METRICS
from tearsheet.performance.summary import PerformanceSummary, Scope, SessionRate
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.query_rows import SupersededClaimRow, SupersedingClaimRow
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.event import ACCOUNT_PARTS, AccountPart
from tearsheet.trade.position import Booking, Outcome, Position, outcome_of
from tearsheet.trade.session import AccountCalendars, Window, from_micros, to_micros

_Contribution = Callable[[Booking], Decimal]
_ON_BOOKINGS: dict[str, _Contribution] = {
    "net_pnl": lambda b: b.net,
    "fees": lambda b: b.fees,
    "carry": lambda b: b.carry,
    "quantity_traded": lambda b: abs(b.quantity) if b.event is None else ZERO,
    "max_drawdown": lambda b: b.net,
    "average_daily_pnl": lambda b: b.net,
    "best_day": lambda b: b.net,
    "worst_day": lambda b: b.net,
    "winning_days": lambda b: b.net,
}


def _part_of(name: AccountPart) -> _Contribution:
    def amount(booking: Booking) -> Decimal:
        part = booking.account_part
        return part[1] if part is not None and part[0] == name else ZERO

    return amount


#: Metrics of the account: each booking adds what it made, what it was, or what it did to the balance.
_OF_ACCOUNT: dict[str, _Contribution] = {
    "result": lambda b: b.result,
    **{part: _part_of(part) for part in ACCOUNT_PARTS},
    "balance": lambda b: b.net + (b.cash if b.account_part is not None else ZERO),
}
_ON_BOOKINGS |= _OF_ACCOUNT
_BOOKING_SUMS = {"net_pnl", "fees", "carry", "quantity_traded", "result", *ACCOUNT_PARTS}
_POSITION_SUMS: dict[str, tuple[tuple[Outcome, ...], bool]] = {
    # metric: outcomes included, and whether positions are counted rather than their P&L summed
    "total_trades": (("win", "loss", "breakeven"), True),
    "winning_trades": (("win",), True),
    "losing_trades": (("loss",), True),
    "breakeven_trades": (("breakeven",), True),
    "closed_pnl": (("win", "loss", "breakeven"), False),
    "gross_profit": (("win",), False),
    "gross_loss": (("loss",), False),
}


def explain(
    context: LedgerContext,
    metric: str,
    window: Window,
    scope: Scope = Scope(),
    currency: str | None = None,
    base: str | None = None,
) -> Explanation:
    """Return the bookings, positions and fills behind a metric, without a sync.

    Raises NotFoundError for an unknown metric, MixedCurrencyError, StoreError.
    """
    settings = context.settings
    with context.ledger.snapshot():
        builder = builder_for(context, base)
        summary = builder.summary(window, scope, currency)
        rows = builder.rows(window, scope, summary.currency)
        terms = ExplanationBuilder(
            context.ledger, settings.breakeven_band, context.calendars, builder.rate_of
        )
        return _explain(context.ledger, metric, summary, rows, terms)


def explain_trade(context: LedgerContext, identity: str) -> ExplainedTrade:
    """Return a position with its bookings and the places of their fills. Raises NotFoundError."""
    settings = context.settings
    with context.ledger.snapshot() as queries:
        position = queries.position(identity)
        if position is None:
            raise NotFoundError(f"no trade {identity!r}", "`tearsheet positions` lists them")
        terms = ExplanationBuilder(context.ledger, settings.breakeven_band, context.calendars)
        return terms.trade(position)


def _explain(
    ledger: Ledger, metric: str, summary: PerformanceSummary, rows: WindowRows, terms: "ExplanationBuilder"
) -> Explanation:
    row = METRICS.get(metric)
    if row is None:
        raise NotFoundError(f"no metric {metric!r}", f"known metrics: {', '.join(METRICS)}")
    on_bookings = metric in _ON_BOOKINGS
    booked = sorted((*rows.bookings, *rows.cash), key=_order) if metric in _OF_ACCOUNT else rows.bookings
    bookings = terms.bookings(booked, _ON_BOOKINGS[metric]) if on_bookings else ()
    if metric in _OF_ACCOUNT:
        bookings = tuple(one for one in bookings if one.adds or (one.position_id and metric == "result"))
    positions = () if on_bookings else terms.positions(rows.closed, metric)
    with exact():
        total = sum([b.adds for b in bookings] + [p.adds for p in positions], ZERO)
    return Explanation(
        metric=metric,
        label=row.label,
        words=row.description,
        window=summary.window.label,
        currency=summary.currency,
        value=summary.metrics[metric],
        basis="bookings" if on_bookings else "positions",
        is_sum=metric in _BOOKING_SUMS or metric in _POSITION_SUMS,
        total=total,
        bookings=bookings,
        positions=positions,
        superseded=_replaced_fills(ledger, summary),
    )


def _order(booking: Booking) -> tuple[object, ...]:
    return booking.order


def _replaced_fills(ledger: Ledger, summary: PerformanceSummary) -> tuple[ReplacedFill, ...]:
    """Return the fills that corrections and busts superseded, in the window and scope of a summary."""
    span = (to_micros(summary.window.starts_at), to_micros(summary.window.ends_at))
    scope = (summary.scope.account, summary.scope.symbol)
    terms = []
    for row in ledger.queries.rows(SupersededClaimRow, "superseded_claims", (*span, *scope)):
        by = ledger.queries.row(SupersedingClaimRow, "superseding_claims", (row.account, row.key))
        if by is None:
            continue
        terms.append(
            ReplacedFill(
                from_micros(row.time_us),
                row.account,
                row.symbol,
                row.side,
                Decimal(row.quantity),
                Decimal(row.price),
                Decimal(row.commission),
                row.fill_id,
                FillPlace(row.file, row.line),
                by.status,
                FillPlace(by.file, by.line),
                from_micros(by.read_at),
            )
        )
    return tuple(terms)


class ExplanationBuilder:
    """Builder of the terms of an explanation, with the file and line of each fill."""

    def __init__(
        self,
        ledger: Ledger,
        band: Decimal,
        calendars: AccountCalendars,
        rate_of: Callable[[Booking], SessionRate | None] = lambda booking: None,
    ) -> None:
        self._ledger = ledger
        self._rate_of = rate_of
        self._band = band
        self._calendars = calendars

    def bookings(self, bookings: Iterable[Booking], adds: _Contribution) -> tuple[ExplainedFill, ...]:
        """Return bookings with the contribution of each, and the places of its fill."""
        with exact():
            return tuple(self._explained_fill(b, adds(b), self._rate_of(b)) for b in bookings)

    def positions(self, closed: Iterable[Position], metric: str) -> tuple[ExplainedTrade, ...]:
        """Return the positions that a metric includes, with the contribution of each."""
        outcomes, counted = _POSITION_SUMS.get(metric, (("win", "loss", "breakeven"), False))
        terms = []
        with exact():
            for position in closed:
                net = position.net
                outcome = outcome_of(net, self._band)
                if outcome in outcomes:
                    adds = Decimal(1) if counted else net
                    terms.append(self._explained_trade(position, net, outcome, adds))
        return tuple(terms)

    def trade(self, position: Position) -> ExplainedTrade:
        """Return a position with its bookings."""
        with exact():
            net = position.net
            return self._explained_trade(position, net, outcome_of(net, self._band), net)

    def _explained_trade(self, p: Position, net: Decimal, outcome: Outcome, adds: Decimal) -> ExplainedTrade:
        its = self._ledger.queries.bookings_of(p.id)
        return ExplainedTrade(
            p.id,
            p.account,
            p.symbol,
            p.side.value,
            p.opened_at,
            p.closed_at,
            p.quantity,
            p.gross,
            p.fees,
            p.carry,
            net,
            outcome,
            adds,
            tuple(self._explained_fill(b, b.net, None) for b in its),
        )

    def _explained_fill(self, b: Booking, adds: Decimal, rate: SessionRate | None) -> ExplainedFill:
        return ExplainedFill(
            str(self._calendars.trading_day_of(b.account, b.time)),
            b.time,
            b.account,
            b.symbol,
            b.position_id,
            b.fill_key,
            b.quantity,
            b.price,
            b.gross,
            b.fees,
            b.carry,
            b.event,
            b.net,
            adds,
            self._fill_places(b),
            rate,
        )

    def _fill_places(self, b: Booking) -> tuple[FillPlace, ...]:
        found = self._ledger.sources.places(b.account, b.fill_key)
        return tuple(FillPlace(file, line) for file, line in found)
