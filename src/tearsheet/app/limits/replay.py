"""Replay of limits over the ledger's history, fill by fill."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from msgspec.structs import replace

from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.log_sync import sync_if_writable
from tearsheet.app.limits.account_rules import AccountRules
from tearsheet.errors import MixedCurrencyError, NotFoundError, SettingsError
from tearsheet.performance.summary import Scope
from tearsheet.rules.limit import AccountLimits, Limit, Limits
from tearsheet.rules.limit_book import LimitBook, LimitContext, first_session_needed
from tearsheet.rules.limit_sums import OpenHolding, OutcomeRules
from tearsheet.rules.limit_usage import AccountFacts
from tearsheet.rules.replay import Replay, Simulation
from tearsheet.sources.config.limits import load_limits
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.position import Position
from tearsheet.trade.session import EARLIEST, LATEST, Window

NO_MARKS = "{name} uses open P&L, but no price history is stored; evaluated on realized P&L only"


def replay_history(
    context: LedgerContext,
    limits: Limits,
    *,
    start: date | None = None,
    end: date | None = None,
    account: str | None = None,
    currency: str | None = None,
) -> list[Replay]:
    """Return the replay of every account with limits, or of `account` only.

    Raises NotFoundError for an unknown account, SettingsError if no account has limits, UsageError
    for an end before the start, MixedCurrencyError for an account in several currencies.
    """
    window = context.window("all", start=start, end=end)
    ledger = context.ledger
    sync_if_writable(context)
    with ledger.snapshot():
        replays = []
        for name in _limited_accounts(ledger, limits, account):
            plan = limits.for_account(name)
            terms = _limit_context(context, ledger, window, name, plan, currency)
            replays.append(_AccountReplay(ledger, name, plan, window, terms).run())
        return replays


def load_replay_limits(context: LedgerContext, file: Path | None = None) -> Limits:
    """Return the limits in a file, by default in the targets file. Raises SettingsError."""
    return load_limits(context.settings.targets_file if file is None else file)


def _limited_accounts(ledger: Ledger, limits: Limits, account: str | None) -> list[str]:
    known = ledger.queries.accounts()
    if account is not None and account not in known:
        named = ", ".join(known) or "none yet"
        raise NotFoundError(f"no account {account!r}", f"known accounts: {named}")
    chosen = [account] if account is not None else known
    limited = [name for name in chosen if limits.for_account(name).limits]
    if chosen and not limited:
        hint = "state them under `limits:`, as `default` or by account"
        raise SettingsError(f"no limits for {', '.join(chosen)}", hint)
    return limited


def _limit_context(
    context: LedgerContext,
    ledger: Ledger,
    window: Window,
    account: str,
    plan: AccountLimits,
    requested: str | None,
) -> LimitContext:
    settings, rules = context.settings, AccountRules(ledger, context.settings)
    rules.refresh(ledger.state_id)
    currencies = ledger.tallies.traded(account, ledger.tallies.currencies(account, window.start, window.end))
    is_chosen = requested is not None or rules.terms(account).currency is not None
    if not is_chosen and len(currencies) > 1 and settings.currency not in currencies:
        raise MixedCurrencyError(
            f"{account} traded in {' and '.join(currencies)}, which are never added up",
            "choose one with --currency, or set TEARSHEET_CURRENCY",
        )
    stated = rules.terms(account).currency
    currency = requested or stated or (currencies[0] if len(currencies) == 1 else settings.currency)
    outcomes = OutcomeRules(settings.breakeven_band, settings.breakeven_streak == "break")
    known = AccountFacts(rules.starting_balance(account, currency, plan), rules.root_of(plan))
    return LimitContext(rules.calendar(account), currency, outcomes, known)


class _AccountReplay:
    """Replay of one account, from its first session or a later start."""

    def __init__(
        self, ledger: Ledger, account: str, plan: AccountLimits, window: Window, terms: LimitContext
    ) -> None:
        first = ledger.tallies.first_session(account) or window.start
        self._ledger, self._account, self._limit_context = ledger, account, terms
        self._start, self._last = min(max(first, window.start), window.last_day), window.last_day
        self._since = terms.calendar.start(self._start)
        self._until = terms.calendar.start(window.end)
        self._plan, self._notes = _without_open_pnl(plan)
        self._looks_back = self._start > first
        if self._looks_back:
            self._plan = _start_limits(self._plan, self._start)

    def run(self) -> Replay:
        """Run the replay and return its result."""
        run = Simulation(self._live_book(), self._start, self._last)
        queries = self._ledger.queries
        for bookings, closed in queries.time_chunks(self._account, self._since, self._until):
            ended = {position.id: position for position in closed}
            for booking in sorted(bookings, key=lambda b: b.order):
                run.add_booking(booking, ended.get(booking.position_id) if booking.closes else None)
        return run.result(self._notes)

    def _live_book(self) -> LimitBook:
        """Return the limit book before the first session of the replay."""
        book = LimitBook(self._account, self._plan, self._limit_context)
        if not self._looks_back:
            return book
        past = first_session_needed(self._plan, self._start) or EARLIEST.date()
        currency = self._limit_context.currency
        for session, tally in self._ledger.tallies.between(self._account, past, self._start, currency):
            book.add_session_tally(session, tally)
        book.set_open_positions(self._opening_positions())
        return book

    def _opening_positions(self) -> Iterator[OpenHolding]:
        """Yield the positions open at the start of the replay, whether they have closed since or not."""
        queries = self._ledger.queries
        for _, closed in queries.time_chunks(self._account, self._since, LATEST):
            yield from map(self._rewind, filter(self._is_earlier, closed))
        still = filter(self._is_earlier, queries.open_positions(Scope(self._account)))
        yield from map(self._rewind, still)

    def _is_earlier(self, position: Position) -> bool:
        opened = position.opened_at
        is_logged = position.fills == 1 and position.closed_at is not None
        return opened is not None and opened < self._since and not is_logged

    def _rewind(self, position: Position) -> OpenHolding:
        bookings = self._ledger.queries.bookings_of(position.id)
        earlier = [booking for booking in bookings if booking.time < self._since]
        with exact():
            quantity = sum((booking.quantity for booking in earlier), ZERO)
            net = sum((booking.net for booking in earlier), ZERO)
        return OpenHolding(position.id, position.symbol, quantity, net)


def _without_open_pnl(plan: AccountLimits) -> tuple[AccountLimits, tuple[str, ...]]:
    """Return the plan with limits on open P&L based on closed P&L instead, and a note for each."""
    notes = tuple(NO_MARKS.format(name=limit.name) for limit in plan.limits if limit.needs_marks)
    limits = tuple(_without_marks(limit) if limit.needs_marks else limit for limit in plan.limits)
    return replace(plan, limits=limits), notes


def _without_marks(limit: Limit) -> Limit:
    """Return a limit that is held against what was booked: without prices, equity is the balance."""
    return replace(
        limit,
        basis="closed" if limit.basis == "open_pnl" else limit.basis,
        judged="closed" if limit.judged == "open_pnl" else limit.judged,
        day_from="day_balance",
        percent_of=limit.percent_of if limit.percent_of in (None, "initial") else "day_balance",
    )


def _start_limits(plan: AccountLimits, start: date) -> AccountLimits:
    """Return the plan with the max drawdown measured from the replay start, unless `since` is set."""
    limits = tuple(
        replace(limit, since=start) if limit.name == "max_drawdown" and limit.since is None else limit
        for limit in plan.limits
    )
    return replace(plan, limits=limits)
