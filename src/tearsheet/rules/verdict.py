"""Verdict: the limit status of an account, fail-safe.

A breach takes precedence over every other state. If the data cannot be trusted, the state is
`unknown`, never `ok`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.performance.summary import PartialReason, SourceAge
from tearsheet.rules.breach import Breach
from tearsheet.rules.limit import (
    LIMITS,
    Limit,
    LimitName,
    LimitUnit,
    OnUnknown,
    Severity,
    format_usage,
    is_within,
    period_end,
)
from tearsheet.rules.limit_book import LimitBook, LimitState
from tearsheet.rules.limit_usage import UNKNOWN_USAGE, is_breached
from tearsheet.trade.amount import exact
from tearsheet.trade.session import is_ahead

VerdictState = Literal["ok", "warn", "breach", "unknown"]
#: States of a verdict, the worst first.
WORST_FIRST: tuple[VerdictState, ...] = ("breach", "unknown", "warn", "ok")
SCHEMA = "tearsheet.verdict/1"

#: Why an account without limits is named, but not judged.
UNLIMITED_REASON = (
    "no limits apply to it; `on_unknown` under `limits: default:` judges such accounts as unknown"
)

UNKNOWN_CODES = {
    "no_limits": "no limits are configured for this account",
    "store_unavailable": "the ledger is unavailable",
    "nothing_heard": "no data has ever been received for this account",
    "similar_accounts": "another account looks the same: it differs by case, spaces or look-alike letters only",
    "group_unknown": "the limits of a group of the account are unknown",
    "stale_feed": "the account's data is older than `stale_after`",
    "behind": "new fills have not been evaluated yet",
    "rejected_lines": "rejected rows may belong to this account",
    "clock_back": "the system clock is earlier than the latest event",
    "not_begun": "a limit counts from a date that lies ahead",
    "missing_marks": "a limit needs a mark price for an open position",
    "no_starting_balance": "a limit is a share of a balance that nobody stated",
    "bad_limits": "the limits file cannot be read; the previous limits stay in effect",
    "other_limits": "another process judged by another limits file within the last minutes",
    "not_kept": "a breach was detected but could not be saved",
    "other_currencies": "the account traded in a currency other than that of its limits, and a rate is missing",
}


class SourceFeed(Struct, frozen=True, kw_only=True):
    """What a source of an account said last, and when it was last known to be alive.

    One that is not `needed` may be silent: the account is as stale as the stalest of the others.
    """

    kind: Literal["log", "posts", "statement", "heartbeat"]
    name: str
    last_at: datetime
    alive_at: datetime
    needed: bool = True

    def age_s(self, now: datetime) -> float:
        """Return the seconds since it was last known to be alive."""
        return max(now - self.alive_at, timedelta(0)) / timedelta(seconds=1)


class FeedStatus(Struct, frozen=True, kw_only=True):
    """State of the data behind a verdict.

    `sequence` is the ledger's revision. `last_update_at` is the last time that any source of the account said
    something, `feeds` what each of them did. `store_error` is set if the ledger cannot be read.
    """

    sequence: int
    last_update_at: datetime | None
    last_fill_at: datetime | None = None
    rejected_lines: int = 0
    partial: tuple[PartialReason, ...] = ()
    store_error: str | None = None
    feeds: tuple[SourceFeed, ...] = ()


class VerdictReason(Struct, frozen=True):
    """Reason why a verdict is not `ok`: code, detail, and the limit it applies to, if only one."""

    code: str
    detail: str
    limit: LimitName | None = None


class LimitView(Struct, frozen=True, kw_only=True):
    """Status of one limit. `used` is value ÷ threshold; `headroom` the remaining amount.

    `warned_at` is the highest warning percentage reached, `moved_by` the fill that last changed the
    value in this period. During an active `breach` the `value` may be within the threshold again.
    `standing` is the balance or equity that is judged and `floor` what it must stay above, where the starting balance
    is known.
    """

    name: LimitName
    level: VerdictState
    unit: LimitUnit
    value: Decimal | None
    threshold: Decimal | None
    used: Decimal | None
    headroom: Decimal | None
    warned_at: Decimal | None
    moved_by: str | None
    moved_at: datetime | None
    resets_at: datetime | None
    on_unknown: OnUnknown
    breach: Breach | None
    note: str | None = None
    standing: Decimal | None = None
    floor: Decimal | None = None
    severity: Severity = "fail"


class Verdict(Struct, frozen=True, kw_only=True):
    """Limit status of an account for risk managers; `policy` applies while it is `unknown`.

    `data_age_s` is the age of its stalest source that may not be silent, `feeds` what each said last.
    `preset` names what fills in the limits, with its version; `preset_cautions` what is to be known of it.
    `limits_digest` is the hash of the limits file that judged, None where the ledger's last known limits did.
    """

    schema: str = SCHEMA
    account: str
    state: VerdictState
    must_be_flat: bool
    policy: OnUnknown
    currency: str
    trading_day: date
    resets_at: datetime
    as_of: datetime
    last_fill_at: datetime | None
    data_age_s: float | None
    sequence: int
    limits: tuple[LimitView, ...]
    reasons: tuple[VerdictReason, ...]
    feeds: tuple[SourceAge, ...] = ()
    preset: str | None = None
    preset_cautions: tuple[str, ...] = ()
    limits_digest: str | None = None


def verdict(book: LimitBook, feed: FeedStatus, now: datetime) -> Verdict:
    """Compute the verdict from an account's limits and the state of its data.

    Advances the book's clock to `now`, which can start a trading day or end the trading hours; new
    breaches are part of the verdict.
    """
    seen = max(book.at, feed.last_update_at or book.at, feed.last_fill_at or book.at)
    book.evaluate(now)
    with exact():
        uncertain = list(_uncertainty_reasons(book, feed, now, seen))
        views = (*_limit_views(book, feed, now, uncertain), *_removed_limit_views(book))
    unknown = [view for view in views if view.level == "unknown"]
    policy: OnUnknown = "breach" if any(v.on_unknown == "breach" for v in unknown) else "hold"
    if not book.plan.limits:
        policy = book.plan.on_unknown or "hold"
    state = _state(views, uncertain)
    calendar = book.context.calendar
    return Verdict(
        account=book.account,
        state=state,
        must_be_flat=state == "breach" or (state == "unknown" and policy == "breach"),
        policy=policy,
        currency=book.context.currency,
        trading_day=book.session,
        resets_at=calendar.end(book.session),
        as_of=now,
        last_fill_at=_latest_update(feed.last_fill_at, book.last_fill_at),
        data_age_s=_age(book, feed, now),
        sequence=feed.sequence,
        limits=views,
        reasons=(*_breaches(book, views), *uncertain, *_warnings(book, views)),
        feeds=tuple(_source_age(book, one, now) for one in feed.feeds),
        preset=book.plan.preset.label if book.plan.preset else None,
        preset_cautions=book.plan.preset.cautions(now.date()) if book.plan.preset else (),
    )


def with_groups(verdict: Verdict, groups: Sequence[Verdict]) -> Verdict:
    """Return the verdict of an account whose groups count for it, too: it is as broken, or as unknown, as they are."""
    if groups and any(reason.code == "no_limits" for reason in verdict.reasons):
        verdict = _judged_by_groups(verdict, groups)
    broken = [one for one in groups if one.state == "breach"]
    unknown = [one for one in groups if one.state == "unknown"]
    reasons = [
        VerdictReason("group_breach", f"{one.account}: {reason.detail}", reason.limit)
        for one in broken
        for reason in one.reasons
        if reason.code == "breach"
    ]
    if broken:
        return replace(verdict, state="breach", must_be_flat=True, reasons=(*reasons, *verdict.reasons))
    if not unknown or verdict.state == "breach":
        return verdict
    own = {reason.detail for reason in verdict.reasons}
    reasons = [
        VerdictReason("group_unknown", f"{one.account}: {reason.code}: {reason.detail}", reason.limit)
        for one in unknown
        for reason in one.reasons
        if reason.code not in ("breach", "warn") and reason.detail not in own
    ]
    policies = [one.policy for one in (*unknown, *([verdict] if verdict.state == "unknown" else []))]
    policy: OnUnknown = "breach" if "breach" in policies else "hold"
    return replace(
        verdict,
        state="unknown",
        must_be_flat=policy == "breach",
        policy=policy,
        reasons=(*verdict.reasons, *reasons),
    )


def _judged_by_groups(verdict: Verdict, groups: Sequence[Verdict]) -> Verdict:
    """Return the verdict of an account that has no limits of its own: those of its groups are."""
    reasons = tuple(reason for reason in verdict.reasons if reason.code != "no_limits")
    if verdict.state != "unknown" or any(reason.code not in ("breach", "warn") for reason in reasons):
        return replace(verdict, reasons=reasons)
    state: VerdictState = "warn" if any(one.state == "warn" for one in groups) else "ok"
    return replace(verdict, state=state, must_be_flat=False, reasons=reasons)


def worst_state(verdicts: Iterable[Verdict]) -> VerdictState:
    """Return the worst state of several verdicts; `unknown` without any."""
    states = {one.state for one in verdicts} or {"unknown"}
    return next(state for state in WORST_FIRST if state in states)


def _state(views: tuple[LimitView, ...], uncertain: list[VerdictReason]) -> VerdictState:
    levels = {view.level for view in views}
    if "breach" in levels:
        return "breach"
    if uncertain or "unknown" in levels:
        return "unknown"
    return "warn" if "warn" in levels else "ok"


def _uncertainty_reasons(
    book: LimitBook, feed: FeedStatus, now: datetime, seen: datetime
) -> Iterator[VerdictReason]:
    """Yield every reason why the status of the account or of one limit is unknown."""
    if not book.plan.limits:
        yield VerdictReason("no_limits", f"no limits are set for {book.account}")
    if feed.store_error is not None:
        yield VerdictReason("store_unavailable", feed.store_error)
    if is_ahead(seen, now):
        detail = f"it shows {now.isoformat()}, but {seen.isoformat()} has passed"
        yield VerdictReason("clock_back", detail)
    yield from _stale_reasons(book, feed, now)
    if feed.rejected_lines:
        number = feed.rejected_lines
        detail = f"{number} line{'s' if number != 1 else ''}; see `tearsheet rejections`"
        yield VerdictReason("rejected_lines", detail)
    said = {"clock_back"} if is_ahead(seen, now) else set()
    if feed.rejected_lines:
        said.add("rejected_lines")
    for reason in feed.partial:
        if reason.code not in said:
            yield VerdictReason(reason.code, reason.detail)
    if book.other_currencies:
        named = ", ".join(sorted(book.other_currencies))
        yield VerdictReason("other_currencies", f"{named} beside {book.context.currency}")
    for state in book.limit_states:
        since = state.limit.since
        if since is not None and book.session < since:
            yield VerdictReason("not_begun", f"it counts from {since.isoformat()} on", state.limit.name)
        yield from _unknown_levels(book, state.limit)


def _unknown_levels(book: LimitBook, limit: Limit) -> Iterator[VerdictReason]:
    """Yield what a limit needs of an account's balance and equity that is not known."""
    if limit.needs_starting_balance and book.context.facts.starting_balance is None:
        detail = "it is a share of the balance: state `starting_balance` with `tearsheet accounts set`"
        yield VerdictReason("no_starting_balance", detail, limit.name)
    if limit.counts_open and book.sums.pnl_open is None:
        missing = ", ".join(book.missing_marks) or "no price since the last fill"
        yield VerdictReason("missing_marks", missing, limit.name)
    elif limit.needs_opening_equity and book.sums.open_at_open is None:
        yield VerdictReason("missing_marks", "no price of what was open when the day began", limit.name)


