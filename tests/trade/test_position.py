"""Fills → bookings → positions, in the trader's format and by laws."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.trade.amount import EXACT, exact
from tearsheet.trade.fill import Fill, Side
from tearsheet.trade.position import Book, Booking, Position, outcome_of, planned_risk_reward
from tests.support.laws import examples
from tests.support.place import Scenario, make_fill

T = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_a_reversing_fill_closes_one_position_and_opens_the_next(scenario: Scenario) -> None:
    """
    09:00 buy  2 @ 100 fee 2
    09:01 sell 3 @ 110 fee 3
    09:02 sell 1 @ 112 fee 1
    09:03 buy  2 @ 105 fee 2
    => long  2 gross 20 fees 4 net 16
    => short 2 gross 12 fees 4 net 8
    """
    scenario.check()


def test_partial_exits_realise_against_average_cost(scenario: Scenario) -> None:
    """
    09:00 buy  1 @ 100
    09:01 buy  2 @ 101
    09:02 sell 1 @ 105
    09:03 sell 1 @ 105
    09:04 sell 1 @ 105
    => long 3 gross 13 fees 0 net 13
    """
    scenario.check()
    bookings, _, _ = scenario.play()
    first, second = Decimal("4.333333333334"), Decimal("4.333333333333")
    assert [b.gross for b in bookings[2:]] == [first, second, 13 - first - second]


def test_the_commission_of_a_reversal_is_split_with_the_remainder_to_the_second(scenario: Scenario) -> None:
    """
    09:00 buy  1 @ 10 fee 0.10
    09:01 sell 3 @ 10 fee 0.10
    09:02 buy  2 @ 10
    => long  1 gross 0 fees 0.133333333333 net -0.133333333333
    => short 2 gross 0 fees 0.066666666667 net -0.066666666667
    """
    scenario.check()


def test_scaling_in_and_out_is_one_position_until_flat(scenario: Scenario) -> None:
    """
    09:00 buy  10 @ 100
    09:01 sell  5 @ 110
    09:02 buy   5 @ 120
    09:03 sell 10 @ 115
    => long 15 gross 100 fees 0 net 100
    """
    scenario.check()
    _, (position,), _ = scenario.play()
    assert position.peak_quantity == 10
    assert position.fills == 4
    assert position.average_exit == Decimal("113.33333333")


def test_prices_may_be_zero_and_negative(scenario: Scenario) -> None:
    """
    09:00 buy  1 @ 10
    09:01 sell 1 @ -37.63
    09:02 sell 2 @ 0
    09:03 buy  2 @ -1
    => long  1 gross -47.63 fees 0 net -47.63
    => short 2 gross 2 fees 0 net 2
    """
    scenario.check()


def test_quantities_may_be_fractional_and_leave_no_dust(scenario: Scenario) -> None:
    """
    09:00 buy  0.881 @ 30000 fee 0.1
    09:01 sell 0.403 @ 31000
    09:02 sell 0.478 @ 31000
    => long 0.881 gross 881 fees 0.1 net 880.9
    """
    scenario.check()


def test_three_reversals_in_one_minute_make_three_positions(scenario: Scenario) -> None:
    """
    09:00 buy  1 @ 10
    09:00 sell 2 @ 11
    09:00 buy  2 @ 12
    09:00 sell 1 @ 13
    => long  1 gross 1 fees 0 net 1
    => short 1 gross -1 fees 0 net -1
    => long  1 gross 1 fees 0 net 1
    """
    scenario.check()


def test_what_is_not_flat_stays_open_with_its_average(scenario: Scenario) -> None:
    """
    09:00 sell 2 @ 100 fee 1
    09:01 sell 2 @ 102 fee 1
    09:02 buy  1 @ 99
    => open short 3 @ 101
    """
    scenario.check()
    _, _, (position,) = scenario.play()
    assert (position.gross, position.fees, position.closed_at, position.held) == (2, 2, None, None)
    assert position.average_exit == 99


def test_a_rebate_is_a_negative_fee(scenario: Scenario) -> None:
    """
    09:00 buy  1 @ 10 fee -0.30
    09:01 sell 1 @ 10 fee 1.24
    => long 1 gross 0 fees 0.94 net -0.94
    """
    scenario.check()


def test_risk_is_that_of_the_initial_stop(scenario: Scenario) -> None:
    """
    09:00 buy  1 @ 100 stop 98 target 106
    09:01 buy  1 @ 102 fee 1 stop 90 target 999
    09:02 sell 2 @ 104
    => long 2 gross 6 fees 1 net 5
    """
    scenario.check()
    _, (position,), _ = scenario.play()
    with exact():
        assert position.initial_risk == 6
        assert position.r_multiple == Decimal("0.83333333")
    assert position.planned_risk_reward == 3
    assert (position.stop_loss, position.target) == (98, 106)


def test_without_a_stop_there_is_no_risk() -> None:
    book = Book()
    book.book_all([make_fill(1, T, "buy", "1", "10"), make_fill(2, T, "sell", "1", "11")])
    assert book.closed[0].initial_risk is None
    assert book.closed[0].r_multiple is None


def test_a_stop_at_the_entry_is_no_risk_to_divide_by() -> None:
    book = Book()
    stop = {"stop_loss": Decimal(10), "target": Decimal(12)}
    book.book_all([make_fill(1, T, "buy", "1", "10", **stop), make_fill(2, T, "sell", "1", "11")])
    assert book.closed[0].r_multiple is None
    assert book.closed[0].planned_risk_reward is None


def test_accounts_and_symbols_never_net() -> None:
    book = Book()
    for number, (account, symbol, side) in enumerate(
        [("A", "X", "buy"), ("B", "X", "sell"), ("A", "Y", "sell")]
    ):
        book.book(make_fill(number, T, side, "1", "10", account=account, symbol=symbol))
    assert len(book.open_positions()) == 3
    assert not book.closed


def test_the_multiplier_is_money_per_point() -> None:
    book = Book()
    half = {"multiplier": Decimal("0.5")}
    book.book_all(
        [make_fill(1, T, "sell", "2", "40000", **half), make_fill(2, T, "buy", "2", "40010", **half)]
    )
    assert book.closed[0].gross == -10


def test_book_says_what_one_fill_did() -> None:
    book = Book()
    (first,) = book.book(make_fill(1, T, "buy", "1", "10", "0.5"))
    closing, opening = book.book(make_fill(2, T, "sell", "3", "12", "0.9"))
    assert (first.closes, closing.closes, opening.closes) == (False, True, False)
    assert (closing.quantity, opening.quantity) == (-1, -2)
    assert (closing.part, opening.part) == (0, 1)
    assert closing.net == Decimal("1.7")
    assert closing.position_id == first.position_id != opening.position_id


def test_ids_come_from_the_opening_fill_and_come_again() -> None:
    fills = [make_fill(1, T, "buy", "1", "10"), make_fill(2, T, "sell", "1", "11")]
    one, other = Book(), Book()
    one.book_all(fills)
    other.book_all(fills)
    assert one.closed == other.closed
    another = Book()
    another.book_all([make_fill(9, T, "buy", "1", "10")])
    assert another.open_positions()[0].id != one.closed[0].id


@pytest.mark.parametrize(
    ("entry", "stop", "target", "planned"),
    [
        ("150.50", "148", "156", "2.2"),
        ("100", "102", "96", "2"),
        ("100", "102", "104", None),
        ("100", "99", "100", None),
        ("100", "98", "101", "0.5"),
        ("100", "100", "104", None),
        ("100", None, "104", None),
        ("100", "99", None, None),
    ],
)
def test_planned_risk_reward(entry: str, stop: str | None, target: str | None, planned: str | None) -> None:
    def number(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    assert planned_risk_reward(Decimal(entry), number(stop), number(target)) == number(planned)


@pytest.mark.parametrize(
    ("net", "band", "outcome"),
    [
        ("0.01", "0", "win"),
        ("-0.01", "0", "loss"),
        ("0", "0", "breakeven"),
        ("2", "2", "breakeven"),
        ("-2", "2", "breakeven"),
        ("2.01", "2", "win"),
        ("-2.01", "2", "loss"),
    ],
)
def test_outcome_is_by_net_with_a_band(net: str, band: str, outcome: str) -> None:
    assert outcome_of(Decimal(net), Decimal(band)) == outcome


# --- laws ---------------------------------------------------------------------------------------


def scaled(low: int, high: int, places: int) -> st.SearchStrategy[Decimal]:
    """Decimals of so many places; far quicker to draw than `st.decimals`."""
    return st.integers(low, high).map(lambda digits: Decimal(digits).scaleb(-places))


prices = scaled(-(10**10), 10**10, 4) | scaled(-(10**35), 10**35, 18)
quantities = st.integers(1, 5).map(Decimal) | scaled(1, 10**11, 8)
fees = scaled(-50_000, 50_000, 4)
steps = st.tuples(st.sampled_from(Side), quantities, prices, fees, st.sampled_from("XY"))


def as_fills(drawn: list[tuple[Side, Decimal, Decimal, Decimal, str]]) -> list[Fill]:
    return [
        Fill(
            account="A",
            symbol=symbol,
            time=T + timedelta(seconds=n // 2),
            rank=n % 2,
            side=side,
            quantity=quantity,
            price=price,
            commission=fee,
            currency="USD",
            key=f"x:{n}",
            multiplier=Decimal(50) if symbol == "Y" else Decimal(1),
        )
        for n, (side, quantity, price, fee, symbol) in enumerate(drawn)
    ]


def signed(fill: Fill) -> Decimal:
    return fill.quantity if fill.side is Side.BUY else -fill.quantity


@examples(1200)
@given(st.lists(steps, max_size=18))
def test_bookings_conserve_quantity_cash_and_fees(
    drawn: list[tuple[Side, Decimal, Decimal, Decimal, str]],
) -> None:
    fills = as_fills(drawn)
    book = Book()
    bookings = book.book_all(fills)
    still_open = book.open_positions()
    with exact():
        assert sum(b.fees for b in bookings) == sum(f.commission for f in fills)
        assert sum(b.quantity for b in bookings) == sum(map(signed, fills))
        cash = -sum(signed(f) * f.price * f.multiplier for f in fills)
        left = sum(p.cost if p.side is Side.BUY else -p.cost for p in still_open)
        assert sum(b.gross for b in bookings) == cash + left
        for position in [*book.closed, *still_open]:
            its = [b for b in bookings if b.position_id == position.id]
            assert position.gross == sum(b.gross for b in its)
            assert position.fees == sum(b.fees for b in its)
            assert position.fills == len(its)
            assert abs(sum(b.quantity for b in its)) == position.open_quantity
        for position in book.closed:
            its = [b for b in bookings if b.position_id == position.id]
            money = -sum(b.quantity * b.price * position.multiplier for b in its)
            assert position.gross == money
            assert [b.closes for b in its] == [False] * (len(its) - 1) + [True]


@examples(800)
@given(st.lists(steps, max_size=25), st.lists(st.integers(0, 25), max_size=4))
def test_any_batches_equal_one_pass(
    drawn: list[tuple[Side, Decimal, Decimal, Decimal, str]], cuts: list[int]
) -> None:
    fills = as_fills(drawn)
    whole = Book()
    bookings = whole.book_all(fills)
    pieces: list[Booking] = []
    closed: list[Position] = []
    kept: list[Position] = []
    for start, end in pairwise([0, *sorted(cuts), len(fills)]):
        book = Book(kept)
        pieces += book.book_all(fills[start:end])
        closed += book.closed
        kept = book.open_positions()
    assert pieces == bookings
    assert closed == whole.closed
    assert sorted(kept, key=lambda p: p.symbol) == sorted(whole.open_positions(), key=lambda p: p.symbol)


@examples(300)
@given(st.lists(steps, max_size=30))
def test_the_peak_is_the_largest_net_held(drawn: list[tuple[Side, Decimal, Decimal, Decimal, str]]) -> None:
    book = Book()
    bookings = book.book_all(as_fills(drawn))
    for position in [*book.closed, *book.open_positions()]:
        held = highest = Decimal(0)
        with exact():
            for booking in bookings:
                if booking.position_id == position.id:
                    held += booking.quantity
                    highest = max(highest, abs(held))
        assert position.peak_quantity == highest


def test_nothing_of_accepted_size_is_rounded() -> None:
    assert EXACT.traps
    huge, tiny = "999999999999999999", "0.000000000000000001"
    book = Book()
    book.book_all(
        [
            make_fill(1, T, "buy", huge, huge, tiny, multiplier=Decimal(huge)),
            make_fill(2, T, "sell", tiny, tiny, tiny, multiplier=Decimal(huge)),
            make_fill(3, T, "sell", "7", tiny, huge, multiplier=Decimal(huge)),
        ]
    )
    (position,) = book.open_positions()
    with exact():
        assert position.open_quantity == Decimal(huge) - Decimal(tiny) - 7
        assert position.fees == Decimal(huge) + 2 * Decimal(tiny)
