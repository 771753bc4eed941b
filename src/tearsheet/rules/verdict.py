"""The verdict: may this account go on trading? It fails safe.

A breach beats everything; where the books cannot be trusted the answer is `unknown`, never `ok`.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from tearsheet.performance.summary import PartialReason
from tearsheet.rules.breach import Breach
from tearsheet.rules.limit import LIMITS, LimitName, LimitUnit, OnUnknown, is_within, period_end
from tearsheet.rules.limit_book import LimitBook, LimitState
from tearsheet.rules.limit_usage import UNKNOWN_USAGE, is_breached
from tearsheet.trade.amount import exact, to_plain_string

VerdictState = Literal["ok", "warn", "breach", "unknown"]
_WORST_FIRST: tuple[VerdictState, ...] = ("breach", "unknown", "warn", "ok")
SCHEMA = "tearsheet.verdict/1"
#: How far fills may lie in the future before the clock is not believed.
CLOCK_TOLERANCE = timedelta(seconds=60)

UNKNOWN_CODES = {
    "no_limits": "the account has no limits, so nothing can be said",
    "store_unavailable": "the ledger cannot be read now",
    "nothing_heard": "nothing was ever heard of the account's source",
    "stale_feed": "the source was last heard longer ago than `stale_after` allows",
    "behind": "the ledger holds a later fill than the limits have seen",
    "rejected_lines": "lines that may concern the account could not be read",
    "clock_back": "the clock stands before what has already happened",
    "missing_marks": "a limit needs the price of something that is open",
    "bad_limits": "the limits file cannot be read; what it said before is held meanwhile",
    "not_kept": "a breach was found now that the ledger could not keep",
    "other_currencies": "the account trades in a currency that its limits are not in",
}


class FeedStatus(Struct, frozen=True, kw_only=True):
    """How far the data behind a verdict can be trusted.

    `sequence` is the ledger's revision. `heard_at` is when the source last said something, a look
    at it that found nothing new counts; `trouble` says why the ledger cannot be read.
    """

    sequence: int
    last_update_at: datetime | None
    last_fill_at: datetime | None = None
    rejected_lines: int = 0
    partial: tuple[PartialReason, ...] = ()
    store_error: str | None = None


class VerdictReason(Struct, frozen=True):
    """Why a verdict is not `ok`: a code, the particulars, and the limit that it concerns, if one."""

    code: str
    detail: str
    limit: LimitName | None = None


class LimitView(Struct, frozen=True, kw_only=True):
    """One limit as shown. `used` is value / threshold; `headroom` what is left until it breaks.

    `warned_at` is the highest warning percentage crossed, `moved_by` the fill that last changed the
    value in this period. `value` may have come back behind a `breach` that still holds.
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


class Verdict(Struct, frozen=True, kw_only=True):
    """The answer that a risk manager polls. `policy` says what to do while it is `unknown`."""

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


def verdict(book: LimitBook, feed: FeedStatus, now: datetime) -> Verdict:
    """Judge an account by its book and by how far the data can be trusted.

    Time is passed on the book, which may begin a day or end the trading hours; a breach found so
    stands in the limits of the verdict like any other.
    """
    clock_back = now + CLOCK_TOLERANCE < book.at
    book.evaluate(now)
    with exact():
        doubts = list(_uncertainty_reasons(book, feed, now, clock_back=clock_back))
        views = (*_limit_views(book, feed, now, doubts), *_removed_limit_views(book))
    concerned = [view for view in views if view.level == "unknown"]
    policy: OnUnknown = "breach" if any(v.on_unknown == "breach" for v in concerned) else "hold"
    state = _state(views, doubts)
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
        reasons=(*_breaches(views), *doubts, *_warnings(views)),
    )


def worst_state(verdicts: Iterable[Verdict]) -> VerdictState:
    """The state that several verdicts come to; without any nothing is known."""
    states = {found.state for found in verdicts} or {"unknown"}
    return next(level for level in _WORST_FIRST if level in states)


def _state(views: tuple[LimitView, ...], doubts: list[VerdictReason]) -> VerdictState:
    levels = {view.level for view in views}
    if "breach" in levels:
        return "breach"
    if doubts or "unknown" in levels:
        return "unknown"
    return "warn" if "warn" in levels else "ok"


def _uncertainty_reasons(
    book: LimitBook, feed: FeedStatus, now: datetime, *, clock_back: bool
) -> Iterator[VerdictReason]:
    """Every reason for which the account as a whole, or one of its limits, cannot be judged."""
    if not book.plan.limits:
        yield VerdictReason("no_limits", f"the limits file has none for {book.account}")
    if feed.store_error is not None:
        yield VerdictReason("store_unavailable", feed.store_error)
    if clock_back:
        detail = f"it shows {now.isoformat()}, but {book.at.isoformat()} has passed"
        yield VerdictReason("clock_back", detail)
    yield from _stale_reasons(book, feed, now)
    if feed.rejected_lines:
        number = feed.rejected_lines
        detail = f"{number} line{'s' if number != 1 else ''}; see `tearsheet rejections`"
        yield VerdictReason("rejected_lines", detail)
    for reason in feed.partial:
        if not (reason.code == "rejected_lines" and feed.rejected_lines):
            yield VerdictReason(reason.code, reason.detail)
    if book.other_currencies:
        named = ", ".join(sorted(book.other_currencies))
        yield VerdictReason("other_currencies", f"{named} beside {book.context.currency}")
    for watch in book.limit_states:
        if watch.limit.needs_marks and book.sums.pnl_open is None:
            missing = ", ".join(book.missing_marks) or "no price since the last fill"
            yield VerdictReason("missing_marks", missing, watch.limit.name)


