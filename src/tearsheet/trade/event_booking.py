"""Bookings of events, and what an event has to fit."""

from collections.abc import Iterable
from decimal import Decimal, Inexact

from msgspec.structs import replace

from tearsheet.trade.amount import EXACT, ZERO, to_plain_string
from tearsheet.trade.event import Event, GapCode
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
