"""Results by weekday, hour, symbol, strategy, side, holding time, size and tag."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Struct

from tearsheet.performance.closed_trade import ClosedTrade
from tearsheet.performance.metric import MetricInput, Ratio, ratio_of
from tearsheet.performance.tally import Tally
from tearsheet.trade.amount import ONE, ZERO, exact

GroupKey = tuple[Any, str]  # what it is ordered by, and its label

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DURATIONS = (
    (timedelta(minutes=1), "under 1 min"),
    (timedelta(minutes=5), "1 to 5 min"),
    (timedelta(minutes=15), "5 to 15 min"),
    (timedelta(hours=1), "15 to 60 min"),
    (timedelta(hours=4), "1 to 4 h"),
    (timedelta(days=1), "4 to 24 h"),
    (timedelta.max, "a day or more"),
)
_STEPS = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))
_NOT_STATED = "not stated"


class Group(Struct, frozen=True):
    """What the closed positions of one group came to; a ratio is null where it is undefined."""

    label: str
    trades: int
    winning_trades: int
    losing_trades: int
    breakeven_trades: int
    closed_pnl: Decimal
    gross_profit: Decimal
    gross_loss: Decimal
    win_rate: Ratio
    expectancy: Ratio
    profit_factor: Ratio


def breakdown(closings: Iterable[ClosedTrade], by: str) -> tuple[Group, ...]:
    """The groups by a name of `GROUPINGS`: times and sizes in their order, names by their result."""
    key_of = GROUPINGS[by][1]
    members: dict[GroupKey, list[ClosedTrade]] = defaultdict(list)
    for closing in closings:
        members[key_of(closing)].append(closing)
    ordered = sorted(members, key=lambda key: (key[0] is None, key[0] or 0, key[1]))
    groups = tuple(_group(key[1], members[key]) for key in ordered)
    if by in _BY_RESULT:
        return tuple(sorted(groups, key=lambda group: (-group.closed_pnl, group.label)))
    return groups


def tally_closed_trades(closings: Iterable[ClosedTrade]) -> Tally:
    """The outcomes of closed positions as a tally; it bears no bookings and no streaks."""
    nets: dict[str, list[Decimal]] = {"win": [], "loss": [], "breakeven": []}
    for closing in closings:
        nets[closing.outcome].append(closing.net)
    wins, losses = nets["win"], nets["loss"]
    with exact():
        won, lost = sum(wins, ZERO), sum(losses, ZERO)
        return Tally(
            wins=len(wins),
            losses=len(losses),
            breakevens=len(nets["breakeven"]),
            won=won,
            lost=lost,
            closed_net=won + lost + sum(nets["breakeven"], ZERO),
        )


def _group(label: str, members: list[ClosedTrade]) -> Group:
    tally = tally_closed_trades(members)
    stretch = MetricInput(tally)
    return Group(
        label=label,
        trades=tally.closed,
        winning_trades=tally.wins,
        losing_trades=tally.losses,
        breakeven_trades=tally.breakevens,
        closed_pnl=tally.closed_net,
        gross_profit=tally.won,
        gross_loss=tally.lost,
        win_rate=ratio_of("win_rate", stretch),
        expectancy=ratio_of("expectancy", stretch),
        profit_factor=ratio_of("profit_factor", stretch),
    )


def _weekday(closing: ClosedTrade) -> GroupKey:
    number = closing.session.weekday()
    return number, _WEEKDAYS[number]


def _hour(closing: ClosedTrade) -> GroupKey:
    return closing.hour, f"{closing.hour:02d}:00"


def _strategy(closing: ClosedTrade) -> GroupKey:
    return 0, closing.strategy or _NOT_STATED


def _duration_group(closing: ClosedTrade) -> GroupKey:
    if closing.held is None:
        return None, _NOT_STATED
    return next((bound, label) for bound, label in _DURATIONS if closing.held < bound)


def _size(closing: ClosedTrade) -> GroupKey:
    return _size_bucket(closing.quantity)


@lru_cache(10_000)
def _size_bucket(quantity: Decimal) -> GroupKey:
    """A bucket of 1, 2, 5, 10, 20 …: from the number below the quantity to the next."""
    with exact():
        decade = ONE.scaleb(quantity.adjusted())
        leading = quantity / decade
        place = next(n for n in range(3) if leading < _STEPS[n + 1])
        low, high = _STEPS[place] * decade, _STEPS[place + 1] * decade
    return low, f"{low:f} to under {high:f}"


#: Every grouping: its words, and the group of a closed position.
GROUPINGS: dict[str, tuple[str, Callable[[ClosedTrade], GroupKey]]] = {
    "weekday": ("Weekday of the closing session", _weekday),
    "hour": ("Hour of the closing fill, in the trading day's zone", _hour),
    "symbol": ("Symbol", lambda closing: (0, closing.symbol)),
    "strategy": ("Strategy", _strategy),
    "side": ("Side", lambda closing: (0, closing.side)),
    "held": ("Holding time", _duration_group),
    "size": ("Quantity entered", _size),
    "tag": ("Tag; a trade with several counts in each", lambda c: (0, c.tag or "no tag")),
}
_BY_RESULT = ("symbol", "strategy", "side", "tag")
