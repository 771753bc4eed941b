"""Summaries of the ledger, from the stored tallies of sessions, or from rows if a filter requires them."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property

from msgspec import Struct, json

from tearsheet.app.analysis.balances import Balances
from tearsheet.app.analysis.unrealized import Unrealized, unrealized_total
from tearsheet.app.context import LedgerContext
from tearsheet.errors import MixedCurrencyError, NotFoundError
from tearsheet.log import timed_event
from tearsheet.performance.metric import (
    Day,
    MetricInput,
    MetricValue,
    Sessions,
    compute_all,
    curves_of,
    sum_and_days,
)
from tearsheet.performance.summary import (
    Freshness,
    PartialReason,
    PerformanceSummary,
    Scope,
    SessionRate,
    SummaryNote,
    TradeLogCounts,
    WindowView,
)
from tearsheet.performance.tally import Tally, merge
from tearsheet.settings import Settings
from tearsheet.sources.text.contracts import expiry_of
from tearsheet.store.kept_accounts import account_calendars, kept_accounts
from tearsheet.store.tables.columns import BookingRow
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.queries import is_in_scope
from tearsheet.store.tables.query_rows import GapRow, PassedOverRow
from tearsheet.store.tables.sources import DoubtTable
from tearsheet.store.tables.tallies import TallyRules
from tearsheet.trade.amount import ZERO, exact, to_plain_string
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import DAY, EARLIEST, AccountCalendars, TradingCalendar, Window, to_micros

_log = logging.getLogger("tearsheet")
#: What layouts call rows that move money between currencies, which they pass over.
CONVERSIONS = "currency_conversions"


class SummaryOptions(Struct, frozen=True):
    """Options that all summaries of a tracker share."""

    calendar: TradingCalendar
    tally_rules: TallyRules
    default_currency: str
    starting_balance: Decimal | None
    trade_log_mode: str

    @property
    def currency(self) -> str:
        """Return the currency of amounts that state none."""
        return self.default_currency


def options_from(settings: Settings) -> SummaryOptions:
    """Return the summary options of the settings."""
    return SummaryOptions(
        settings.calendar,
        TallyRules(settings.breakeven_band, settings.breakeven_streak == "break"),
        settings.currency,
        settings.starting_balance,
        settings.trade_log_mode,
    )


class WindowRows(Struct, frozen=True):
    """Bookings and closed positions of a window and scope, in order."""

    bookings: list[Booking]
    closed: list[Position]
    #: money of accounts that no instrument caused; none for a strategy, a symbol or a mode
    cash: list[Booking] = []


def with_idle_days(
    calendar: TradingCalendar, today: date, window: Window, days: list[Day]
) -> tuple[Day, ...]:
    """Return the days with the idle exchange days in between, which ratios of a balance need."""
    if not days:
        return ()
    traded = {day.session: day for day in days}
    last = min(window.last_day, today)
    span = _dates(days[0].session, max(last, days[-1].session))
    return tuple(
        traded.get(day) or Day.idle(day) for day in span if day in traded or calendar.is_weekday(day)
    )


class SummaryBuilder:
    """Builder of summaries for windows and scopes; use it inside one snapshot of the ledger."""

    def __init__(self, ledger: Ledger, terms: SummaryOptions, now: datetime) -> None:
        self._ledger = ledger
        self._options = terms
        self._now = now
        self._own_balances = Balances(ledger, terms)
        self.sessions_loaded = 0
        self.sessions_computed = 0

    @cached_property
    def _calendars(self) -> AccountCalendars:
        return account_calendars(self._own_balances.kept, self._options.calendar)

    def summary(
        self, window: Window, scope: Scope, currency: str | None, stale: Iterable[PartialReason] = ()
    ) -> PerformanceSummary:
        """Return the summary of a window and scope. Raises MixedCurrencyError, NotFoundError."""
        self.check_account(scope)
        window = self.from_first_session(window, scope)
        chosen, others = self._currency(window, scope, currency)
        tally, days, sessions = self._tally(window, scope, chosen)
        opening = self.balance(window, scope, chosen)
        measured = days if opening is None else self._with_idle_days(window, scope, days)
        is_account = window.last_trades is None and not scope.needs_row_filter
        metrics = compute_all(MetricInput(tally, tuple(measured), opening, is_account, curves_of(sessions)))
        missing = self._missing_days(window)
        rejected = self._count_rejected(window, scope)
        reasons = [
            *stale,
            *self._partial_reasons(window, missing, rejected, tally, scope),
            *self._left_out(window, scope, chosen, others),
        ]
        held = self._ledger.queries.open_positions(scope)
        open_log_trades = len(self._ledger.queries.open_log_positions(scope, self._options.default_currency))
        unrealized = self._unrealized(window, scope, chosen, held, open_log_trades)
        return PerformanceSummary(
            window=self._window_view(window, scope),
            scope=scope,
            currency=chosen,
            message=_message(metrics),
            metrics=metrics,
            open_positions=len(held) + open_log_trades,
            unrealized_pnl=unrealized.value,
            unrealized_reason=unrealized.reason,
            days=tuple(days),
            partial=bool(reasons),
            partial_reasons=tuple(reasons),
            missing_days=tuple(missing),
            notes=tuple(self._notes(window, scope, chosen)),
            rejected_lines=rejected,
            trade_log=self._trade_log(scope),
            freshness=self._freshness(scope),
        )

    def incompleteness_reasons(self, window: Window, scope: Scope, currency: str) -> list[PartialReason]:
        """Return the reasons why a summary of the window and scope is partial."""
        sessions = self._ledger.tallies.between(scope.account, window.start, window.end, currency)
        tally = merge(tally for _, tally in sessions)
        missing, rejected = self._missing_days(window), self._count_rejected(window, scope)
        return list(self._partial_reasons(window, missing, rejected, tally, scope))

    def rows(self, window: Window, scope: Scope, currency: str | None) -> WindowRows:
        """Return the bookings and closed positions behind a summary of the window and scope; None: any currency.

        The last trades are of one currency.
        """
        if window.last_trades is not None:
            assert currency is not None
            until = self._calendars.end(scope.account, window)
            closed = self._ledger.queries.last_closed(scope, currency, until, window.last_trades)
            return WindowRows([_to_booking(position) for position in closed], closed)
        found = self._ledger.queries.in_window(scope.account, *self._span(window, scope))
        holds = self._calendars.holds
        bookings = [
            b for b in found[0] if currency in (None, b.currency) and holds(window, b.account, b.time)
        ]
        closed = [
            p
            for p in found[1]
            if currency in (None, p.currency) and holds(window, p.account, p.closed_at or p.last_at)
        ]
        if scope.needs_row_filter:
            bookings, closed = self._filtered_rows(bookings, closed, scope)
        bookings.sort(key=lambda b: b.order)
        if self._calendars.own:  # sessions of several calendars overlap: they follow each other by date
            bookings.sort(key=self.session_of)
            closed.sort(key=self._closed_on)
        cash = [] if scope.needs_row_filter else [b for b in bookings if b.is_cash]
        return WindowRows([b for b in bookings if not b.is_cash] if cash else bookings, closed, cash)

    def sessions(self, window: Window, scope: Scope, currency: str) -> Sessions:
        """Return the tally of each session with trading in a window, in order."""
        if window.last_trades is None and not scope.needs_row_filter:
            return self._ledger.tallies.between(scope.account, window.start, window.end, currency)
        return self._by_session(self.rows(window, scope, currency))

    def _by_session(self, rows: WindowRows) -> list[tuple[date, Tally]]:
        return self._options.tally_rules.by_session(rows.bookings, rows.closed, self._calendars)

    def session_of(self, booking: Booking) -> date:
        """Return the session of a booking, by the calendar of its account."""
        return self._calendars.trading_day_of(booking.account, booking.time)

    def _closed_on(self, position: Position) -> date:
        return self._calendars.trading_day_of(position.account, position.closed_at or position.last_at)

    def rate_of(self, booking: Booking) -> SessionRate | None:
        """Return the rate by which a booking was converted; None, because it is in its own currency."""
        return None

    def currency(self, window: Window, scope: Scope, currency: str | None) -> str:
        """Return the currency of a summary of the window and scope. Raises MixedCurrencyError."""
        return self._currency(window, scope, currency)[0]

    def _filtered_rows(
        self, bookings: list[Booking], closed: list[Position], scope: Scope
    ) -> tuple[list[Booking], list[Position]]:
        """Return the rows in a scope; a booking is in scope if its position is."""
        fits: dict[str, bool] = {p.id: is_in_scope(scope, p) for p in closed}
        fits[""] = False  # a booking of no position has a symbol, but no strategy and no mode
        unborne_of = scope.symbol if scope.strategy is None and scope.mode is None else None
        bookings = [b for b in bookings if not b.is_cash]
        for identity in {b.position_id for b in bookings} - fits.keys():
            position = self._ledger.queries.position(identity)
            fits[identity] = position is not None and is_in_scope(scope, position)
        booked = [
            b for b in bookings if fits[b.position_id] or (not b.position_id and b.symbol == unborne_of)
        ]
        return booked, [p for p in closed if fits[p.id]]

    def check_account(self, scope: Scope) -> None:
        """Raise NotFoundError if the account of a scope is not known."""
        if scope.account is None:
            return
        known = sorted({*self._ledger.queries.accounts(), *kept_accounts(self._ledger).accounts})
        if scope.account not in known:
            named = ", ".join(known) or "none yet"
            raise NotFoundError(f"no account {scope.account!r}", f"known accounts: {named}")

    def from_first_session(self, window: Window, scope: Scope) -> Window:
        """Return the window; an `all` window starts at the first session with a booking."""
        if window.kind != "all":
            return window
        first = self._ledger.tallies.first_session(scope.account) or window.last_day
        return Window("all", min(max(first, window.start), window.last_day), window.end)

    def _currency(self, window: Window, scope: Scope, requested: str | None) -> tuple[str, list[str]]:
        currencies = self._ledger.tallies.currencies(scope.account, window.start, window.end)
        if requested is not None:
            return requested, [c for c in currencies if c != requested]
        traded = self._ledger.tallies.traded(scope.account, currencies)
        if len(traded) > 1 and self._options.default_currency not in traded:
            raise MixedCurrencyError(
                f"this window holds {' and '.join(currencies)}, which are never added up",
                "choose one currency, or set TEARSHEET_CURRENCY",
            )
        chosen = traded[0] if len(traded) == 1 else self._options.default_currency
        return chosen, [c for c in currencies if c != chosen]

    def _tally(self, window: Window, scope: Scope, currency: str) -> tuple[Tally, list[Day], Sessions]:
        """Return the sum, the days and the tallies of a window; the last trades and parts of accounts have none."""
        if window.last_trades is None and not scope.needs_row_filter:
            sessions = self.sessions(window, scope, currency)
            self.sessions_loaded += len(sessions)
            return *sum_and_days(sessions), sessions
        sessions = self._by_session(self.rows(window, scope, currency))
        self.sessions_computed += len(sessions)
        return *sum_and_days(sessions), []

    def _left_out(
        self, window: Window, scope: Scope, chosen: str, others: list[str]
    ) -> Iterator[PartialReason]:
        """Yield what a summary leaves out of other currencies; a part of an account may have none."""
        named = list(others)
        if window.last_trades is None:
            tallies = {money: self._tally(window, scope, money)[0] for money in others}
            named = [
                _left_out_words(money, tally)
                for money, tally in tallies.items()
                if not scope.needs_row_filter or tally.fills or tally.closed or tally.result
            ]
        if named:
            yield PartialReason("other_currencies", f"{', '.join(named)} beside {chosen}")

    def _with_idle_days(self, window: Window, scope: Scope, days: list[Day]) -> tuple[Day, ...]:
        return with_idle_days(self._options.calendar, self._today(scope), window, days)

    def return_days(self, window: Window, scope: Scope, currency: str) -> tuple[Day, ...]:
        """Return the days that daily ratios are computed of: of the sessions and the idle exchange days between."""
        window = self.from_first_session(window, scope)
        return self._with_idle_days(window, scope, self._tally(window, scope, currency)[1])

    def balance(self, window: Window, scope: Scope, currency: str) -> Decimal | None:
        """Return the balance before the window; None without one, and for rolling and filtered windows.

        While no account states its own, the number of the ledger holds for any currency that is asked for.
        """
        if window.last_trades is not None or scope.needs_row_filter:
            return None
        start = self._own_balances.starting(scope.account, currency)
        if start is None and not self._own_balances.kept.states_balances:
            start = self._options.starting_balance
        if start is None:
            return None
        with exact():
            return start + self._own_balances.change(scope.account, currency, date.min, window.start)

    def own_balance(self, window: Window, scope: Scope, currency: str) -> Decimal | None:
        """Return the balance before the window where one is stated of its account, or of all."""
        if window.last_trades is not None or scope.needs_row_filter:
            return None
        return self._own_balances.at_start(scope.account, currency, window.start)

    def _missing_days(self, window: Window) -> list[date]:
        """Return past weekdays of the window, since the first log file, that have no log file."""
        first = self._ledger.sources.first_log_day()
        if first is None or window.last_trades is not None:
            return []
        today = self._options.calendar.trading_day_of(self._now)
        start, end = max(window.start, first), min(window.end, today)
        present = self._ledger.sources.log_days(start, end)
        calendar = self._options.calendar
        return [day for day in _dates(start, end - DAY) if calendar.is_weekday(day) and day not in present]

    def _today(self, scope: Scope) -> date:
        return self._calendars.trading_day_of(scope.account, self._now)

    def _span(self, window: Window, scope: Scope) -> tuple[datetime, datetime]:
        """Return from when to when the sessions of a window last: of an account, or of any."""
        return self._calendars.start(scope.account, window.start), self._calendars.end(scope.account, window)

    def _facts_span(self, window: Window, scope: Scope) -> tuple[datetime, datetime]:
        """Return the time of the facts of a window; what was not booked may lie before the first session of all."""
        since, until = self._span(window, scope)
        return EARLIEST if window.kind == "all" else since, until

    def _count_rejected(self, window: Window, scope: Scope) -> int:
        return self._ledger.sources.count_rejections(scope.account, *self._facts_span(window, scope))

    def _partial_reasons(
        self, window: Window, missing: list[date], rejected: int, tally: Tally, scope: Scope
    ) -> Iterator[PartialReason]:
        if rejected:
            lines = f"{rejected} line{'s' if rejected != 1 else ''}"
            yield PartialReason("rejected_lines", f"{lines}; see `tearsheet rejections`")
        if missing:
            yield PartialReason("missing_days", _join_names([day.isoformat() for day in missing]))
        around = (window.start - DAY, min(window.end, self._now.date() + DAY) + DAY)
        unfinished = self._ledger.sources.unfinished_logs(*around)
        if unfinished and window.last_trades is None:
            yield PartialReason("unfinished_line", _join_names(unfinished))
        doubts = DoubtTable(self._ledger.queries).within(scope.account, *self._facts_span(window, scope))
        for code in sorted({doubt.code for doubt in doubts}):
            details = dict.fromkeys(doubt.detail for doubt in doubts if doubt.code == code)
            yield PartialReason(code, f"{_join_names(list(details))}; see `tearsheet sources`")
        overlaps = [
            f"{account} {symbol}"
            for account, symbol in self._ledger.sources.overlaps()
            if scope.account in (None, account) and scope.symbol in (None, symbol)
        ]
        if overlaps:
            yield PartialReason("overlapping_sources", _join_names(overlaps))
        yield from self._gaps(window, scope)
        if tally.paper and tally.live and scope.mode is None:
            detail = f"{tally.paper} PAPER and {tally.live} LIVE trades"
            yield PartialReason("mixed_modes", detail)

    def _gaps(self, window: Window, scope: Scope) -> Iterator[PartialReason]:
        """Yield what the books lack in the window: closes without an opening, unknown costs, expiries untold."""
        since, until = self._facts_span(window, scope)
        span = (to_micros(since), to_micros(until))
        details: dict[str, list[str]] = defaultdict(list)
        for row in self._ledger.queries.rows(GapRow, "gaps", (*span, scope.account, scope.symbol)):
            details[row.code].append(row.detail)
        for position in self._ledger.queries.open_positions(scope):
            expiry = expiry_of(position.symbol)
            if expiry is not None and expiry < min(window.end, self._today(Scope(position.account))):
                held = f"{position.account} {to_plain_string(position.open_quantity)} {position.symbol}"
                details["unsettled_expiry"].append(f"{held} since {expiry}; `tearsheet settle` closes it")
        for code, words in details.items():
            yield PartialReason(code, _join_names(words))

    def _notes(self, window: Window, scope: Scope, currency: str) -> Iterator[SummaryNote]:
        """Yield what is to be known beside the numbers."""
        since, until = self._facts_span(window, scope)
        span = (to_micros(since), to_micros(until))
        scoped = (currency, scope.account, scope.symbol)
        fills = self._ledger.queries.value("count_without_fee", (*span, *scoped))
        if fills:
            detail = (
                f"{fills:,} fill{'s' if fills != 1 else ''}; state a fee schedule, see docs/data-formats.md"
            )
            yield SummaryNote("no_fees_stated", f"gross: no fees stated for {detail}")
        if not scope.needs_row_filter:
            lacking = [*self._credits((*span, scope.account)), *self._passed_over()]
            if lacking:
                yield SummaryNote("cash_not_booked", f"in no balance: {'; '.join(lacking)}")

    def _credits(self, span: tuple[int, int, str | None]) -> Iterator[str]:
        """Yield the credits that may not be withdrawn, by currency: they count as nothing."""
        amounts: dict[str, list[Decimal]] = defaultdict(list)
        for row in self._ledger.queries.rows(BookingRow, "credits_between", span):
            amounts[row.currency].append(Decimal(row.cash or 0))
        with exact():
            for currency, own in sorted(amounts.items()):
                yield f"credit {to_plain_string(sum(own, ZERO))} {currency} ({len(own):,})"

    def _passed_over(self) -> Iterator[str]:
        """Yield what imports passed over of money that moved between currencies."""
        for row in self._ledger.queries.rows(PassedOverRow, "passed_over", (f'%"{CONVERSIONS}"%',)):
            count = json.decode(row.skipped, type=dict[str, int]).get(CONVERSIONS, 0)
            yield f"{count:,} currency conversions of {row.name.rpartition('/')[2]}"

    def _unrealized(
        self, window: Window, scope: Scope, currency: str, held: list[Position], open_log_trades: int
    ) -> Unrealized:
        """Return the unrealized P&L of the positions open now; undefined for a past window."""
        if window.end <= self._today(scope):
            return Unrealized(None, "the window is past")
        return unrealized_total(
            self._ledger.queries,
            [position for position in held if position.currency == currency],
            open_log_trades,
        )

    def _trade_log(self, scope: Scope) -> TradeLogCounts:
        use = self._ledger.sources.log_usage(scope.account)
        return TradeLogCounts(
            mode=self._options.trade_log_mode, as_trades=use.as_trades, as_fills=use.as_fills
        )

    def _freshness(self, scope: Scope) -> Freshness:
        last = self._ledger.queries.last_fill_at(scope.account)
        age = None if last is None else (self._now - last) / timedelta(seconds=1)
        return Freshness(self._ledger.revision, self._now, last, age)

    def _window_view(self, window: Window, scope: Scope) -> WindowView:
        calendar = self._calendars.of(scope.account)
        starts_at, ends_at = self._span(window, scope)
        return WindowView(
            kind=window.kind,
            start=window.start,
            end=window.last_day,
            label=window.label,
            timezone=calendar.timezone.key,
            day_starts_at=calendar.day_starts_at.isoformat("minutes"),
            starts_at=starts_at,
            ends_at=ends_at,
            last_trades=window.last_trades,
        )


def summary_builder(context: LedgerContext) -> SummaryBuilder:
    """Return a builder of summaries as of now; use it inside one snapshot of the ledger."""
    return SummaryBuilder(context.ledger, options_from(context.settings), context.now)


def summarize(
    context: LedgerContext,
    window: Window,
    scope: Scope = Scope(),
    currency: str | None = None,
    stale: Iterable[PartialReason] = (),
    make: Callable[[LedgerContext], SummaryBuilder] = summary_builder,
) -> PerformanceSummary:
    """Return the summary of a window, without a sync; `stale` lists more reasons why it is partial.

    `make` returns the builder. Raises NotFoundError, MixedCurrencyError, StoreError.
    """
    with timed_event(_log, "tearsheet.summary") as event:
        with context.ledger.snapshot():
            builder = make(context)
            summary = builder.summary(window, scope, currency, stale)
        event.add(
            window=window.kind,
            start=window.start.isoformat(),
            trades=summary.value("total_trades"),
            cache_hits=builder.sessions_loaded,
            cache_misses=builder.sessions_computed,
            revision=summary.freshness.revision,
        )
    return summary


def _to_booking(position: Position) -> Booking:
    """Return a closed position as one booking, for rolling windows, which count whole trades."""
    return Booking(
        position.id,
        position.account,
        position.symbol,
        position.currency,
        position.closed_at or position.last_at,
        position.last_rank,
        position.last_key,
        0,
        position.quantity,
        ZERO,
        position.gross,
        position.fees,
        True,
        position.carry,
    )


def _left_out_words(money: str, tally: Tally) -> str:
    """Return what of a currency is left out, such as `EUR (result -3.5)`."""
    with exact():
        moved = tally.balance_change - tally.result
    more = f", moved {to_plain_string(moved)}" if moved else ""
    return f"{money} (result {to_plain_string(tally.result)}{more})"


def _message(metrics: dict[str, MetricValue]) -> str:
    if metrics["total_trades"].value:
        return "ok"
    return "No trades in window" if not metrics["net_pnl"].n else "No closed trades in window"


def _join_names(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _dates(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += DAY
