"""Events: what changes a position or an account without a trade.

An event stands in one order with the fills of its account and instrument. `CARRY` are amounts that holding
an instrument costs or pays; they belong to the position that was held.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args

from msgspec import Struct

from tearsheet.trade.amount import ZERO, to_plain_string
from tearsheet.trade.fill import Fill, digest

Carry = Literal[
    "funding",
    "swap",
    "dividend",
    "payment_in_lieu",
    "borrow_fee",
    "coupon",
    "accrued_interest",
    "rebate",
    "commission_adjustment",
]
#: A fee that has a row of its own.
FeeRow = Literal["trade_fee"]
EventKind = Literal[Carry, FeeRow]
CARRY: frozenset[str] = frozenset(get_args(Carry))
EVENT_KINDS: tuple[EventKind, ...] = (*get_args(Carry), *get_args(FeeRow))


class EventTerms(Struct, frozen=True, omit_defaults=True):
    """Terms of an event besides its amount.

    `held_at` is the instant at which the position that bears it was held, such as the beginning of an
    ex-date; without one it is the time of the event.
    """

    held_at: datetime | None = None


NO_TERMS = EventTerms()


class Event(Fill, frozen=True, gc=False, kw_only=True):
    """One event. `amount` is signed money in `currency`: below 0 was paid."""

    kind: EventKind
    amount: Decimal = ZERO
    terms: EventTerms = NO_TERMS


def event_key(event_id: str, kind: str) -> str:
    """Return the key of an event with an id of the broker, which is unique within its kind."""
    return f"e:{kind}:{event_id}"


def event_content_key(
    *, account: str, symbol: str, time: datetime, kind: str, amount: Decimal, occurrence: int
) -> str:
    """Return the key of an event without an id: content hash and number of equal events before."""
    content = "\0".join((account, symbol, time.isoformat(), kind, to_plain_string(amount)))
    return f"e:{digest(content)}:{occurrence}"
