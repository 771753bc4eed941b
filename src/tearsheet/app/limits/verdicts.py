"""Limit verdicts per account, with breaches saved before a verdict is returned.

Every change is evaluated in its own transaction: a breach is committed together with the fill that
caused it, or rolled back with it. A breach caused by time alone is saved when a verdict is requested.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from msgspec import json
from msgspec.structs import replace

from tearsheet.app.analysis.summaries import SummaryBuilder, options_from
from tearsheet.app.context import LedgerContext
from tearsheet.app.feeds import account_feeds
from tearsheet.app.limits.group_books import GroupBooks
from tearsheet.app.limits.limits_file import LimitsFile, LoadedLimits
from tearsheet.app.limits.live_books import LiveLimitBooks
from tearsheet.app.limits.live_limits import LiveLimits
from tearsheet.app.limits.objective_facts import ObjectiveReader
from tearsheet.errors import InputError, StoreError
from tearsheet.log import log_event
from tearsheet.performance.summary import PartialReason, Scope
from tearsheet.rules.breach import Breach, Release, make_release
from tearsheet.rules.incident import incident_events, objective_events
from tearsheet.rules.limit import AccountLimits, Limits, period_start
from tearsheet.rules.limit_book import LimitBook, first_session_needed
from tearsheet.rules.objective import ObjectiveView, judge_objectives
from tearsheet.rules.status import AccountStatus, account_status
from tearsheet.rules.verdict import FeedStatus, Verdict, VerdictReason, verdict, with_groups
from tearsheet.store.kept_accounts import by_look, folded_name
from tearsheet.store.list_values import Page, PageCursor
from tearsheet.store.tables.account_states import record_heartbeat
from tearsheet.store.tables.breaches import BreachRecord, BreachTable, breach_not_found
from tearsheet.store.write.idempotency import IdempotencyKey, IdempotencyTable
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.session import DAY, EARLIEST, LATEST, Window

_log = logging.getLogger("tearsheet")
#: Lock timeout for saving a breach; after it the verdict reports that the breach is not saved.
_LOCK_TIMEOUT_S = 2.0
#: Lock timeout for writing an alert; short, because the next verdict writes the alert too.
_ALERT_LOCK_TIMEOUT_S = 0.5
#: A snapshot of a book with more past sessions is saved immediately.
_MANY_SESSIONS = 30
#: Reasons that apply only to accounts with a trade log.
_LOG_REASONS = ("missing_days", "unfinished_line")


class AccountVerdicts:
    """Limit verdicts of a context's accounts; get the shared instance from `account_verdicts`."""

    def __init__(self, context: LedgerContext) -> None:
        self._context = context
        self._ledger, self._settings = context.ledger, context.settings
        self._file = LimitsFile(self._ledger, self._settings.targets_file, lambda: context.now)
        self.books = LiveLimitBooks(self._ledger, self._settings)
        self._groups = GroupBooks(self._ledger, self._settings, self.books)
        context.after_rollback(self.books.invalidate)
        context.after_rollback(self._groups.invalidate)
        self._touched: set[str] = set()
        self._published: dict[str, tuple[object, ...]] = {}
        self._told: dict[str, tuple[str, date]] = {}
        self._names: tuple[object, dict[str, set[str]]] = (None, {})

    def for_account(self, account: str, stale: Iterable[PartialReason] = ()) -> Verdict:
        """Return the current verdict of an account; `stale` lists reasons why the ledger may be incomplete.

        Saves new breaches and publishes their alerts. Raises StoreError if the ledger cannot be read.
        """
        self._file.remember()
        verdict, limits = self._evaluate_account(account, list(stale))
        self._publish(verdict)
        if limits.objectives_of(account):
            self._tell_objectives(verdict)
        return verdict

    def publish_alerts(self) -> None:
        """Open, escalate and resolve incidents of the accounts evaluated since the last call."""
        while self._touched:
            account = self._touched.pop()
            try:
                self.for_account(account)
            except StoreError as error:  # the next verdict retries
                log_event(_log, "tearsheet.untold", level=logging.WARNING, reason=error.message)

    def _evaluate_account(self, account: str, reasons: list[PartialReason]) -> tuple[Verdict, Limits]:
        """Return the verdict of an account, and the limits and objectives by which it was made."""
        with self._ledger.snapshot():
            stated, now = self._file.load(), self._context.now
            live = self._live(account, stated, now)
            verdict = self._verdict(live, stated, now, reasons)
            unsaved, took_long = live.unsaved_breaches(), live.sessions > _MANY_SESSIONS
            groups = stated.limits.groups_of(account)
        if unsaved or (took_long and live.new_snapshot is not None):
            verdict = self._verdict_after_saving(account, verdict, reasons, unsaved)
        of_groups = [self.for_account(group, reasons) for group in groups]
        return with_groups(verdict, of_groups), stated.limits

    def _live(self, account: str, stated: LoadedLimits, now: datetime) -> LiveLimits:
        """Return the book of an account, which follows its equity where an objective counts days by it."""
        limits = stated.limits
        group = limits.groups.get(account)
        if group is not None:
            return self._groups.for_group(account, group, now)
        by_equity = any(one.measure == "equity" for one in limits.objectives_of(account))
        return self.books.for_account(account, limits.for_account(account), now, tracks_equity=by_equity)

    def _publish(self, verdict: Verdict) -> None:
        """Save the alerts of a verdict; a failure is logged and never blocks the verdict."""
        levels = (verdict.trading_day, *((v.name, v.level, v.breach and v.breach.id) for v in verdict.limits))
        if self._published.get(verdict.account) == levels:
            return
        try:
            with self._ledger.lock_timeout(_ALERT_LOCK_TIMEOUT_S):
                self._context.alerts.update_incidents(lambda last: incident_events(verdict, last))
        except (StoreError, InputError) as error:
            log_event(_log, "tearsheet.untold", level=logging.WARNING, reason=error.message)
            return
        self._published[verdict.account] = levels

    def _tell_objectives(self, verdict: Verdict) -> None:
        """Tell objectives that are met, once for each state of the ledger and day; a failure is logged."""
        account = verdict.account
        with self._ledger.snapshot(), exact():
            key = (self._ledger.state_id, verdict.trading_day)
            if self._told.get(account) == key:
                return
            stated = self._file.load()
            views = self._objectives(self._live(account, stated, self._context.now), stated)
        try:
            with self._ledger.lock_timeout(_ALERT_LOCK_TIMEOUT_S):
                self._context.alerts.update_incidents(lambda last: objective_events(verdict, views, last))
        except (StoreError, InputError) as error:
            log_event(_log, "tearsheet.untold", level=logging.WARNING, reason=error.message)
            return
        self._told[account] = key

    def all(self, stale: Iterable[PartialReason] = ()) -> list[Verdict]:
        """Return the verdicts of all accounts that have limits or an active breach."""
        reasons = list(stale)
        self._file.remember()
        names, broken = self._limited_and_broken()
        for account in self._context.alerts.accounts_with_open_limit_alerts() - {*names, *broken}:
            self.for_account(account, reasons)  # resolves incidents whose limits were removed
        verdicts = [self.for_account(account, reasons) for account in names]
        still = (self.for_account(account, reasons) for account in broken)
        return [*verdicts, *(one for one in still if one.state == "breach")]

    def judged_accounts(self, stale: Iterable[PartialReason] = ()) -> list[str]:
        """Return the accounts of `all`; only those whose limits were removed are judged for it."""
        reasons = list(stale)
        names, broken = self._limited_and_broken()
        still = (account for account in broken if self.for_account(account, reasons).state == "breach")
        return [*names, *still]

    def _limited_and_broken(self) -> tuple[list[str], list[str]]:
        """Return the accounts that have limits, and others that have a breach that may be active."""
        with self._ledger.snapshot():
            names = self._limited_accounts()
            return names, sorted(set(BreachTable(self._ledger.queries).accounts()) - set(names))

    def evaluate(self, accounts: Iterable[str]) -> None:
        """Evaluate the limits of changed accounts, inside the transaction of the change."""
        stated, now = self._file.load(), self._context.now
        for account in sorted(accounts):
            owners = stated.limits.groups_of(account)
            if stated.limits.for_account(account).limits or stated.limits.objectives_of(account):
                owners = [account, *owners]
            for owner in owners:
                live = self._live(owner, stated, now)
                self._save_breaches(live, now)
                self._touched.add(owner)
                self._context.after_commit(self.publish_alerts)
        self._file.save_snapshot(stated)

    def status(self, account: str, stale: Iterable[PartialReason] = ()) -> AccountStatus:
        """Return what is left to pass and what is nearest to break, every rule with its numbers.

        Saves new breaches like `for_account`. Raises StoreError if the ledger cannot be read.
        """
        verdict = self.for_account(account, stale)
        with self._ledger.snapshot(), exact():
            stated, now = self._file.load(), self._context.now
            live = self._live(account, stated, now)
            objectives = self._objectives(live, stated)
            return account_status(live.book, verdict, objectives, live.terms)

    def _objectives(self, live: LiveLimits, stated: LoadedLimits) -> tuple[ObjectiveView, ...]:
        """Return where the objectives of an account stand; call it inside a snapshot and `exact()`."""
        account = live.book.account
        found = () if account in stated.limits.groups else stated.limits.objectives_of(account)
        if not found:
            return ()
        reader = ObjectiveReader(self._ledger, self._settings, self.books, live)
        start = self.books.rules.balance_for_shares(account, live.book.context.currency)
        return judge_objectives(found, reader.facts(found, start))

    def release(
        self,
        account: str,
        limit: str,
        actor: str,
        reason: str,
        allowance: Decimal = ZERO,
        key: str | None = None,
    ) -> tuple[BreachRecord, bool]:
        """Release the active breach of a limit; the flag is True if the idempotency key was used before.

        Runs in one write transaction. Raises NotFoundError if the limit has no active breach,
        UsageError if actor or reason is blank or the key was already used for a different request, StoreError.
        """
        content = json.encode(["release", account, limit, actor, reason, allowance])
        receipt = IdempotencyKey.from_request(key, content)
        with self._ledger.writing(frozenset({account})) as queries:
            receipts = IdempotencyTable(queries)
            if (answer := receipts.find(receipt)) is not None:
                return json.decode(answer, type=BreachRecord), True
            stated, now = self._file.load(), self._context.now
            live = self._live(account, stated, now)
            self._save_breaches(live, now)
            record = _release_breach(live.book, limit, actor, reason, allowance, now)
            assert record.release is not None
            BreachTable(queries).release(record.release)
            live.sync_breaches([record])
            self._ledger.acquire_commit_lock()
            self._ledger.bump_revision()
            receipts.save(receipt, json.encode(record).decode(), now)
        _log_release(record.breach, record.release)
        return record, False

    def record_heartbeat(self, account: str) -> None:
        """Save a heartbeat: the account's data source is alive but has no new data."""
        with self._ledger.writing(frozenset({account})) as queries:
            record_heartbeat(queries, [account], self._context.now)

    def breach_history(
        self, account: str | None, number: int, after: PageCursor | None
    ) -> Page[BreachRecord]:
        """Return a page of all breaches and their releases, newest first."""
        with self._ledger.snapshot() as queries:
            return BreachTable(queries).page(account, number, after)

    @property
    def judges_nobody(self) -> bool:
        """Whether limits are stated, and no account was ever heard of that they would be of."""
        with self._ledger.snapshot():
            return self._file.load().limits != Limits() and not self._limited_accounts()

    @property
    def limits_error(self) -> PartialReason | None:
        """Return why the limits may be others: their file cannot be read, or another process has another one."""
        loaded = self._file.load()
        return None if loaded.error is None else PartialReason(loaded.code, loaded.error)

    def unlimited_accounts(self) -> list[str]:
        """Return the known accounts without limits, and without a default that says what this means."""
        with self._ledger.snapshot():
            limited = set(self._limited_accounts())
            return sorted(set(self._ledger.queries.accounts()) - limited)

    def _limited_accounts(self) -> list[str]:
        """Return the accounts to judge: those with limits or in a group, and all if the default has `on_unknown`.

        While the limits file is invalid, every account.
        """
        stated = self._file.load()
        judges_all = stated.error or stated.limits.default.on_unknown
        known = self._ledger.queries.accounts()
        limits = stated.limits
        limited = (a for a in known if judges_all or limits.for_account(a).limits or limits.groups_of(a))
        return sorted({*limited, *stated.limits.accounts, *stated.limits.groups})

    def _verdict_after_saving(
        self, account: str, verdict: Verdict, reasons: list[PartialReason], unsaved: list[Breach]
    ) -> Verdict:
        """Save the breaches and return the verdict; add a `not_kept` reason if saving fails."""
        trouble = f"the ledger {self._ledger.name} is read-only"
        if not self._ledger.read_only:
            try:
                with self._ledger.lock_timeout(_LOCK_TIMEOUT_S):
                    return self._save_and_evaluate(account, reasons)
            except StoreError as error:
                trouble = error.message
        if not unsaved:
            return verdict
        self.books.invalidate()
        reason = VerdictReason("not_kept", trouble)
        return replace(verdict, reasons=(*verdict.reasons, reason))

    def _save_and_evaluate(self, account: str, reasons: list[PartialReason]) -> Verdict:
        with self._ledger.writing(frozenset({account})):
            stated, now = self._file.load(), self._context.now
            live = self._live(account, stated, now)
            if self._save_breaches(live, now):
                self._ledger.acquire_commit_lock()
                self._ledger.bump_revision()
            return self._verdict(live, stated, now, reasons)

    def _save_breaches(self, live: LiveLimits, now: datetime) -> list[Breach]:
        """Save the book's new breaches, equity peak and snapshot; return the breaches."""
        unsaved = live.unsaved_breaches()
        BreachTable(self._ledger.queries).add(unsaved, now)
        live.saved_breaches |= {breach.id for breach in unsaved}
        self.books.save_equity_peak(live)
        self.books.save_equity(live)
        self.books.save_snapshot(live)
        for breach in unsaved:
            log_event(
                _log,
                "tearsheet.breach",
                level=logging.WARNING,
                account=breach.account,
                limit=breach.limit,
                value=breach.value,
                threshold=breach.threshold,
                at=breach.at.isoformat(),
                fill=breach.fill_key,
            )
        return unsaved

    def _verdict(
        self, live: LiveLimits, stated: LoadedLimits, now: datetime, stale: list[PartialReason]
    ) -> Verdict:
        book = live.book
        feed = self._feed_status(live, stated, now)
        partial = [*stale, *feed.partial]
        if stated.error is not None:
            partial.append(PartialReason(stated.code, stated.error))
        if similar := self._similar_accounts(book.account, stated.limits):
            detail = (
                f"{book.account!r} and {', '.join(map(repr, similar))} may be one account with two spellings; "
                "two accounts are both named under `limits: accounts:`"
            )
            partial.append(PartialReason("similar_accounts", detail))
        found = verdict(book, replace(feed, partial=tuple(partial)), now)
        return replace(found, limits_digest=stated.digest)

    def _similar_accounts(self, account: str, limits: Limits) -> list[str]:
        """Return accounts that differ by case and spaces only, unless the limits name each: losses would be split."""
        key = (self._ledger.state_id, tuple(limits.accounts))
        if self._names[0] != key:
            names = by_look((*self._ledger.queries.accounts(), *limits.accounts))
            self._names = (key, names)
        others = self._names[1].get(folded_name(account), set()) - {account}
        return [] if {account, *others} <= limits.accounts.keys() else sorted(others)

    def _feed_status(self, live: LiveLimits, stated: LoadedLimits, now: datetime) -> FeedStatus:
        """Return the completeness and freshness of an account's data, cached by ledger state and day."""
        account, calendar = live.book.account, live.book.context.calendar
        key = (self._ledger.state_id, calendar.trading_day_of(now))
        members = stated.limits.groups.get(account)
        if members is not None:
            return self._group_feed_status(live.book, members.members, now)
        if live.feed_cache[0] != key:
            live.feed_cache = (key, self._ledger_feed_status(live.book, account, now))
        feed = live.feed_cache[1]
        assert isinstance(feed, FeedStatus)
        feeds = account_feeds(self._context, account)
        feed = replace(feed, feeds=feeds, last_update_at=max((one.alive_at for one in feeds), default=None))
        if feed.last_update_at is None and feed.last_fill_at is None:
            detail = f"no fill or heartbeat has been received for {account!r}"
            unheard = PartialReason("nothing_heard", detail)
            return replace(feed, partial=(*feed.partial, unheard))
        return feed

    def _group_feed_status(self, book: LimitBook, members: Sequence[str], now: datetime) -> FeedStatus:
        """Return the data behind a group: all that its members lack, and the age of the one heard least."""
        found = [self._ledger_feed_status(book, member, now) for member in members]
        feeds = [account_feeds(self._context, member) for member in members]
        heard = [max((one.alive_at for one in of_member), default=None) for of_member in feeds]
        unheard = [
            PartialReason("nothing_heard", f"no fill or heartbeat has been received for {member!r}")
            for member, status, at in zip(members, found, heard, strict=True)
            if at is None and status.last_fill_at is None
        ]
        return FeedStatus(
            sequence=self._ledger.revision,
            last_update_at=min((at for at in heard if at is not None), default=None),
            last_fill_at=max((one.last_fill_at for one in found if one.last_fill_at), default=None),
            rejected_lines=sum(one.rejected_lines for one in found),
            partial=(*(reason for one in found for reason in one.partial), *unheard),
            feeds=tuple(feed for of_member in feeds for feed in of_member),
        )

    def _ledger_feed_status(self, book: LimitBook, account: str, now: datetime) -> FeedStatus:
        ledger = self._ledger
        since = first_session_needed(book.plan, book.session)
        begins = EARLIEST if since is None else book.context.calendar.start(since)
        return FeedStatus(
            sequence=ledger.revision,
            last_update_at=None,
            last_fill_at=ledger.queries.last_fill_at(account),
            rejected_lines=ledger.sources.count_rejections(account, begins, LATEST),
            partial=tuple(self._incomplete_reasons(book, account, now)),
        )

    def _incomplete_reasons(self, book: LimitBook, account: str, now: datetime) -> list[PartialReason]:
        """Return why the periods that the limits cover may be incomplete."""
        session = self._settings.calendar.trading_day_of(now)
        window = Window("custom", _first_day(book.plan, session), max(session, book.session) + DAY)
        answers = SummaryBuilder(self._ledger, options_from(self._settings), now)
        found = answers.incompleteness_reasons(window, Scope(account), book.context.currency)
        logged = self._ledger.sources.uses_trade_log(account)
        return [
            reason
            for reason in found
            if reason.code != "rejected_lines" and (logged or reason.code not in _LOG_REASONS)
        ]