def _stale_reasons(book: LimitBook, feed: FeedStatus, now: datetime) -> Iterator[VerdictReason]:
    if feed.last_fill_at is not None and book.processed_until < feed.last_fill_at < _day_end(book):
        yield VerdictReason("behind", f"the ledger's last fill is of {feed.last_fill_at.isoformat()}")
    allowed, age = book.plan.stale_after, _age(book, feed, now)
    if allowed is None or not _is_within_hours(book, now):
        return
    if feed.feeds and not any(one.needed for one in feed.feeds):
        return
    if age is None:
        if all(reason.code != "nothing_heard" for reason in feed.partial):
            yield VerdictReason("nothing_heard", "no fill and no heartbeat received")
    elif age > allowed / timedelta(seconds=1):
        allowed_s = allowed // timedelta(seconds=1)
        late = [one for one in feed.feeds if one.needed and one.age_s(now) > allowed_s]
        said = ", ".join(f"{one.name} {int(one.age_s(now))} s ago" for one in late) or f"{int(age)} s ago"
        yield VerdictReason("stale_feed", f"last heard: {said}; allowed are {allowed_s} s")


def _day_end(book: LimitBook) -> datetime:
    """Return the end of the current trading day; a fill after it counts once its day has begun."""
    return book.context.calendar.end(book.session)


