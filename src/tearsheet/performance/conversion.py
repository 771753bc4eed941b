"""Tallies, bookings and positions in another currency: each amount × a rate; counts, durations and R stay."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.performance.tally import ACCOUNT_AMOUNTS, AccountSums, Curve, Streaks, Tally, merge
from tearsheet.trade.amount import ONE, exact
from tearsheet.trade.position import Booking, Position

#: The amounts of a tally beside its curve; `test_conversion.py` compares them with its fields.
AMOUNTS = ("gross", "fees", "won", "lost", "closed_net", "largest_win", "largest_loss", "carry")


class PathOfSession(Struct, frozen=True):
    """What depends on order in a session of several currencies: results in order of time, outcomes of positions."""

    net: Sequence[Decimal]
    result: Sequence[Decimal]
    outcomes: Sequence[int]


def convert(tally: Tally, rate: Decimal) -> Tally:
    """Return a tally of one currency with each amount × a rate."""
    if rate == ONE:
        return tally
    with exact():
        amounts = {name: _times(getattr(tally, name), rate) for name in AMOUNTS}
        account = None if tally.account is None else _convert_account(tally.account, rate)
        return replace(tally, **amounts, curve=_convert_curve(tally.curve, rate), account=account)


def join(tallies: Iterable[Tally], path: PathOfSession) -> Tally:
    """Return the tally of one session in several currencies, converted before, with the curves of a path."""
    total = merge(tallies)
    account = total.account
    if account is not None:
        account = replace(account, curve=Curve.from_amounts(path.result))
    return replace(
        total,
        curve=Curve.from_amounts(path.net),
        streaks=Streaks.from_outcomes(path.outcomes),
        account=account,
    )


def convert_booking(b: Booking, rate: Decimal) -> Booking:
    """Return a booking with each amount × a rate."""
    with exact():
        return replace(b, gross=b.gross * rate, fees=b.fees * rate, carry=b.carry * rate, cash=b.cash * rate)


def convert_position(p: Position, rate: Decimal) -> Position:
    """Return a position with each amount × a rate; its multiplier too, so that its R stays as it is."""
    with exact():
        return replace(
            p,
            multiplier=p.multiplier * rate,
            entry_value=p.entry_value * rate,
            exit_value=p.exit_value * rate,
            cost=p.cost * rate,
            gross=p.gross * rate,
            fees=p.fees * rate,
            carry=p.carry * rate,
        )


def _times(amount: Decimal | None, rate: Decimal) -> Decimal | None:
    return None if amount is None else amount * rate


def _convert_curve(curve: Curve, rate: Decimal) -> Curve:
    falls = tuple((high * rate, depth * rate) for high, depth in curve.falls)
    return Curve(curve.net * rate, curve.high * rate, curve.low * rate, curve.drawdown * rate, falls)


def _convert_account(account: AccountSums, rate: Decimal) -> AccountSums:
    sums = {name: getattr(account, name) * rate for name in ACCOUNT_AMOUNTS}
    return AccountSums(**sums, curve=_convert_curve(account.curve, rate))
