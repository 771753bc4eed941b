"""Bookings of fills and events together, in one order, for instruments that have events."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.event import CARRY, Event
from tearsheet.trade.fill import Fill
from tearsheet.trade.position import Book, Booking, StreamKey, stream_key

#: Exchanges charge funding up to a minute late.
_LATE = timedelta(minutes=1)
#: Carry that is charged at an instant; other carry may come long after the position was closed.
_AT_ONCE = frozenset(("funding", "swap"))


class EventBook(Book):
    """Book that applies events; it begins where all of its streams are flat, and keeps every closed position."""

    def __init__(self) -> None:
        super().__init__()
        #: places in `closed` of the closed positions of each stream
        self._ended: dict[StreamKey, list[int]] = defaultdict(list)
        self._listed = 0

    def book_all(self, fills: Iterable[Fill]) -> list[Booking]:
        """Return the bookings of fills and events given in order."""
        bookings: list[Booking] = []
        for fill in fills:
            if isinstance(fill, Event):
                with exact():
                    bookings += self._apply(fill)
            else:
                bookings += super().book_all((fill,))
        return bookings

    def _apply(self, event: Event) -> list[Booking]:
        fees = ZERO if event.kind in CARRY else -event.amount
        carry = event.amount if event.kind in CARRY else ZERO
        identity = self._charge(event, carry, fees)
        return [_booking(event, identity, carry, fees)]

    def _charge(self, event: Event, carry: Decimal, fees: Decimal) -> str:
        """Add carry and fees to the position that bears them; return its id, "" if there is none."""
        at = event.terms.held_at or event.time
        position = self._open.get(stream_key(event))
        if position is not None and (position.opened_at is None or position.opened_at <= at):
            position.carry += carry
            position.fees += fees
            position.last = event
            return position.id
        place = self._closed_place(event, at)
        if place is None:
            return ""
        closed = self.closed[place]
        self.closed[place] = replace(
            closed,
            carry=closed.carry + carry,
            fees=closed.fees + fees,
            last_at=event.time,
            last_rank=event.rank,
            last_key=event.key,
        )
        return closed.id

    def _closed_place(self, event: Event, at: datetime) -> int | None:
        """Return the place of the closed position that bears an event: held at the instant, else the last one."""
        for place in range(self._listed, len(self.closed)):
            position = self.closed[place]
            key = (position.account, position.symbol)
            self._ended[key if position.position_side is None else (*key, position.position_side)].append(
                place
            )
        self._listed = len(self.closed)
        places = self._ended.get(stream_key(event), [])
        before = [p for p in places if (self.closed[p].opened_at or at) <= at]
        if not before:
            return None
        last = before[-1]
        ended = self.closed[last].closed_at
        assert ended is not None
        is_held = event.terms.held_at is not None
        if is_held:
            return last if ended >= at else None
        return last if event.kind not in _AT_ONCE or at - ended <= _LATE else None


def _booking(event: Event, identity: str, carry: Decimal, fees: Decimal) -> Booking:
    return Booking(
        identity,
        event.account,
        event.symbol,
        event.currency,
        event.time,
        event.rank,
        event.key,
        0,
        ZERO,
        ZERO,
        ZERO,
        fees,
        False,
        carry,
        event.kind,
    )