def _is_within_hours(book: LimitBook, now: datetime) -> bool:
    """Return whether updates are expected now: within the trading hours, or always without them."""
    limit, calendar = book.plan.get("trading_hours"), book.context.calendar
    if limit is None:
        return True
    return calendar.is_weekday(book.session) and is_within(limit.trading_hours, now, calendar.timezone)


def _source_age(book: LimitBook, feed: SourceFeed, now: datetime) -> SourceAge:
    allowed = book.plan.stale_after
    state: Literal["ok", "stale", "quiet"] = "quiet"
    if feed.needed and allowed is not None and _is_within_hours(book, now):
        state = "stale" if feed.age_s(now) > allowed / timedelta(seconds=1) else "ok"
    age = max(now - feed.last_at, timedelta(0)) / timedelta(seconds=1)
    return SourceAge(kind=feed.kind, name=feed.name, last_at=feed.last_at, age_s=age, state=state)


def _age(book: LimitBook, feed: FeedStatus, now: datetime) -> float | None:
    """Return the age of the stalest source that is needed; of the last one heard, if all may be silent."""
    if ages := [one.age_s(now) for one in feed.feeds if one.needed]:
        return max(ages)
    latest = _latest_update(feed.last_update_at, _latest_update(feed.last_fill_at, book.last_fill_at))
    return None if latest is None else max(now - latest, timedelta(0)) / timedelta(seconds=1)