def _stale_reasons(book: LimitBook, feed: FeedStatus, now: datetime) -> Iterator[VerdictReason]:
    if feed.last_fill_at is not None and feed.last_fill_at > book.processed_until:
        yield VerdictReason("behind", f"the ledger's last fill is of {feed.last_fill_at.isoformat()}")
    allowed, age = book.plan.stale_after, _age(book, feed, now)
    if allowed is None or not _is_within_hours(book, now):
        return
    if age is None:
        yield VerdictReason("nothing_heard", "no fill and no look at the source")
    elif age > allowed / timedelta(seconds=1):
        wanted = allowed // timedelta(seconds=1)
        yield VerdictReason("stale_feed", f"last heard {int(age)} s ago, allowed are {wanted} s")


def _is_within_hours(book: LimitBook, now: datetime) -> bool:
    """Whether the source is expected to speak: within trading hours, always where there are none."""
    limit, calendar = book.plan.get("trading_hours"), book.context.calendar
    if limit is None:
        return True
    return calendar.is_weekday(book.session) and is_within(limit.trading_hours, now, calendar.timezone)


def _age(book: LimitBook, feed: FeedStatus, now: datetime) -> float | None:
    heard = _latest_update(feed.last_update_at, _latest_update(feed.last_fill_at, book.last_fill_at))
    return None if heard is None else max(now - heard, timedelta(0)) / timedelta(seconds=1)


def _latest_update(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _limit_views(
    book: LimitBook, feed: FeedStatus, now: datetime, doubts: list[VerdictReason]
) -> Iterator[LimitView]:
    for watch in book.limit_states:
        doubted = any(reason.limit in (None, watch.limit.name) for reason in doubts)
        yield _limit_view(book, watch, now, doubted=doubted, unread=feed.store_error is not None)


def _limit_view(
    book: LimitBook, watch: LimitState, now: datetime, *, doubted: bool, unread: bool
) -> LimitView:
    limit, moved = watch.limit, watch.moved_by
    reading = UNKNOWN_USAGE if unread else watch.usage
    breach = book.breach_register.active(limit.name, watch.start)
    quiet = _warning_muted_reason(book, watch, now)
    level: VerdictState = "ok"
    if breach is not None:
        level = "breach"
    elif doubted:
        level = "unknown"
    elif watch.level and quiet is None:
        level = "warn"
    return LimitView(
        name=limit.name,
        level=level,
        unit=limit.type.unit,
        value=reading.value,
        threshold=reading.threshold,
        used=reading.used,
        headroom=reading.headroom,
        warned_at=limit.warn_at[watch.level - 1] if watch.level and not unread else None,
        moved_by=moved.fill_key if moved else None,
        moved_at=moved.at if moved else None,
        resets_at=_resets_at(book, limit.name),
        on_unknown=limit.on_unknown,
        breach=breach,
        note=_view_note(book, watch, breach) or (quiet if watch.level else None),
    )


def _warning_muted_reason(book: LimitBook, watch: LimitState, now: datetime) -> str | None:
    """Why a warning is not given now."""
    limit, trades = watch.limit, book.sums.trades
    if trades < limit.min_trades:
        return f"no warning before {limit.min_trades} closed trades, {trades} so far"
    if is_within(limit.mute_windows, now, book.context.calendar.timezone):
        return "no warning in a silence window"
    return None


def _view_note(book: LimitBook, watch: LimitState, breach: Breach | None) -> str | None:
    """What a reader must know where value and level seem to disagree."""
    if breach is not None and not is_breached(watch.limit, watch.usage):
        value, threshold = to_plain_string(breach.value), to_plain_string(breach.threshold)
        return f"latched at {value} of {threshold}; the books have changed since"
    release = book.breach_register.latest_release(watch.limit.name, watch.start)
    if breach is None and release is not None:
        allowed = to_plain_string(release.allowed_value)
        return f"released by {release.actor}: {release.reason}; it breaks beyond {allowed}"
    return None


def _removed_limit_views(book: LimitBook) -> Iterator[LimitView]:
    """Breaches that hold although their limit is gone from the file."""
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
                note="the limit is gone from the file",
            )


def _resets_at(book: LimitBook, name: LimitName) -> datetime | None:
    end = period_end(LIMITS[name].period, book.session)
    return None if end is None else book.context.calendar.start(end)


def _breaches(views: tuple[LimitView, ...]) -> Iterator[VerdictReason]:
    for view in views:
        if view.breach is not None:
            at = view.breach
            detail = f"{to_plain_string(at.value)} of {to_plain_string(at.threshold)} at {at.at.isoformat()}"
            yield VerdictReason("breach", detail, view.name)


def _warnings(views: tuple[LimitView, ...]) -> Iterator[VerdictReason]:
    for view in views:
        if view.level == "warn" and view.value is not None and view.threshold is not None:
            detail = f"{to_plain_string(view.value)} of {to_plain_string(view.threshold)}"
            yield VerdictReason("warn", f"{detail}, warned from {view.warned_at} %", view.name)
