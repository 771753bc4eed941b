"""Bookings of events, and what an event has to fit."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal, Inexact
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.trade.amount import EXACT, ZERO, to_plain_string
from tearsheet.trade.event import Event, Gap, GapCode, gap_at
from tearsheet.trade.fill import Fill
from tearsheet.trade.position import Booking, OpenPosition


class MisfitError(Exception):
    """An event that does not fit what is held; nothing changes."""

    def __init__(self, code: GapCode, detail: str) -> None:
        super().__init__(detail)
        self.code: GapCode = code
        self.detail = detail


def event_booking(
    event: Event,
    identity: str,
    quantity: Decimal = ZERO,
    *,
    gross: Decimal = ZERO,
    fees: Decimal = ZERO,
    carry: Decimal = ZERO,
    closes: bool = False,
    cash: Decimal = ZERO,
    price: Decimal = ZERO,
) -> Booking:
    """Return the booking of an event."""
    return Booking(
        identity,
        event.account,
        event.symbol,
        event.currency,
        event.time,
        event.rank,
        event.key,
        0,
        quantity,
        price,
        gross,
        fees,
        closes,
        carry,
        event.kind,
        cash,
    )


def at_most(quantity: Decimal, position: OpenPosition) -> Decimal:
    """Return a quantity that ends. Raises MisfitError if less was open."""
    if quantity > position.left:
        words = f"{to_plain_string(quantity)} end, but {to_plain_string(position.left)} were open"
        raise MisfitError("unmatched_closes", words)
    return quantity


def exact_quotient(numerator: Decimal, denominator: Decimal) -> Decimal:
    """Return a quotient that ends. Raises MisfitError."""
    try:
        return EXACT.divide(numerator, denominator)
    except Inexact:
        words = "the quantity that comes of it does not end, and no cash is stated for the fraction"
        raise MisfitError("contradiction", words) from None


def without_cancelled(fills: Iterable[Fill]) -> list[Fill]:
    """Return fills and events in order, without the fills that others cancel; what their fees leave is a fee.

    A cancellation of no fill that is known stays.
    """
    found = list(fills)
    for cancel in [one for one in found if isinstance(one, Event) and one.kind == "cancel"]:
        match = next((one for one in reversed(found) if _is_cancelled(one, cancel)), None)
        if match is None:
            continue
        found.remove(match)
        fee = EXACT.add(match.commission, cancel.commission)
        place = found.index(cancel)
        found[place : place + 1] = [replace(cancel, kind="trade_fee", amount=-fee)] if fee else []
    return found


def _is_cancelled(fill: Fill, cancel: Event) -> bool:
    return (
        not isinstance(fill, Event)
        and fill.time <= cancel.time
        and (fill.account, fill.symbol, fill.quantity) == (cancel.account, cancel.symbol, cancel.quantity)
        and fill.side is not cancel.side
        and cancel.terms.price in (None, fill.price)
    )


#: Changes that happen to an instrument once a day, however they are stated.
_ONCE_A_DAY = frozenset(("split", "rename", "merger"))
#: Charged several times a day, so that only its instant tells one from another.
_AT_AN_INSTANT = frozenset(("funding",))
_DAY = timedelta(days=1)
_SLACK = timedelta(seconds=2)


class _ToldEvent(Struct):
    event: Event
    imports: frozenset[int]


def without_repeated(
    events: Iterable[Event], imports: Mapping[str, frozenset[int]], zones: Sequence[ZoneInfo]
) -> tuple[list[Event], list[Gap]]:
    """Return events without those that another import tells again, and where two of them contradict each other.

    Rows of one import are never one event. A row of another import is the same event if it has the same content
    and instant, or the same day where one of both states no time; an event without a time is at midnight in one
    of the zones. What the first import says counts.
    """
    told: dict[tuple[object, ...], list[_ToldEvent]] = defaultdict(list)
    gaps: list[Gap] = []
    for event in sorted(events, key=lambda one: (min(imports.get(one.key, (0,))), one.order)):
        own = imports.get(event.key, frozenset())
        others = told[_content(event)]
        same = [one for one in others if not one.imports & own and _is_one_time(one.event, event, zones)]
        if not same:
            others.append(_ToldEvent(event, own))
            continue
        first = min(same, key=lambda one: abs(one.event.time - event.time))
        first.imports |= own
        if _contradicts(first.event, event):
            what = (
                f"{event.account} {event.symbol} at {event.time.isoformat()}: another {event.kind} of the day"
            )
            detail = f"{what} has other terms, and counts"
            gaps.append(gap_at(event, "contradiction", detail))
    return [one.event for own in told.values() for one in own], gaps


def _content(event: Event) -> tuple[object, ...]:
    """Return what events that may be one have in common beside their time."""
    if event.kind in _ONCE_A_DAY:
        return event.kind, event.position_side
    terms, amount = replace(event.terms, held_at=None), event.amount
    return (
        event.kind,
        event.position_side,
        event.side,
        event.quantity,
        event.currency,
        amount,
        event.commission,
        terms,
    )


def _is_one_time(one: Event, other: Event, zones: Sequence[ZoneInfo]) -> bool:
    if abs(one.time - other.time) <= _SLACK:
        return True
    if one.kind in _AT_AN_INSTANT:
        return False
    days, others = _days(one, zones), _days(other, zones)
    if days and others:
        return not days.isdisjoint(others)
    begins, at = (one.time, other.time) if days else (other.time, one.time)
    return bool(days or others) and begins <= at < begins + _DAY


def _days(event: Event, zones: Sequence[ZoneInfo]) -> frozenset[date]:
    """Return the days that an event may be of if it has no time: those that begin with it in a zone."""
    local = (event.time.astimezone(zone) for zone in zones)
    return frozenset(at.date() for at in local if at.time() == time())


def _contradicts(one: Event, other: Event) -> bool:
    """Return whether two changes of a day state terms that differ."""
    own, its = one.terms.ratio, other.terms.ratio
    if own and its and EXACT.multiply(own[0], its[1]) != EXACT.multiply(own[1], its[0]):
        return True
    return len({terms.to for terms in (one.terms, other.terms) if terms.to}) > 1
