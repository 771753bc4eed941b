"""Tallies in another currency: every amount is converted, nothing else, and adding goes before or after."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tearsheet.performance.conversion import AMOUNTS, PathOfSession, convert, join
from tearsheet.performance.tally import ACCOUNT_AMOUNTS, AccountSums, Curve, Streaks, Tally
from tearsheet.trade.amount import exact

#: Amounts of a tally that are no money: quantities, and ratios of results to risk.
_NO_MONEY = {"quantity", "planned_sum", "r_sum", "r_squares"}
amounts = st.decimals("-1000", "1000", places=2)
rates = st.decimals("0.0001", "1000", places=6)


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    nets = draw(st.lists(amounts, max_size=4))
    curve = Curve.from_amounts(nets)
    money = {name: draw(amounts) for name in ("won", "lost", "closed_net", "carry", "fees")}
    account = None
    if draw(st.booleans()):
        account = AccountSums(**{name: draw(amounts) for name in ACCOUNT_AMOUNTS}, curve=curve)
    gross = curve.net + money["fees"] - money["carry"]
    return Tally(fills=len(nets), gross=gross, curve=curve, account=account, quantity=draw(amounts), **money)


def test_each_amount_of_a_tally_is_converted() -> None:
    decimals = {name for name, kind in Tally.__annotations__.items() if "Decimal" in str(kind)}
    assert decimals == {*AMOUNTS, *_NO_MONEY}
    money = AccountSums(**dict.fromkeys(ACCOUNT_AMOUNTS, Decimal(1)))
    found = convert(Tally(account=money), Decimal(2)).account
    assert found == AccountSums(**dict.fromkeys(ACCOUNT_AMOUNTS, Decimal(2)))


@given(tallies(), tallies(), rates)
def test_days_are_added_before_or_after_they_are_converted(one: Tally, other: Tally, rate: Decimal) -> None:
    assert convert(one + other, rate) == convert(one, rate) + convert(other, rate)


@given(tallies(), rates)
def test_counts_quantities_and_sums_stay_consistent(tally: Tally, rate: Decimal) -> None:
    found = convert(tally, rate)
    with exact():
        assert found.gross - found.fees + found.carry == found.curve.net == tally.curve.net * rate
        assert found.curve.drawdown == tally.curve.drawdown * rate
    assert (found.fills, found.quantity, found.streaks) == (tally.fills, tally.quantity, tally.streaks)
    assert convert(tally, Decimal(1)) == tally


def test_a_payout_stays_a_payout() -> None:
    paid = Tally(account=AccountSums(flows=Decimal(-100), payouts=Decimal(-100)))
    assert convert(paid, Decimal("1.1")).money.payouts == Decimal("-110.0")


def test_currencies_of_one_session_are_joined_in_the_order_of_their_bookings() -> None:
    dollar, euro = (Tally(curve=Curve.from_amounts([Decimal(5), Decimal(-3)])) for _ in range(2))
    path = PathOfSession([Decimal(n) for n in (5, 5, -3, -3)], [], [1, -1])
    found = join([dollar, convert(euro, Decimal(1))], path)
    assert (found.curve.net, found.curve.high, found.curve.drawdown) == (4, 10, 6)
    assert found.streaks == Streaks.from_outcomes([1, -1])
    assert replace(found, curve=Curve(), streaks=Streaks()) == Tally()
