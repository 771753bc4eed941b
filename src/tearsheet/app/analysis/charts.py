"""Data of charts, calendars, breakdowns and the trade list; each method reads one snapshot of the ledger."""

from collections.abc import Mapping
from datetime import date
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.app.analysis.explain import ExplanationBuilder
from tearsheet.app.analysis.lists import PositionView, position_view
from tearsheet.app.analysis.notes import note_summaries, tags_by_position
from tearsheet.app.analysis.summaries import summary_builder
from tearsheet.app.context import LedgerContext
from tearsheet.app.reports import ExplainedFill
from tearsheet.bounded_cache import BoundedCache
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.performance.breakdown import Group, breakdown, breakdown_total
from tearsheet.performance.calendar import CalendarResults, calendar_results
from tearsheet.performance.closed_trade import ClosedTrade
from tearsheet.performance.comparison import MetricComparison, compare
from tearsheet.performance.distribution import Distribution, distribution
from tearsheet.performance.rolling import RollingPoint, rolling_metrics
from tearsheet.performance.series import DailyPoint, FillPoint, daily_curve, fill_curve
from tearsheet.performance.summary import PerformanceSummary, Scope
from tearsheet.performance.tally import ALL_ACCOUNTS
from tearsheet.store.list_values import TradeCursor, TradeFilter
from tearsheet.store.tables.closed_trades import ClosedTradeQuery
from tearsheet.store.tables.ledger import NOTES_STATE_ID
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.trade_list import TradeList, TradeScope, distinct_names, spans_of
from tearsheet.trade.session import DAY, EARLIEST, LATEST, AccountCalendars, Window

_MAX_COUNTS = 500
#: reading 100,000 closed trades takes 1 to 2 s; the charts and pages of one ledger state share them
_MAX_TRADES = 250_000


class Selection(Struct, frozen=True):
    """Window, scope and currency of a query; without a currency, it is resolved from the data."""

    window: Window
    scope: Scope = Scope()
    currency: str | None = None


def selection_of(summary: PerformanceSummary) -> Selection:
    """Return the window, scope and currency of a summary."""
    view = summary.window
    window = Window(view.kind, view.start, view.end + DAY, view.last_trades)
    return Selection(window, summary.scope, summary.currency)


class TradePage(Struct, frozen=True):
    """Page of a list of `total` closed positions, starting at `offset`.

    `previous` and `next` are the cursors of the neighboring pages; None at the ends of the list.
    """

    total: int
    offset: int
    items: tuple[PositionView, ...]
    previous: TradeCursor | None = None
    next: TradeCursor | None = None


class FilterValues(Struct, frozen=True):
    """Values for the filters of the trade list."""

    symbols: tuple[str, ...]
    strategies: tuple[str, ...]


class TradeDetail(Struct, frozen=True):
    """Position with its bookings in order, each with the file and line of its fill."""

    position: PositionView
    bookings: tuple[ExplainedFill, ...]


class ChartCache:
    """Thread-safe cache of closed trades and list lengths, keyed by ledger state."""

    def __init__(self) -> None:
        self.trades = BoundedCache[list[ClosedTrade]](_MAX_TRADES, len)
        self.counts = BoundedCache[int](_MAX_COUNTS)


def chart_cache(context: LedgerContext) -> ChartCache:
    """Return a new cache, for a context without one."""
    return ChartCache()