def _latest_update(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _limit_views(
    book: LimitBook, feed: FeedStatus, now: datetime, uncertain: list[VerdictReason]
) -> Iterator[LimitView]:
    for state in book.limit_states:
        is_unknown = any(_concerns(reason, state.limit) for reason in uncertain)
        yield _limit_view(book, state, now, is_unknown=is_unknown, unreadable=feed.store_error is not None)


def _concerns(reason: VerdictReason, limit: Limit) -> bool:
    """Return whether a reason makes the status of a limit unknown; money in another currency not of a quantity."""
    if reason.code == "other_currencies" and not limit.counts_money:
        return False
    return reason.limit in (None, limit.name)


def _limit_view(
    book: LimitBook, state: LimitState, now: datetime, *, is_unknown: bool, unreadable: bool
) -> LimitView:
    limit, change = state.limit, state.moved_by
    usage = UNKNOWN_USAGE if unreadable else state.usage
    breach = book.breach_register.active(limit.name, state.start)
    muted = _warning_muted_reason(book, state, now)
    level: VerdictState = "ok"
    if breach is not None:
        level = "breach"
    elif is_unknown:
        level = "unknown"
    elif state.level and muted is None:
        level = "warn"
    return LimitView(
        name=limit.name,
        level=level,
        unit=limit.type.unit,
        value=usage.value,
        threshold=usage.threshold,
        used=usage.used,
        headroom=usage.headroom,
        warned_at=limit.warn_at[state.level - 1] if state.level and not unreadable else None,
        moved_by=change.fill_key if change else None,
        moved_at=change.at if change else None,
        resets_at=_resets_at(book, limit.name),
        on_unknown=limit.on_unknown,
        breach=breach,
        note=_view_note(book, state, breach) or (muted if state.level else None),
        standing=usage.standing,
        floor=usage.floor,
        severity=limit.severity,
    )


def _warning_muted_reason(book: LimitBook, state: LimitState, now: datetime) -> str | None:
    limit, trades = state.limit, book.sums.trades
    if trades < limit.min_trades:
        return f"no warning before {limit.min_trades} closed trades, {trades} so far"
    if is_within(limit.mute_windows, now, book.context.calendar.timezone):
        return "warnings are muted at this time"
    return None


def _view_note(book: LimitBook, state: LimitState, breach: Breach | None) -> str | None:
    """Return a note if value and level seem to contradict each other."""
    if breach is None and state.limit.judged == "end_of_day" and is_breached(state.limit, state.usage):
        return "beyond the limit now; it is judged when the day ends"
    if breach is not None and not is_breached(state.limit, state.usage):
        why = (
            "the books have changed since"
            if _has_vanished(book, state, breach)
            else "it is back within the limit"
        )
        return f"breached at {_of(breach.limit, breach.value, breach.threshold)}; {why}"
    release = book.breach_register.latest_release(state.limit.name, state.start)
    if breach is None and release is not None:
        allowed = format_usage(state.limit.name, release.allowed_value)
        return f"released by {release.actor}: {release.reason}. It will be breached again beyond {allowed}"
    return None


def _has_vanished(book: LimitBook, state: LimitState, breach: Breach) -> bool:
    """Return whether today's fills no longer lead to a breach that one of them caused.

    What marks or time alone caused is not in the books, and past days are there as sums only.
    """
    if breach.fill_key is None or breach.trading_day != book.session or state.limit.needs_marks:
        return False
    return state.worst is None or state.worst < breach.value


def _of(name: LimitName, value: Decimal | None, threshold: Decimal | None) -> str:
    return f"{format_usage(name, value)} of {format_usage(name, threshold)}"


def _removed_limit_views(book: LimitBook) -> Iterator[LimitView]:
    """Yield active breaches of limits that were removed from the file."""
    for breach in book.breach_register.active_in(book.session):
        if book.plan.get(breach.limit) is None:
            yield LimitView(
                name=breach.limit,
                level="breach",
                unit=LIMITS[breach.limit].unit,
                value=None,
                threshold=breach.threshold,
                used=None,
                headroom=None,
                warned_at=None,
                moved_by=None,
                moved_at=None,
                resets_at=_resets_at(book, breach.limit),
                on_unknown="hold",
                breach=breach,
                note="this limit was removed from the file",
            )


def _resets_at(book: LimitBook, name: LimitName) -> datetime | None:
    end = period_end(LIMITS[name].period, book.session)
    return None if end is None else book.context.calendar.start(end)


def _breaches(book: LimitBook, views: tuple[LimitView, ...]) -> Iterator[VerdictReason]:
    zone = book.context.calendar.timezone
    for view in views:
        if view.breach is not None:
            at = f"{view.breach.at.astimezone(zone):%Y-%m-%d %H:%M:%S} ({zone.key})"
            yield VerdictReason(
                "breach",
                f"{_of(view.name, view.breach.value, view.breach.threshold)}{_money(book, view)} at {at}",
                view.name,
            )


def _warnings(book: LimitBook, views: tuple[LimitView, ...]) -> Iterator[VerdictReason]:
    for view in views:
        if view.level == "warn" and view.value is not None and view.threshold is not None:
            detail = f"{_of(view.name, view.value, view.threshold)}{_money(book, view)}"
            yield VerdictReason("warn", f"{detail}, warned from {view.warned_at} %", view.name)


def _money(book: LimitBook, view: LimitView) -> str:
    return f" {book.context.currency}" if view.unit == "money" else ""
