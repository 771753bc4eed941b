"""Bookings of fills and events together, in one order, for instruments that have events.

Over any change of a position its cost is conserved: what a split, a merger or a transfer leaves is what was
paid. Cash that a change pays is taken from the cost, and is a result beyond it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import copy
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from tearsheet.trade.amount import ONE, ZERO, exact, proportional_share, ratio, to_plain_string, trade_value
from tearsheet.trade.event import CARRY, CASH, Event, EventTerms, GapCode, gap_at
from tearsheet.trade.event_booking import (
    MisfitError,
    at_most,
    event_booking,
    exact_quotient,
    without_cancelled,
)
from tearsheet.trade.fill import Fill, Side
from tearsheet.trade.partial_book import PartialBook
from tearsheet.trade.position import UNKNOWN_COST, Booking, OpenPosition, StreamKey, stream_key

#: Exchanges charge funding up to a minute late.
_LATE = timedelta(minutes=1)
#: Carry that is charged at an instant; other carry may come long after the position was closed.
_AT_ONCE = frozenset(("funding", "swap"))
_MOVED = "moved"


class EventBook(PartialBook):
    """Book that applies events; it begins where all of its streams are flat, and keeps every closed position."""

    def __init__(self, trusted: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(trusted)
        #: places in `closed` of the closed positions of each stream
        self._ended: dict[StreamKey, list[int]] = defaultdict(list)
        self._listed = 0
        self._changes: dict[str, Callable[[Event], list[Booking]]] = {
            "split": self._split,
            "rename": self._merge,
            "merger": self._merge,
            "spin_off": self._spin_off,
            "settle": self._settle,
            "transfer_in": self._come,
            "opening": self._come,
            "opening_from_reported": self._trust,
            "transfer_out": self._leave,
        }

    def book_all(self, fills: Iterable[Fill]) -> list[Booking]:
        """Return the bookings of fills and events given in order."""
        bookings: list[Booking] = []
        for fill in without_cancelled(fills):
            if isinstance(fill, Event):
                with exact():
                    bookings += self._apply(fill)
            else:
                bookings += self._book_fill(fill)
        return [self._placed(booking) for booking in bookings] if self._moved else bookings

    def _book_fill(self, fill: Fill) -> list[Booking]:
        booked = super().book_all((fill,))
        if not self._costless:
            return booked
        return [self._without_cost(b) if b.position_id in self._costless else b for b in booked]

    def _apply(self, event: Event) -> list[Booking]:
        if event.kind in CASH:
            return [event_booking(event, "", cash=event.amount or ZERO)]
        change = self._changes.get(event.kind)
        if change is not None:
            booked = self._change(event, change)
            return [self._without_cost(b) if b.position_id in self._costless else b for b in booked]
        amount = event.amount or ZERO
        if event.kind == "cash_settlement":
            identity = self._charge(event, ZERO, event.commission, gross=amount)
            return [event_booking(event, identity, gross=amount, fees=event.commission)]
        if event.kind == "foreign_fee":
            detail = f"{event.account} {event.symbol} at {event.time.isoformat()}: a fee of "
            detail += f"{to_plain_string(-amount)} {event.currency} stands in {event.currency}"
            self._add_gap(event, "foreign_fee", detail)
            return [event_booking(event, "", fees=-amount)]
        if event.kind == "cancel":
            detail = f"{event.account} {event.symbol}: cancels no fill that is known"
            self._add_gap(event, "contradiction", detail)
            return []
        fees = ZERO if event.kind in CARRY else -amount
        carry = amount if event.kind in CARRY else ZERO
        return [event_booking(event, self._charge(event, carry, fees), carry=carry, fees=fees)]

    def _change(self, event: Event, change: Callable[[Event], list[Booking]]) -> list[Booking]:
        """Apply a change; where it does not fit what is held, nothing changes, and the books lack it."""
        keys = [stream_key(event)]
        if event.link is not None:
            keys.append(stream_key(replace(event, account=event.link[0], symbol=event.link[1])))
        before = {key: copy(self._open[key]) for key in keys if key in self._open}
        try:
            return change(event)
        except MisfitError as bad:
            for key in keys:
                self._open.pop(key, None)
            self._open |= before
            at = event.time.isoformat()
            self._add_gap(
                event, bad.code, f"{event.account} {event.symbol} {event.kind} at {at}: {bad.detail}"
            )
            return []

    def _add_gap(self, event: Event, code: GapCode, detail: str) -> None:
        self._gaps.append(gap_at(event, code, detail))

    def _charge(self, event: Event, carry: Decimal, fees: Decimal, gross: Decimal = ZERO) -> str:
        """Add carry and fees to the affected position; return its id, "" if there is none."""
        at = event.terms.held_at or event.time
        position = self._open.get(stream_key(event))
        if position is not None and position.first.currency != event.currency:
            return ""  # money of another currency is added to no position
        if position is not None and (position.opened_at is None or position.opened_at <= at):
            position.carry += carry
            position.fees += fees
            position.gross += gross
            position.last = event
            return position.id
        place = self._closed_place(event, at)
        if place is None:
            return ""
        closed = self.closed[place]
        if closed.currency != event.currency:
            return ""
        self.closed[place] = replace(
            closed,
            gross=closed.gross + gross,
            carry=closed.carry + carry,
            fees=closed.fees + fees,
            last_at=event.time,
            last_rank=event.rank,
            last_key=event.key,
        )
        return closed.id

    def _closed_place(self, event: Event, at: datetime) -> int | None:
        """Return the place of the closed position that an event affects: held at the instant, else the last one."""
        if self._listed > len(self.closed):
            self._ended.clear()
            self._listed = 0
        for place in range(self._listed, len(self.closed)):
            self._ended[stream_key(self.closed[place])].append(place)
        self._listed = len(self.closed)
        before = [p for p in self._ended.get(stream_key(event), []) if (self.closed[p].opened_at or at) <= at]
        if not before:
            return None
        last = before[-1]
        ended = self.closed[last].closed_at
        assert ended is not None
        if event.terms.held_at is not None:
            return last if ended >= at else None
        return last if event.kind not in _AT_ONCE or at - ended <= _LATE else None

    def _held(self, event: Event) -> OpenPosition:
        position = self._open.get(stream_key(event))
        if position is None:
            raise MisfitError("contradiction", "nothing was open")
        return position

    def _known(self, event: Event, moved: Decimal) -> OpenPosition | None:
        """Return the position that is held, None where nothing is and the event states no shares that moved."""
        position = self._open.get(stream_key(event))
        if position is None and moved:
            raise MisfitError(
                "contradiction", f"{to_plain_string(abs(moved))} shares moved, but nothing was open"
            )
        return position

    def _split(self, event: Event) -> list[Booking]:
        """Change the quantity; a fraction that is paid out leaves with its share of the cost."""
        position = self._known(event, event.terms.delta or ZERO)
        if position is None:
            return []
        before = position.left
        gross = self._rescale(position, event.terms)
        position.last = event
        came = position.left - before
        return [event_booking(event, position.id, came if position.side is Side.BUY else -came, gross=gross)]

    def _rescale(self, position: OpenPosition, terms: EventTerms) -> Decimal:
        """Change the quantity of a position by its terms; return the result of the cash for a fraction."""
        left, gross = position.left, ZERO
        new, old = terms.ratio or (ONE, ONE)
        if terms.delta is not None:
            whole = left + terms.delta if position.side is Side.BUY else left - terms.delta
            if terms.ratio is not None and whole * old != left * new:
                raise MisfitError("contradiction", "its ratio and the shares that came do not agree")
            new, old = whole, left
        if not (new > 0 and old > 0):
            raise MisfitError("contradiction", "its ratio is not positive")
        if terms.to_quantity is not None and terms.to_quantity * old != left * new:
            gross = self._pay_fraction(
                position, left * new, left * new - terms.to_quantity * old, terms.in_lieu
            )
            after = terms.to_quantity
        else:
            after = exact_quotient(left * new, old)
        if position.quantity == left:
            position.quantity = position.peak = after
        else:
            position.quantity = proportional_share(position.quantity, new, old)
            position.peak = max(after, proportional_share(position.peak, new, old))
        position.left = after
        first = position.first
        if first.stop_loss is not None or first.target is not None:
            position.first = replace(
                first,
                stop_loss=None if first.stop_loss is None else proportional_share(first.stop_loss, old, new),
                target=None if first.target is None else proportional_share(first.target, old, new),
            )
        return gross

    def _pay_fraction(
        self, position: OpenPosition, whole: Decimal, part: Decimal, cash: Decimal | None
    ) -> Decimal:
        """Take a fraction out of the cost; return its result."""
        if cash is None or part < 0:
            raise MisfitError(
                "contradiction", "the quantity that came of it does not fit, and no cash is stated"
            )
        cost = proportional_share(position.cost, part, whole)
        gross = cash - cost if position.side is Side.BUY else cost + cash
        position.cost -= cost
        position.entry_value -= cost / position.multiplier if position.multiplier == ONE else ZERO
        position.gross += gross
        return gross

    def _merge(self, event: Event) -> list[Booking]:
        """Move a position to another symbol, by a ratio and with cash if the event states them."""
        position = self._known(event, event.quantity)
        if position is None:
            return []
        terms = event.terms
        if terms.to is None:
            raise MisfitError("contradiction", "it does not say into what")
        if event.quantity not in (ZERO, position.left):
            held, went = to_plain_string(position.left), to_plain_string(event.quantity)
            raise MisfitError("contradiction", f"{went} went, but {held} are held")
        gross = self._take_cash(position, event.amount or ZERO)
        gross += self._rescale(position, terms)
        bookings = [event_booking(event, position.id, gross=gross)] if event.kind != "rename" else []
        del self._open[stream_key(event)]
        self._join(replace(event, symbol=terms.to), position)
        position.last = event
        return bookings

    def _take_cash(self, position: OpenPosition, cash: Decimal) -> Decimal:
        """Take cash from the cost of a position; return what it pays beyond the cost."""
        if position.side is Side.SELL:
            position.cost += cash
            return ZERO
        gross = max(ZERO, cash - position.cost)
        position.cost -= cash - gross
        position.gross += gross
        return gross

    def _join(self, event: Event, position: OpenPosition) -> None:
        """Place a position under the account and symbol of an event, into what is open there."""
        key = stream_key(event)
        held = self._open.get(key)
        position.first = replace(position.first, account=event.account, symbol=event.symbol)
        if held is None:
            self._open[key] = position
            return
        if held.side is not position.side:
            raise MisfitError("contradiction", "the other side is open there")
        held.quantity += position.left
        held.left += position.left
        held.peak = max(held.peak, held.left)
        held.entry_value += position.cost / held.multiplier if held.multiplier == ONE else ZERO
        held.cost += position.cost
        held.fees, held.carry, held.gross = (
            held.fees + position.fees,
            held.carry + position.carry,
            held.gross + position.gross,
        )
        held.opened_at = min(filter(None, (held.opened_at, position.opened_at)), default=None)
        held.last = event
        self._moved[position.id] = held.id

    def _spin_off(self, event: Event) -> list[Booking]:
        """Open a child with a share of the cost; its life begins with the parent's."""
        parent = self._known(event, event.quantity)
        if parent is None:
            return []
        terms = event.terms
        if terms.to is None:
            raise MisfitError("contradiction", "it does not say what came")
        part, whole = terms.cost_share or (ZERO, ONE)
        cost = proportional_share(parent.cost, part, whole)
        opening = replace(event, symbol=terms.to, side=parent.side, multiplier=parent.multiplier)
        child = OpenPosition(opening, parent.left, ZERO)
        child.opened_at, child.cost, child.entry_value = parent.opened_at, cost, ZERO
        child.entry_value = cost if parent.multiplier == ONE else ZERO
        if event.quantity and terms.ratio is None and terms.delta is None:
            child.quantity = child.left = child.peak = event.quantity
        gross = self._rescale(child, terms)
        parent.cost -= cost
        parent.entry_value -= cost if parent.multiplier == ONE else ZERO
        parent.last = event
        if terms.cost_share is None:
            detail = f"{event.account} {terms.to}: no share of the cost of {event.symbol} is stated"
            self._add_gap(opening, "allocation_unknown", detail)
        self._join(opening, child)
        return [
            event_booking(
                opening, child.id, child.left if child.side is Side.BUY else -child.left, gross=gross
            )
        ]

    def _settle(self, event: Event) -> list[Booking]:
        """Close a position, or a part, at the money of the event, else at its price."""
        position = self._held(event)
        quantity = event.quantity or position.left
        quantity = at_most(quantity, position)
        is_long, closes = position.side is Side.BUY, quantity == position.left
        if event.amount is not None:
            money = event.amount
        else:
            at = event.terms.price
            value = trade_value(quantity, at, position.multiplier) if at else ZERO
            money = value if is_long else -value
        price = (
            event.terms.price
            if event.terms.price is not None
            else ratio(abs(money), quantity * position.multiplier)
        )
        cost = position.cost if closes else proportional_share(position.cost, quantity, position.left)
        gross = money - cost if is_long else money + cost
        booking = event_booking(
            event,
            position.id,
            -quantity if is_long else quantity,
            gross=gross,
            fees=event.commission,
            closes=closes,
        )
        position.cost -= cost
        position.left -= quantity
        position.gross += gross
        position.fees += event.commission
        position.exit_value += quantity * (price or ZERO)
        self._finish(event, position, event.terms.how or "settlement")
        return [replace(booking, price=price or ZERO)]

    def _finish(self, event: Event, position: OpenPosition, how: str) -> None:
        """Keep a position that an event has changed; close it if nothing is left."""
        position.last = event
        if not position.left:
            position.closed_by = how
            self.closed.append(position.position())
            del self._open[stream_key(event)]

    def _come(self, event: Event) -> list[Booking]:
        """Open or add to a position at a stated cost; without one its exits have no result."""
        cost = event.terms.cost
        if cost is None and event.terms.price is not None:
            cost = trade_value(event.quantity, event.terms.price, event.multiplier)
        if not event.quantity:
            raise MisfitError("contradiction", "it states no quantity")
        came = OpenPosition(event, event.quantity, ZERO)
        came.cost = cost or ZERO
        came.entry_value = came.cost / event.multiplier if cost and event.multiplier == ONE else ZERO
        self._join(event, came)
        if cost is None:
            held = self._open[stream_key(event)]
            held.closed_by = UNKNOWN_COST
            self._costless.add(held.id)
        sign = ONE if event.side is Side.BUY else -ONE
        flow = sign * came.cost if event.kind == "transfer_in" else ZERO
        return [event_booking(event, came.id, sign * event.quantity, cash=flow)]

    def _trust(self, event: Event) -> list[Booking]:
        """Change nothing at its own instant: the streams that are trusted are known from the beginning."""
        return []

    def _leave(self, event: Event) -> list[Booking]:
        """Take a quantity out at its cost; to an own account it goes with cost and opening time."""
        position = self._held(event)
        quantity = event.quantity or position.left
        quantity = at_most(quantity, position)
        closes = quantity == position.left
        cost = position.cost if closes else proportional_share(position.cost, quantity, position.left)
        price = ratio(cost, quantity * position.multiplier) or ZERO
        position.cost -= cost
        position.left -= quantity
        position.quantity -= quantity
        position.entry_value -= cost if position.multiplier == ONE else ZERO
        position.last = event
        signed, went = (-quantity, -cost) if position.side is Side.BUY else (quantity, cost)
        bookings = [
            event_booking(event, position.id, signed, closes=not position.left, cash=went, price=price)
        ]
        if not position.left:
            del self._open[stream_key(event)]
            if position.gross or position.fees or position.carry or position.number > 1:
                position.closed_by = _MOVED
                self.closed.append(position.position())
            else:
                self._moved[position.id] = ""
        if event.terms.to_account:
            there = replace(
                event, account=event.terms.to_account, side=position.side, multiplier=position.multiplier
            )
            came = OpenPosition(there, quantity, ZERO)
            came.cost, came.opened_at = cost, position.opened_at
            came.entry_value = cost if position.multiplier == ONE else ZERO
            self._join(there, came)
            bookings.append(event_booking(there, came.id, -signed, cash=-went))
        return bookings
