"""The closed positions of a stretch, reduced to what groups and sorted lists ask of them.

A hundred thousand positions are read for one chart, so no more of a row is made into values than
is used.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from tearsheet.performance.closed_trade import ClosedTrade
from tearsheet.performance.summary import Scope
from tearsheet.store.tables import rows
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.amount import exact
from tearsheet.trade.position import Position, outcome_of
from tearsheet.trade.session import TradingCalendar, from_micros, to_micros

_SIDES = {"BUY": "long", "SELL": "short"}


class ClosedTradeQuery:
    """Makes closings, by the trading day and the breakeven band."""

    def __init__(self, calendar: TradingCalendar, band: Decimal) -> None:
        self._calendar = calendar
        self._zone = calendar.timezone
        self._band = band

    def between(
        self, queries: Queries, scope: Scope, currency: str, since: datetime, until: datetime
    ) -> list[ClosedTrade]:
        """Those of a scope and currency that closed in `[since, until)`, in order."""
        span = (to_micros(since), to_micros(until))
        account = scope.account
        name, bounds = ("all", span) if account is None else ("account", (account, *span))
        with exact():
            found = list(self._read(queries.execute(f"closed_{name}", bounds), scope, currency))
        found.sort(key=_order)
        return found

    def to_closed_trade(self, position: Position) -> ClosedTrade:
        """The closing of a position."""
        with exact():
            return self._make_closed_trade(
                position.id,
                position.account,
                position.symbol,
                position.strategy,
                position.side.value,
                position.last_at,
                position.held,
                position.quantity,
                position.net,
                position.r_multiple,
            )

    def _read(self, found: Iterable[rows.Row], scope: Scope, currency: str) -> Iterator[ClosedTrade]:
        strategy, symbol, mode = scope.strategy, scope.symbol, scope.mode
        for row in found:
            if (
                row[3] != currency
                or strategy not in (None, row[20])
                or symbol not in (None, row[2])
                or mode not in (None, row[24])
            ):
                continue
            held = None if row[25] is None else timedelta(microseconds=row[25])
            multiple = None if row[21] is None else rows.position_from_row(row).r_multiple
            yield self._make_closed_trade(
                row[0],
                row[1],
                row[2],
                row[20],
                row[5],
                from_micros(row[8]),
                held,
                Decimal(row[11]),
                Decimal(row[17]) - Decimal(row[18]),
                multiple,
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
            self._calendar.trading_day_of(at),
            at.astimezone(self._zone).hour,
            held,
            quantity,
            net,
            r,
            outcome_of(net, self._band),
        )


def _order(closing: ClosedTrade) -> tuple[datetime, str]:
    """The order in which pages of closed positions follow each other."""
    return closing.closed_at, closing.id
