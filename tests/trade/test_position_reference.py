"""The book beside a plain bookkeeper who works in fractions, one step at a time."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tearsheet.performance.tally import Tally
from tearsheet.trade.amount import exact, is_valid_amount
from tearsheet.trade.fill import Fill, Side
from tearsheet.trade.position import Book, Booking, Position, position_id
from tests.support.laws import examples

T = datetime(2026, 3, 2, 9, tzinfo=UTC)


def cut(value: Fraction) -> Fraction:
    """A fraction cut off after 12 decimals, towards zero."""
    return Fraction(int(value * 10**12), 10**12)


@dataclass
class Trip:
    """A position as a bookkeeper writes it down."""

    id: str
    first: Fill
    held: Fraction = Fraction(0)  # signed
    entered: Fraction = Fraction(0)
    peak: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    paid_in: Fraction = Fraction(0)
    paid_out: Fraction = Fraction(0)
    gross: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)
    fills: list[Fill] = field(default_factory=list)

    def enter(self, fill: Fill, signed: Fraction, fees: Fraction, part: int) -> tuple[Any, ...]:
        value = abs(signed) * Fraction(fill.price)
        self.held += signed
        self.entered += abs(signed)
        self.peak = max(self.peak, abs(self.held))
        self.paid_in += value
        self.cost += value * Fraction(fill.multiplier)
        self.fees += fees
        self.fills.append(fill)
        return (self.id, fill, part, signed, Fraction(0), fees, False)

    def leave(self, fill: Fill, signed: Fraction, fees: Fraction) -> tuple[Any, ...]:
        part = cut(self.cost * abs(signed) / abs(self.held)) if signed != -self.held else self.cost
        value = abs(signed) * Fraction(fill.price)
        gross = (value * Fraction(fill.multiplier) - part) * (1 if self.held > 0 else -1)
        self.held += signed
        self.cost -= part
        self.paid_out += value
        self.gross += gross
        self.fees += fees
        self.fills.append(fill)
        return (self.id, fill, 0, signed, gross, fees, self.held == 0)

    def state(self) -> tuple[Any, ...]:
        last = self.fills[-1]
        closed_at = None if self.held else last.time
        return (
            self.id,
            self.first.account,
            self.first.symbol,
            self.first.side,
            self.first.time,
            closed_at,
            last.time,
            last.rank,
            last.key,
            self.entered,
            self.peak,
            abs(self.held),
            self.paid_in,
            self.paid_out,
            self.cost,
            self.gross,
            self.fees,
            len(self.fills),
            self.first.strategy,
            self.first.mode,
            None if closed_at is None else closed_at - self.first.time,
        )


def keep_books(fills: list[Fill]) -> tuple[list[tuple[Any, ...]], list[Trip], list[Trip]]:
    """Bookings, closed and open trips."""
    bookings, closed, held = [], [], {}
    for fill in fills:
        stream = (fill.account, fill.symbol)
        signed = Fraction(fill.quantity) * (1 if fill.side is Side.BUY else -1)
        fees = Fraction(fill.commission)
        trip, part = held.get(stream), 0
        if trip is not None and trip.held * signed < 0:
            leaving = -trip.held if abs(signed) > abs(trip.held) else signed
            paid = fees if leaving == signed else cut(fees * leaving / signed)
            bookings.append(trip.leave(fill, leaving, paid))
            signed, fees, part = signed - leaving, fees - paid, 1
            if not trip.held:
                closed.append(held.pop(stream))
                trip = None
            if not signed:
                continue
        if trip is None:
            trip = held[stream] = Trip(position_id(*stream, fill.key), fill)
        bookings.append(trip.enter(fill, signed, fees, part))
    return bookings, closed, list(held.values())


def seen(b: Booking) -> tuple[Any, ...]:
    """What a booking says of its fill and of itself."""
    fill = (b.account, b.symbol, b.currency, b.time, b.rank, b.fill_key, b.price)
    return (b.position_id, fill, b.part, *map(Fraction, (b.quantity, b.gross, b.fees)), b.closes)


def told(booking: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same of a bookkeeper's booking."""
    identity, f, *rest = booking
    return (identity, (f.account, f.symbol, f.currency, f.time, f.rank, f.key, f.price), *rest)