def account_verdicts(context: LedgerContext) -> AccountVerdicts:
    """Return the context's shared verdicts, with its cache of limit books."""
    return context.shared(AccountVerdicts)


def _first_day(plan: AccountLimits, session: date) -> date:
    starts = (period_start(limit.type.period, session) for limit in plan.limits)
    return min((start for start in starts if start is not None), default=session)


def _release_breach(
    book: LimitBook, limit: str, actor: str, reason: str, allowance: Decimal, now: datetime
) -> BreachRecord:
    """Return the active breach of a limit with a new release. Raises NotFoundError if no breach is active."""
    breach = next((b for b in book.breach_register.active_in(book.session) if b.limit == limit), None)
    if breach is None:
        raise breach_not_found(book.account, limit)
    readings: Sequence[Decimal | None] = [
        watch.usage.value for watch in book.limit_states if watch.limit.name == limit
    ]
    value = readings[0] if readings and readings[0] is not None else breach.value
    # not before the newest fill in the book, which may be ahead of this clock
    at = max(now, book.at)
    release = make_release(breach, value=value, actor=actor, reason=reason, at=at, allowance=allowance)
    return BreachRecord(breach, release)


def _log_release(breach: Breach, release: Release) -> None:
    log_event(
        _log,
        "tearsheet.release",
        level=logging.WARNING,
        account=breach.account,
        limit=breach.limit,
        actor=release.actor,
        reason=release.reason,
        upto=release.allowed_value,
    )