class Charts:
    """Queries for curves, breakdowns, distributions, comparisons and trade lists."""

    def __init__(self, context: LedgerContext) -> None:
        self._ledger = context.ledger
        self._summaries = summary_builder(context)
        self._context, self._settings = context, context.settings
        self._cache = context.shared(chart_cache)

    @property
    def _calendars(self) -> AccountCalendars:
        return self._context.calendars

    def calendar(self, chosen: Selection) -> CalendarResults:
        """Return the calendar of a window. Raises UsageError for a rolling window, which has no dates."""
        window = chosen.window
        if window.last_trades is not None:
            raise UsageError("rolling is not supported here", "use dates instead")
        with self._ledger.snapshot():
            currency = self._currency(chosen)
            window = self._summaries.from_first_session(window, chosen.scope)
            first, last = window.start, window.last_day
            wide = Window(
                "custom",
                max(first - DAY * first.weekday(), EARLIEST.date()),
                min(last + DAY * (7 - last.weekday()), LATEST.date()),
            )
            return calendar_results(first, last, self._summaries.sessions(wide, chosen.scope, currency))

    def daily_curve(self, chosen: Selection) -> tuple[DailyPoint, ...]:
        """Return the cumulative P&L by session."""
        with self._ledger.snapshot():
            currency = self._currency(chosen)
            return daily_curve(self._summaries.sessions(chosen.window, chosen.scope, currency))

    def fill_curve(self, chosen: Selection) -> tuple[FillPoint, ...]:
        """Return the cumulative P&L by fill."""
        with self._ledger.snapshot():
            currency = self._currency(chosen)
            return fill_curve(self._summaries.rows(chosen.window, chosen.scope, currency).bookings)

    def breakdown(self, chosen: Selection, by: str) -> tuple[Group, ...]:
        """Return closed positions by a grouping; a position with several tags is in the group of each tag."""
        trades = self.closed_trades(chosen)
        if by == "tag":
            with self._ledger.snapshot() as queries:
                trades = _one_per_tag(trades, tags_by_position(queries))
        if by == "root":
            trades = self._under_roots(trades)
        return breakdown(trades, by)

    def _under_roots(self, trades: list[ClosedTrade]) -> list[ClosedTrade]:
        """Return trades with the root of their contract as symbol, so that the months of a future are one group."""
        from tearsheet.sources.config.instruments import load_instruments  # the table of futures

        instruments = load_instruments(self._settings.instruments_file, self._settings.currency)
        roots = {symbol: instruments.root_of(symbol) for symbol in {trade.symbol for trade in trades}}
        return [replace(trade, symbol=roots[trade.symbol]) for trade in trades]

    def breakdown_total(self, chosen: Selection) -> Group:
        """Return the results of all closed positions, which are the sum of a breakdown."""
        return breakdown_total(self.closed_trades(chosen))

    def distribution(self, chosen: Selection, of: Literal["net", "r"]) -> Distribution:
        """Return the distribution of the results of closed positions, in money or in R."""
        trades = self.closed_trades(chosen)
        if of == "net":
            return distribution([closing.net for closing in trades])
        return distribution([closing.r for closing in trades if closing.r is not None])

    def rolling(self, chosen: Selection, trades: int) -> tuple[RollingPoint, ...]:
        """Return win rate and expectancy over a moving window of `trades` closed positions."""
        return rolling_metrics(self.closed_trades(chosen), trades)

    def compare(
        self, this: Selection, other: Selection
    ) -> tuple[PerformanceSummary, PerformanceSummary, tuple[MetricComparison, ...]]:
        """Compare two windows or scopes; without a currency, the second uses the first one's."""
        with self._ledger.snapshot():
            first = self._summaries.summary(this.window, this.scope, this.currency)
            second = self._summaries.summary(other.window, other.scope, other.currency or first.currency)
        return first, second, compare(first.metrics, second.metrics)

    def trades(
        self,
        chosen: Selection,
        trade_filter: TradeFilter,
        offset: int,
        number: int,
        after: TradeCursor | None = None,
        before: TradeCursor | None = None,
    ) -> TradePage:
        """Return a page of closed positions, filtered and sorted, at an offset or next to a cursor."""
        window, scope = chosen.window, chosen.scope
        with self._ledger.snapshot() as queries:
            currency = self._currency(chosen)
            spans = spans_of(self._calendars, scope.account, window)
            of = TradeScope(scope, currency, spans, window.last_trades)
            trade_list = TradeList(queries, of, trade_filter, self._settings.breakeven_band)
            items, previous, following = trade_list.page(number, offset, after, before)
            remarks = note_summaries(queries, [position.id for position in items])
            views = tuple(
                position_view(position, self._settings.breakeven_band, remark=remarks.get(position.id))
                for position in items
            )
            total = self._count_trades(chosen, currency, trade_filter, trade_list)
            return TradePage(total, offset, views, previous, following)

    def _count_trades(
        self, chosen: Selection, currency: str, trade_filter: TradeFilter, trade_list: TradeList
    ) -> int:
        """Return the length of a list, from the stored tallies if no row filter applies, else from a cached count."""
        window, scope = chosen.window, chosen.scope
        if trade_filter.is_all and window.last_trades is None and not scope.needs_row_filter:
            sessions = self._summaries.sessions(window, scope, currency)
            return sum(tally.closed for _, tally in sessions)
        notes = self._ledger.get(NOTES_STATE_ID) if trade_filter.tag else None
        of = (trade_filter.side, trade_filter.outcome, trade_filter.text, trade_filter.tag)
        key = (self._ledger.state_id, notes, self._settings.breakeven_band, window, scope, currency, of)
        return self._cache.counts.get_or_compute(key, trade_list.count)

    def filter_values(self, account: str | None, most: int) -> FilterValues:
        """Return at most `most` symbols and strategies of closed positions, of one account or all."""
        with self._ledger.snapshot() as queries:
            symbols = distinct_names(queries, "symbol", account)
            return FilterValues(symbols[:most], distinct_names(queries, "strategy", account)[:most])

    def position(self, identity: str) -> TradeDetail:
        """Return a position with its bookings. Raises NotFoundError."""
        with self._ledger.snapshot() as queries:
            position = queries.position(identity)
            if position is None:
                raise NotFoundError(f"no position {identity!r}", "`tearsheet positions` lists them")
            behind = ExplanationBuilder(self._ledger, self._settings.breakeven_band, self._calendars)
            terms = behind.bookings(queries.bookings_of(identity), lambda booking: booking.net)
            remark = note_summaries(queries, [identity]).get(identity)
            return TradeDetail(position_view(position, self._settings.breakeven_band, remark=remark), terms)

    def previous_window(self, window: Window) -> Window | None:
        """Return the previous exchange day, week, month or range; None for `all` and rolling windows."""
        return self._settings.calendar.previous_window(window)

    def closed_trades(self, chosen: Selection) -> list[ClosedTrade]:
        """Return the closed positions of a window, in order; cached by ledger state."""
        window, scope = chosen.window, chosen.scope
        with self._ledger.snapshot() as queries:
            currency = self._currency(chosen)
            key = (self._ledger.state_id, window, scope, currency)
            return self._cache.trades.get_or_compute(
                key, lambda: self._read_trades(queries, chosen, currency)
            )

    def _read_trades(self, queries: Queries, chosen: Selection, currency: str) -> list[ClosedTrade]:
        window, scope = chosen.window, chosen.scope
        calendars = self._calendars
        trades = ClosedTradeQuery(calendars, self._settings.breakeven_band)
        if window.last_trades is None:
            return trades.within(queries, scope, currency, window)
        end = calendars.end(scope.account, window)
        last = queries.last_closed(scope, currency, end, window.last_trades)
        return [trades.to_closed_trade(position) for position in last]

    def currency(self, chosen: Selection) -> str:
        """Return the currency of the results. Raises NotFoundError, MixedCurrencyError."""
        with self._ledger.snapshot():
            return self._currency(chosen)

    def currencies(self, account: str | None, window: Window) -> list[str]:
        """Return the currencies of the results of a window; the default currency comes first."""
        with self._ledger.snapshot():
            currencies = self._ledger.tallies.currencies(account, window.start, window.end)
            return sorted(currencies, key=lambda currency: (currency != self._settings.currency, currency))

    def last_session(self, account: str | None) -> date | None:
        """Return the last day of an account or of all on which anything was booked; None without one."""
        last = self._ledger.queries.last_fill_at(account)
        filled = None if last is None else self._calendars.trading_day_of(account, last)
        booked = self._ledger.tallies.last_session(account or ALL_ACCOUNTS)
        return max(filter(None, (filled, booked)), default=None)

    def clipped(self, chosen: Selection) -> Window:
        """Return the window; an `all` window starts at the first session with a booking."""
        with self._ledger.snapshot():
            return self._summaries.from_first_session(chosen.window, chosen.scope)

    def _currency(self, chosen: Selection) -> str:
        self._summaries.check_account(chosen.scope)
        return self._summaries.currency(chosen.window, chosen.scope, chosen.currency)


def _one_per_tag(trades: list[ClosedTrade], tags: Mapping[str, frozenset[str]]) -> list[ClosedTrade]:
    """Repeat each closed trade for each of its tags; one without tags appears once."""
    none: tuple[str | None, ...] = (None,)
    return [
        replace(closing, tag=tag) for closing in trades for tag in sorted(tags.get(closing.id, ())) or none
    ]
