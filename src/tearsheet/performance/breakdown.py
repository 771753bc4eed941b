"""Results of closed trades by weekday, hour, symbol or its root, strategy, side, account, duration, size and tag."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Struct

from tearsheet.performance.closed_trade import ClosedTrade
from tearsheet.performance.metric import MetricInput, Ratio, ratio_of
from tearsheet.performance.tally import Tally
from tearsheet.trade.amount import ONE, ZERO, exact

GroupKey = tuple[Any, str]  # sort key and label

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DURATIONS = (
    (timedelta(minutes=1), "under 1 min"),
    (timedelta(minutes=5), "1 to 5 min"),
    (timedelta(minutes=15), "5 to 15 min"),
    (timedelta(hours=1), "15 to 60 min"),
    (timedelta(hours=4), "1 to 4 h"),
    (timedelta(days=1), "4 to 24 h"),
    (timedelta.max, "1 day or more"),
)
_STEPS = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))
_NOT_STATED = "not stated"


class Group(Struct, frozen=True):
    """Results of the closed trades of one group; an undefined ratio is null."""

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


def breakdown(trades: Iterable[ClosedTrade], by: str) -> tuple[Group, ...]:
    """Group closed trades by a name of `GROUPINGS`; names are sorted by P&L, other groups by value."""
    key_of = GROUPINGS[by][1]
    members: dict[GroupKey, list[ClosedTrade]] = defaultdict(list)
    for trade in trades:
        members[key_of(trade)].append(trade)
    ordered = sorted(members, key=lambda key: (key[0] is None, key[0] or 0, key[1]))
    groups = tuple(_group(key[1], members[key]) for key in ordered)
    if by in _BY_RESULT:
        return tuple(sorted(groups, key=lambda group: (-group.closed_pnl, group.label)))
    return groups


def breakdown_total(trades: list[ClosedTrade]) -> Group:
    """Return the results of all trades; a trade with several tags counts once."""
    return _group("All", trades)


def with_others(groups: Sequence[Group], most: int) -> list[Group]:
    """Return at most so many groups, in their order: those of the largest results, and the sum of the others."""
    if len(groups) <= most:
        return list(groups)
    largest = sorted(groups, key=lambda group: -abs(group.closed_pnl))[: most - 1]
    kept = [group for group in groups if group in largest]
    others = [group for group in groups if group not in largest]
    return [*kept, _sum(f"{len(others)} others", others)]


def _sum(label: str, groups: Sequence[Group]) -> Group:
    """Return the results of some groups together."""
    with exact():
        tally = Tally(
            wins=sum(group.winning_trades for group in groups),
            losses=sum(group.losing_trades for group in groups),
            breakevens=sum(group.breakeven_trades for group in groups),
            won=sum((group.gross_profit for group in groups), ZERO),
            lost=sum((group.gross_loss for group in groups), ZERO),
            closed_net=sum((group.closed_pnl for group in groups), ZERO),
        )
    return _group_of(label, tally)


def tally_closed_trades(trades: Iterable[ClosedTrade]) -> Tally:
    """Return the outcomes of closed trades as a tally without bookings and streaks."""
    nets: dict[str, list[Decimal]] = {"win": [], "loss": [], "breakeven": []}
    for trade in trades:
        nets[trade.outcome].append(trade.net)
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
    return _group_of(label, tally_closed_trades(members))


def _group_of(label: str, tally: Tally) -> Group:
    data = MetricInput(tally)
    return Group(
        label=label,
        trades=tally.closed,
        winning_trades=tally.wins,
        losing_trades=tally.losses,
        breakeven_trades=tally.breakevens,
        closed_pnl=tally.closed_net,
        gross_profit=tally.won,
        gross_loss=tally.lost,
        win_rate=ratio_of("win_rate", data),
        expectancy=ratio_of("expectancy", data),
        profit_factor=ratio_of("profit_factor", data),
    )


def _weekday(trade: ClosedTrade) -> GroupKey:
    number = trade.session.weekday()
    return number, _WEEKDAYS[number]


def _hour(trade: ClosedTrade) -> GroupKey:
    return trade.hour, f"{trade.hour:02d}:00"


def _strategy(trade: ClosedTrade) -> GroupKey:
    return 0, trade.strategy or _NOT_STATED


def _duration_group(trade: ClosedTrade) -> GroupKey:
    if trade.held is None:
        return None, _NOT_STATED
    return next((bound, label) for bound, label in _DURATIONS if trade.held < bound)


def _size(trade: ClosedTrade) -> GroupKey:
    return _size_bucket(trade.quantity)


@lru_cache(10_000)
def _size_bucket(quantity: Decimal) -> GroupKey:
    """Return the bucket of a quantity, with bounds at 1, 2, 5, 10, 20 …"""
    with exact():
        decade = ONE.scaleb(quantity.adjusted())
        leading = quantity / decade
        step = next(n for n in range(3) if leading < _STEPS[n + 1])
        low, high = _STEPS[step] * decade, _STEPS[step + 1] * decade
    return low, f"{low:f} to under {high:f}"


#: Groupings: name, its description, and the group key of a closed trade.
GROUPINGS: dict[str, tuple[str, Callable[[ClosedTrade], GroupKey]]] = {
    "weekday": ("Weekday of exit", _weekday),
    "hour": ("Hour of the closing fill, in the trading day's zone", _hour),
    "symbol": ("Symbol", lambda trade: (0, trade.symbol)),
    "root": ("Symbol, the contracts of a future together", lambda trade: (0, trade.symbol)),
    "strategy": ("Strategy", _strategy),
    "side": ("Side", lambda trade: (0, trade.side)),
    "account": ("Account", lambda trade: (0, trade.account)),
    "held": ("Duration", _duration_group),
    "size": ("Position size", _size),
    "tag": ("Tag (a trade with several tags counts in each)", lambda c: (0, c.tag or "no tag")),
}
_BY_RESULT = ("symbol", "root", "strategy", "side", "account", "tag")
