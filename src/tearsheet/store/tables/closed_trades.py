"""Closed positions of a period, reduced to what breakdowns and charts use.

One chart may read 100,000 positions, so only the columns in use are converted.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from tearsheet.performance.closed_trade import ClosedTrade
from tearsheet.performance.summary import Scope
from tearsheet.store.tables.columns import PositionRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.rows import position_from_row
from tearsheet.trade.amount import exact
from tearsheet.trade.position import Position, log_place, outcome_of
from tearsheet.trade.session import AccountCalendars, Window, from_micros, to_micros

_SIDES = {"BUY": "long", "SELL": "short"}


class ClosedTradeQuery:
    """Query for closed trades with their trading day and outcome."""

    def __init__(self, calendars: AccountCalendars, band: Decimal) -> None:
        self._calendars = calendars
        self._band = band

    def within(self, queries: Queries, scope: Scope, currency: str, window: Window) -> list[ClosedTrade]:
        """Return trades of a scope and currency closed in a window of sessions, in order."""
        account, calendars = scope.account, self._calendars
        span = (to_micros(calendars.start(account, window.start)), to_micros(calendars.end(account, window)))
        name, bounds = ("all", span) if account is None else ("account", (account, *span))
        with exact():
            positions = queries.stream(PositionRow, f"closed_{name}", bounds)
            found = self._select(sorted(positions, key=_order), scope, currency)
            if not calendars.own:
                return list(found)
            of_window = (one for one in found if window.start <= one.session < window.end)
            return sorted(of_window, key=lambda one: one.session)

    def to_closed_trade(self, position: Position) -> ClosedTrade:
        """Return the closed trade of a position."""
        with exact():
            return self._make_closed_trade(
                position.id,
                position.account,
                position.symbol,
                position.strategy,
                position.side.value,
                position.closed_at or position.last_at,
                position.held,
                position.quantity,
                position.net,
                position.r_multiple,
            )

    def _select(self, positions: Iterable[PositionRow], scope: Scope, currency: str) -> Iterator[ClosedTrade]:
        strategy, symbol, mode = scope.strategy, scope.symbol, scope.mode
        for row in positions:
            if (
                row.currency != currency
                or strategy not in (None, row.strategy)
                or symbol not in (None, row.symbol)
                or mode not in (None, row.mode)
            ):
                continue
            yield self._make_closed_trade(
                row.id,
                row.account,
                row.symbol,
                row.strategy,
                row.side,
                from_micros(row.closed_us or row.last_us),
                None if row.held_us is None else timedelta(microseconds=row.held_us),
                Decimal(row.quantity),
                Decimal(row.gross) - Decimal(row.fees) + Decimal(row.carry or 0),
                None if row.stop_loss is None else position_from_row(row).r_multiple,
            )

    def _make_closed_trade(
        self,
        identity: str,
        account: str,
        symbol: str,
        strategy: str | None,
        side: str,
        at: datetime,
        held: timedelta | None,
        quantity: Decimal,
        net: Decimal,
        r: Decimal | None,
    ) -> ClosedTrade:
        return ClosedTrade(
            identity,
            account,
            symbol,
            strategy,
            _SIDES[side],  # type: ignore[arg-type]
            at,
            self._calendars.trading_day_of(account, at),
            at.astimezone(self._calendars.of(account).timezone).hour,
            held,
            quantity,
            net,
            r,
            outcome_of(net, self._band),
        )


def _order(row: PositionRow) -> tuple[int, str, int, str, int, str]:
    """Sort key of closed positions, the same order as `rows.in_closing_order`."""
    closed_us = row.last_us if row.closed_us is None else row.closed_us
    return closed_us, row.account, log_place(row.last_rank), row.symbol, row.last_rank, row.id
