"""Curves as they are drawn: by fill for about a month, by day beyond, and the worst drawdowns of a window."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import accumulate

from msgspec import structs

from tearsheet.app.analysis.charts import Selection
from tearsheet.app.analysis.summaries import summary_builder
from tearsheet.app.context import LedgerContext
from tearsheet.performance.drawdowns import Drawdown, worst_drawdowns
from tearsheet.performance.metric import METRICS, MetricInput, compute
from tearsheet.performance.series import DailyPoint, DrawnCurve, daily_curve, points_by_day, points_by_fill
from tearsheet.performance.tally import Tally
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.position import Booking
from tearsheet.trade.session import DAY, Window

#: A range of more days is drawn by day.
_DAYS_BY_FILL = 31
#: So is one with more fills, unless it is a single day.
_MOST_FILLS = 20_000
#: A rolling line has at most about this many points.
_MOST_POINTS = 260


class Curves:
    """Queries for pictures of cumulative P&L; each reads one snapshot of the ledger."""

    def __init__(self, context: LedgerContext) -> None:
        self._ledger = context.ledger
        self._summaries = summary_builder(context)
        self._calendars = context.calendars
        self._settings = context.settings

    def between(
        self, chosen: Selection, start: datetime, end: datetime, *, as_results: bool = False
    ) -> DrawnCurve:
        """Return the fills of a part of a day, on top of those before it; days if it is of several days."""
        day_of, account = self._calendars.trading_day_of, chosen.scope.account
        first, last = day_of(account, start), day_of(account, end)
        curve = self.drawn(chosen, Window.between(first, last), as_results=as_results)
        return _within(curve, start, end) if first == last else curve

    def drawn(self, chosen: Selection, zoom: Window | None = None, *, as_results: bool = False) -> DrawnCurve:
        """Return the curve of a selection, or of a part of it; a zoom beyond its window widens the window.

        Where there is a balance it is of equity, with flows; `as_results` it is of net P&L all the same.
        """
        with self._ledger.snapshot():
            currency = self._summaries.currency(chosen.window, chosen.scope, chosen.currency)
            window = chosen.window if zoom is None else _hull(chosen.window, zoom)
            sessions = self._summaries.sessions(window, chosen.scope, currency)
            own = Selection(window, chosen.scope, currency)
            balance = None if as_results else self._starting_balance(own)
            of_account = balance is not None
            days = daily_curve(sessions, of_account=of_account)
            shown = [day for day in days if zoom is None or zoom.start <= day.session <= zoom.last_day]
            before = [day for day in days if zoom is not None and day.session < zoom.start]
            start = before[-1].total if before else ZERO
            if not shown:
                return DrawnCurve((), start, (), False)
            fills = sum(
                tally.fills for day, tally in sessions if shown[0].session <= day <= shown[-1].session
            )
            if not _fits_by_fill(shown, fills):
                flows = _flows(sessions) if of_account else {}
                return DrawnCurve(points_by_day(shown, flows), start, self._sessions(shown), False, balance)
            fallen = before[-1].drawdown if before else ZERO
            bookings = self._bookings(Selection(window, chosen.scope, currency), shown, of_account=of_account)
            points = points_by_fill(
                bookings, self._places(chosen.scope.account), start, start + fallen, of_account=of_account
            )
            return DrawnCurve(points, start, self._sessions(shown), True, balance, fallen)

    def starting_balance(self, chosen: Selection) -> Decimal | None:
        """Return the balance before a window; None where nobody states one."""
        with self._ledger.snapshot():
            currency = self._summaries.currency(chosen.window, chosen.scope, chosen.currency)
            return self._starting_balance(Selection(chosen.window, chosen.scope, currency))

    def history(self, chosen: Selection) -> tuple[DailyPoint, ...]:
        """Return the days of a selection as `drawn` shows them: of equity where there is a balance."""
        with self._ledger.snapshot():
            currency = self._summaries.currency(chosen.window, chosen.scope, chosen.currency)
            balance = self._starting_balance(Selection(chosen.window, chosen.scope, currency))
            sessions = self._summaries.sessions(chosen.window, chosen.scope, currency)
            return daily_curve(sessions, of_account=balance is not None)

    def worst_drawdowns(self, chosen: Selection, most: int = 5) -> tuple[Drawdown, ...]:
        """Return the deepest falls of cumulative P&L in a window, by fill."""
        with self._ledger.snapshot():
            currency = self._summaries.currency(chosen.window, chosen.scope, chosen.currency)
            sessions = self._summaries.sessions(chosen.window, chosen.scope, currency)
            of_all = self._changes(chosen, currency) if chosen.window.last_trades is not None else None

            def changes_of(day: date) -> list[Decimal]:
                if of_all is not None:
                    return of_all[day]
                of_day = Window.between(day, day)
                return [one.net for one in self._summaries.rows(of_day, chosen.scope, currency).bookings]

            return worst_drawdowns(sessions, changes_of, most)

    def _changes(self, chosen: Selection, currency: str) -> dict[date, list[Decimal]]:
        """Return the results of the bookings of a window, by session."""
        by_day: dict[date, list[Decimal]] = defaultdict(list)
        for booking in self._summaries.rows(chosen.window, chosen.scope, currency).bookings:
            by_day[self._summaries.session_of(booking)].append(booking.net)
        return by_day

    def _starting_balance(self, chosen: Selection) -> Decimal | None:
        return self._summaries.own_balance(
            chosen.window, chosen.scope, chosen.currency or self._settings.currency
        )

    def rolling_sharpe(self, chosen: Selection, days: int = 20) -> list[tuple[date, Decimal]]:
        """Return the Sharpe ratio of the last `days` days at the end of each; empty without a balance."""
        with self._ledger.snapshot():
            currency = self._summaries.currency(chosen.window, chosen.scope, chosen.currency)
            balance = self._starting_balance(Selection(chosen.window, chosen.scope, currency))
            found = self._summaries.return_days(chosen.window, chosen.scope, currency)
        if balance is None:
            return []
        stride = -(-len(found) // _MOST_POINTS)
        points = []
        with exact():
            changes = (day.result + day.flows + day.converted for day in found)
            balances = list(accumulate(changes, initial=balance))
        for end in range(days, len(found) + 1):
            if (len(found) - end) % stride:
                continue
            part = MetricInput(Tally(), found[end - days : end], balances[end - days])
            value = compute(METRICS["sharpe"], part).value
            if isinstance(value, float):
                points.append((found[end - 1].session, Decimal(repr(value))))
        return points

    def _bookings(self, chosen: Selection, shown: Sequence[DailyPoint], *, of_account: bool) -> list[Booking]:
        """Return the bookings of the sessions shown; those of a rolling window are whole trades.

        Those of an account have its money beside trading.
        """
        window, currency = chosen.window, chosen.currency or self._settings.currency
        first, last = shown[0].session, shown[-1].session
        if window.last_trades is None:
            found = self._summaries.rows(Window.between(first, last), chosen.scope, currency)
            if not (of_account and found.cash):
                return found.bookings
            return sorted((*found.bookings, *found.cash), key=lambda one: one.order)
        rows = self._summaries.rows(window, chosen.scope, currency).bookings
        return [one for one in rows if first <= self._summaries.session_of(one) <= last]

    def _places(self, account: str | None) -> Callable[[Booking], tuple[date, datetime]]:
        """Return what gives the session of a booking, and when the first of the drawn accounts began it."""

        def place(booking: Booking) -> tuple[date, datetime]:
            session = self._summaries.session_of(booking)
            return session, self._calendars.start(account, session)

        return place

    def _sessions(self, shown: Sequence[DailyPoint]) -> tuple[date, ...]:
        """Return the traded sessions and the exchange days between them."""
        traded = {day.session for day in shown}
        first, last = shown[0].session, shown[-1].session
        days = (first + DAY * number for number in range((last - first).days + 1))
        return tuple(day for day in days if day in traded or self._calendars.common.is_weekday(day))


def _flows(sessions: Sequence[tuple[date, Tally]]) -> dict[date, Decimal]:
    """Return what came and went by session, where anything did."""
    with exact():
        found = {day: tally.balance_change - tally.result for day, tally in sessions if tally.account}
    return {day: flow for day, flow in found.items() if flow}


def _fits_by_fill(shown: Sequence[DailyPoint], fills: int) -> bool:
    days = (shown[-1].session - shown[0].session).days + 1
    return days == 1 or (days <= _DAYS_BY_FILL and fills <= _MOST_FILLS)


def _within(curve: DrawnCurve, start: datetime, end: datetime) -> DrawnCurve:
    """Return the fills of a curve between two instants, both included."""
    before = [point for point in curve.points if point.time is not None and point.time < start]
    shown = tuple(point for point in curve.points if point.time is not None and start <= point.time <= end)
    if not before:
        return structs.replace(curve, points=shown)
    last = before[-1]
    return structs.replace(curve, points=shown, start=last.total, start_drawdown=last.drawdown)


def _hull(window: Window, zoom: Window) -> Window:
    """Return the window, widened to hold a zoom."""
    if window.last_trades is not None or (window.start <= zoom.start and zoom.end <= window.end):
        return window
    return Window("custom", min(window.start, zoom.start), max(window.end, zoom.end))