def state(p: Position) -> tuple[Any, ...]:
    numbers = (
        p.quantity,
        p.peak_quantity,
        p.open_quantity,
        p.entry_value,
        p.exit_value,
        p.cost,
        p.gross,
        p.fees,
    )
    return (
        p.id,
        p.account,
        p.symbol,
        p.side,
        p.opened_at,
        p.closed_at,
        p.last_at,
        p.last_rank,
        p.last_key,
        *map(Fraction, numbers),
        p.fills,
        p.strategy,
        p.mode,
        p.held,
    )


usual = st.integers(1, 6).map(Decimal) | st.integers(1, 90_000).map(lambda digits: Decimal(digits).scaleb(-4))
extreme = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places), st.integers(1, 10**36 - 1), st.integers(0, 53)
).filter(is_valid_amount)
signs = st.sampled_from((1, -1))


def steps(sizes: st.SearchStrategy[Decimal]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    prices = st.builds(lambda size, sign: size.copy_sign(sign), sizes, signs) | st.just(Decimal(0))
    one = st.tuples(
        st.sampled_from(Side), sizes, prices, prices, st.sampled_from("AB"), st.sampled_from("XY")
    )
    return st.lists(one, max_size=14)


def as_fills(drawn: list[tuple[Any, ...]], multiplier: Decimal) -> list[Fill]:
    return [
        Fill(
            account=account,
            symbol=symbol,
            time=T + timedelta(seconds=n // 3),
            rank=n % 3,
            side=side,
            quantity=quantity,
            price=price,
            commission=fee,
            currency="USD",
            key=f"x:{n}",
            multiplier=multiplier,
            strategy=f"s{n}",
            mode="LIVE" if n % 2 else None,
        )
        for n, (side, quantity, price, fee, account, symbol) in enumerate(drawn)
    ]


def check(fills: list[Fill]) -> None:
    book = Book()
    bookings = book.book_all(fills)
    expected, closed, still_open = keep_books(fills)
    assert [seen(b) for b in bookings] == [told(b) for b in expected]
    assert [state(p) for p in book.closed] == [trip.state() for trip in closed]
    assert sorted(map(state, book.open_positions())) == sorted(trip.state() for trip in still_open)


@examples(900)
@given(steps(usual), st.sampled_from((Decimal(1), Decimal("0.5"), Decimal(50))))
def test_the_book_is_as_the_bookkeeper_says(drawn: list[tuple[Any, ...]], multiplier: Decimal) -> None:
    check(as_fills(drawn, multiplier))


@examples(400)
@given(steps(extreme), extreme)
def test_no_accepted_number_is_too_large_or_too_fine_to_be_exact(
    drawn: list[tuple[Any, ...]], multiplier: Decimal
) -> None:
    fills = as_fills(drawn, multiplier)
    check(fills)
    book = Book()
    bookings = book.book_all(fills)
    Tally.from_bookings(bookings, book.closed)
    with exact():
        for position in [*book.closed, *book.open_positions()]:
            entry, leaving = position.average_entry, position.average_exit
            assert entry is not None
            assert (leaving is None) is (position.quantity == position.open_quantity)


@examples(200)
@given(steps(extreme), extreme, extreme)
def test_squares_of_any_risk_multiple_are_exact(
    drawn: list[tuple[Any, ...]], multiplier: Decimal, stop: Decimal
) -> None:
    fills = [
        Fill(
            account="A",
            symbol="X",
            time=T,
            rank=n,
            side=side,
            quantity=quantity,
            price=price,
            commission=fee,
            currency="USD",
            key=f"x:{n}",
            multiplier=multiplier,
            stop_loss=stop,
            target=price,
        )
        for n, (side, quantity, price, fee, *_) in enumerate(drawn)
    ]
    book = Book()
    tally = Tally.from_bookings(book.book_all(fills), book.closed)
    with exact():
        multiples = [p.r_multiple for p in book.closed if p.r_multiple is not None]
    assert tally.r_count == len(multiples)
    assert Fraction(tally.r_squares) == sum(Fraction(r) ** 2 for r in multiples)
    assert tally.planned_count == len([p for p in book.closed if p.planned_risk_reward is not None])
