"""Table of metrics: name, label, unit, description, formula, and when it is undefined.

Only this module creates floats, for ratios. A formula is called only if the sample size `n` is large
enough, so that no formula handles empty windows; otherwise the value is None with a reason.
"""

import math
from collections.abc import Callable, Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation
from typing import Literal

from msgspec import Struct

from tearsheet.performance.tally import LOSS, WIN, Curve, Tally, merge
from tearsheet.trade.amount import ZERO, exact

Unit = Literal["count", "money", "ratio", "percent", "r", "seconds", "quantity", "streak", "day"]
MetricScalar = Decimal | float | int | str | None
Ratio = float | None

#: Tallies of sessions, in order.
Sessions = list[tuple[date, Tally]]

TRADING_DAYS_A_YEAR = 252
_MICROS = 1_000_000
#: Ratios are computed with more digits than a float has, in any decimal context of the caller.
_RATIO = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero])


class Day(Struct, frozen=True):
    """Net P&L of a session, its number of closed positions, what the account made of it, and what came and went.

    `inflows` is what came in of flows and conversions; it counts for the return of its day, what went out does not.
    """

    session: date
    net_pnl: Decimal
    trades: int
    result: Decimal
    flows: Decimal = ZERO
    converted: Decimal = ZERO
    inflows: Decimal = ZERO

    @classmethod
    def from_tally(cls, session: date, tally: Tally) -> "Day":
        """Return the day of a tally."""
        money = tally.money
        return cls(
            session, tally.curve.net, tally.closed, tally.result, money.flows, money.converted, money.inflows
        )

    @classmethod
    def idle(cls, session: date) -> "Day":
        """Return a day on which nothing was booked."""
        return cls(session, ZERO, 0, ZERO)


class MetricInput(Struct, frozen=True):
    """Data for metrics: a tally, its days in order, and the balance before them.

    `days` are the sessions with bookings and, for daily ratios, the exchange days without trades. `is_account` is
    False for a part of an account: a strategy, a symbol, a mode or some trades have no balance of their own. `curves`
    are those of what the account made within each session; one that is not there is a single step.
    """

    tally: Tally
    days: tuple[Day, ...] = ()
    opening_balance: Decimal | None = None
    is_account: bool = True
    curves: Mapping[date, Curve] = {}


def sum_and_days(sessions: Sessions) -> tuple[Tally, list[Day]]:
    """Return what sessions add up to, and their days."""
    return merge(tally for _, tally in sessions), [
        Day.from_tally(session, tally) for session, tally in sessions
    ]


def curves_of(sessions: Sessions) -> dict[date, Curve]:
    """Return the curves of what an account made within each session."""
    return {session: tally.result_curve for session, tally in sessions}


class Metric(Struct, frozen=True):
    """Row of the table. With a `sample_size` below `min_sample` the metric is undefined.

    `reason_undefined` is the reason then, `reason_constant` the one if the formula returns None,
    for example because a deviation is 0. One `of_account` is undefined for a part of an account.
    """

    name: str
    label: str
    unit: Unit
    description: str
    formula: Callable[[MetricInput], MetricScalar]
    sample_size: Callable[[MetricInput], int]
    min_sample: int = 0
    reason_undefined: str = ""
    reason_constant: str = ""
    of_account: bool = False


class MetricValue(Struct, frozen=True, omit_defaults=False):
    """Value of a metric with its sample size, or None with a reason."""

    value: MetricScalar
    n: int
    reason: str | None = None


def _closed(s: MetricInput) -> int:
    return s.tally.closed


def _fills(s: MetricInput) -> int:
    return s.tally.fills


def _wins(s: MetricInput) -> int:
    return s.tally.wins


def _losses(s: MetricInput) -> int:
    return s.tally.losses


def _wins_and_losses(s: MetricInput) -> int:
    return s.tally.wins + s.tally.losses


def _active_days(s: MetricInput) -> list[Day]:
    return [day for day in s.days if day.net_pnl or day.trades]


def _sessions(s: MetricInput) -> int:
    return len(_active_days(s))


def _quotient(numerator: Decimal | int, denominator: Decimal | int) -> float:
    """Return the ratio of exact numbers as a float."""
    return float(_RATIO.divide(Decimal(numerator), Decimal(denominator)))


def _streak_type(s: MetricInput) -> str:
    return {WIN: "win", LOSS: "loss"}.get(s.tally.streaks.last, "breakeven")


def _sqn(s: MetricInput) -> MetricScalar:
    t = s.tally
    with exact():
        spread = t.r_squares * t.r_count - t.r_sum * t.r_sum
    if not spread:
        return None
    mean = _RATIO.divide(t.r_sum, Decimal(t.r_count))
    deviation = _RATIO.sqrt(_RATIO.divide(spread, Decimal(t.r_count * (t.r_count - 1))))
    return math.sqrt(t.r_count) * _quotient(mean, deviation)


def _best_day(s: MetricInput) -> Day:
    return max(_active_days(s), key=lambda day: (day.net_pnl, -day.session.toordinal()))


def _worst_day(s: MetricInput) -> Day:
    return min(_active_days(s), key=lambda day: (day.net_pnl, day.session.toordinal()))


def _balances(s: MetricInput) -> list[Decimal]:
    """Return the balance before the first day and after each day."""
    assert s.opening_balance is not None
    balances = [s.opening_balance]
    with exact():
        for day in s.days:
            balances.append(balances[-1] + day.result + day.flows + day.converted)
    return balances


def _bases(s: MetricInput) -> list[Decimal]:
    """Return what was at work on each day: the balance at its start, and what came in during it."""
    with exact():
        return [before + day.inflows for day, before in zip(s.days, _balances(s), strict=False)]


def daily_returns(s: MetricInput) -> list[float]:
    """Return result ÷ what was at work, of each day; nothing made of nothing is a return of 0."""
    return [
        _quotient(day.result, base) if base > 0 else 0.0 for day, base in zip(s.days, _bases(s), strict=True)
    ]


def _has_flows(s: MetricInput) -> bool:
    return any(day.inflows or day.flows or day.converted for day in s.days)


def _days_with_balance(s: MetricInput) -> int:
    """Return the number of days, 0 if one of them had nothing at work, or lost it all."""
    if s.opening_balance is None:
        return 0
    if not _has_flows(s):
        return len(s.days) if min(_balances(s)) > 0 else 0
    with exact():
        alive = (
            base > 0 and base + day.result > 0 if day.result else base >= 0
            for day, base in zip(s.days, _bases(s), strict=True)
        )
        return len(s.days) if all(alive) else 0


def chained(s: MetricInput) -> list[Decimal]:
    """Return what 1 grew to after each day, its returns chained; the first is 1."""
    growth, factors = [Decimal(1)], zip(s.days, _bases(s), strict=True)
    for day, base in factors:
        factor = _RATIO.divide(_RATIO.add(base, day.result), base) if base > 0 else Decimal(1)
        growth.append(_RATIO.multiply(growth[-1], factor))
    return growth


def _total_return(s: MetricInput) -> MetricScalar:
    grown = float(_RATIO.subtract(chained(s)[-1], Decimal(1)))
    return None if math.isinf(grown) else grown


def _chained_drawdown(s: MetricInput) -> float:
    """Return the deepest fall of the chained returns from their high, as a share of it."""
    high, deepest = Decimal(1), Decimal(0)
    for grown in chained(s):
        high = max(high, grown)
        deepest = max(deepest, _RATIO.divide(_RATIO.subtract(high, grown), high))
    return float(deepest)


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _sharpe(s: MetricInput) -> MetricScalar:
    returns = daily_returns(s)
    if min(returns) == max(returns):  # rounding of the mean would produce a deviation
        return None
    mean = _mean(returns)
    variance = math.fsum((r - mean) ** 2 for r in returns) / (len(returns) - 1)
    return mean / math.sqrt(variance) * math.sqrt(TRADING_DAYS_A_YEAR)


def _sortino(s: MetricInput) -> MetricScalar:
    returns = daily_returns(s)
    downside = math.fsum(min(r, 0.0) ** 2 for r in returns) / (len(returns) - 1)
    return _mean(returns) / math.sqrt(downside) * math.sqrt(TRADING_DAYS_A_YEAR) if downside else None


def _max_drawdown_percent(s: MetricInput) -> float:
    """Return the deepest fall by fill as a share of the high before it, with the returns of days chained.

    A day's curve lies on its base: the balance at its start and what came in. What the high before lies above it is
    carried as a share of the balance, so that no flow is a fall or a rise; without flows it is the balance itself.
    """
    deepest = above = Decimal(0)
    for day, base in zip(s.days, _bases(s), strict=True):
        if base <= 0:  # nothing was at work, and nothing was made
            continue
        curve = s.curves.get(day.session) or Curve.from_amounts([day.result])
        gap = _RATIO.multiply(above, base)
        trough = min(
            (_RATIO.subtract(high, depth) for high, depth in curve.falls if high <= gap), default=gap
        )
        falls = [(_RATIO.subtract(gap, trough), gap)]
        falls += [(depth, high) for high, depth in curve.falls if high > gap]
        shares = (_RATIO.divide(depth, _RATIO.add(base, high)) for depth, high in falls)
        deepest = max(deepest, *shares)
        end = _RATIO.add(base, curve.net)
        above = _RATIO.divide(_RATIO.subtract(max(gap, curve.high), curve.net), end)
    return float(deepest)


def _calmar(s: MetricInput) -> MetricScalar:
    drawdown = _max_drawdown_percent(s)
    if not drawdown:
        return None
    growth = float(chained(s)[-1])
    try:
        return (math.pow(growth, TRADING_DAYS_A_YEAR / len(s.days)) - 1) / drawdown
    except OverflowError:  # the growth of a few days, compounded over a year
        return None


def _money(
    name: str,
    label: str,
    description: str,
    formula: Callable[[Tally], MetricScalar],
    sample_size: Callable[[MetricInput], int] = _closed,
    min_sample: int = 0,
    reason_undefined: str = "",
) -> Metric:
    def compute_from_tally(s: MetricInput) -> MetricScalar:
        return formula(s.tally)

    return Metric(
        name, label, "money", description, compute_from_tally, sample_size, min_sample, reason_undefined
    )


def _count(name: str, label: str, description: str, formula: Callable[[Tally], int]) -> Metric:
    return Metric(name, label, "count", description, lambda s: formula(s.tally), _closed)


def _days(s: MetricInput) -> int:
    return len(s.days)


def _of_account(
    name: str, label: str, description: str, formula: Callable[[MetricInput], MetricScalar]
) -> Metric:
    return Metric(
        name, label, "money", description, formula, _days, reason_constant=_NO_START, of_account=True
    )


def _result(s: MetricInput) -> Decimal:
    return s.tally.result


def _closing_balance(s: MetricInput) -> Decimal | None:
    if s.opening_balance is None:
        return None
    with exact():
        return s.opening_balance + s.tally.balance_change


_NO_TRADES = "no closed trades"
_NO_WINS = "no winning trades"
_NO_LOSSES = "no losing trades"
_NO_BALANCE = "no_balance: needs a starting balance, more than 0 at work on every day, and at least 2 days"
_NO_RETURN = "no_balance: needs a starting balance, and more than 0 at work on every day"
_NO_START = "no_balance: no starting balance is stated"
_ACCOUNT_ONLY = "account_only: belongs to an account, not to a strategy, a symbol, a mode or some trades"

_ROWS = (
    _count("total_trades", "Trades", "Positions closed in the window.", lambda t: t.closed),
    _count("winning_trades", "Wins", "Closed positions with a net result above the breakeven band.",
           lambda t: t.wins),
    _count("losing_trades", "Losses", "Closed positions with a net result below the breakeven band.",
           lambda t: t.losses),
    _count("breakeven_trades", "Breakevens", "Closed positions with a net result within the breakeven band.",
           lambda t: t.breakevens),
    Metric("win_rate", "Win rate", "percent", "Wins / closed positions.",
           lambda s: _quotient(s.tally.wins, s.tally.closed), _closed, 1, _NO_TRADES),
    Metric("win_rate_decided", "Win rate without breakevens", "percent", "Wins / (wins + losses).",
           lambda s: _quotient(s.tally.wins, _wins_and_losses(s)), _wins_and_losses, 1, "no winning or losing trades"),
    _money("net_pnl", "Net P&L", "Realized profit after fees of every booking in the window, partial exits of positions still open included.",
           lambda t: t.curve.net, _fills),
    _money("closed_pnl", "Closed P&L", "Whole-life net result of the positions closed in the window, whenever they were opened.",
           lambda t: t.closed_net),
    _money("gross_profit", "Gross profit", "Total net P&L of the winning trades.", lambda t: t.won),
    _money("gross_loss", "Gross loss", "Total net P&L of the losing trades; never positive.",
           lambda t: t.lost),
    _money("fees", "Fees", "Commissions and fees of every fill in the window; a rebate is negative.",
           lambda t: t.fees, _fills),
    _money("carry", "Carry", "What holding brought: funding, swap, dividends, coupons, borrow fees, rebates; below 0 was paid.",
           lambda t: t.carry, _fills),
    _money("average_win", "Average win", "Gross profit / wins.",
           lambda t: _quotient(t.won, t.wins), _wins, 1, _NO_WINS),
    _money("average_loss", "Average loss", "Gross loss / losses; negative.",
           lambda t: _quotient(t.lost, t.losses), _losses, 1, _NO_LOSSES),
    _money("largest_win", "Largest win", "The best net result of a closed position.",
           lambda t: t.largest_win, _wins, 1, _NO_WINS),
    _money("largest_loss", "Largest loss", "The worst net result of a closed position; negative.",
           lambda t: t.largest_loss, _losses, 1, _NO_LOSSES),
    Metric("payoff_ratio", "Payoff ratio", "ratio", "Average win / |average loss|.",
           lambda s: _quotient(s.tally.won * s.tally.losses, -s.tally.lost * s.tally.wins),
           lambda s: min(_wins(s), _losses(s)), 1, "no winning or losing trades"),
    Metric("profit_factor", "Profit factor", "ratio", "Gross profit / |gross loss|.",
           lambda s: _quotient(s.tally.won, -s.tally.lost), _losses, 1, _NO_LOSSES),
    _money("expectancy", "Expectancy", "Closed P&L / closed positions: what one trade brings on average.",
           lambda t: _quotient(t.closed_net, t.closed), _closed, 1, _NO_TRADES),
    Metric("average_risk_reward", "Average risk-reward", "ratio",
           "Mean planned (target − entry) / (entry − stop) of the closed positions that had both.",
           lambda s: _quotient(s.tally.planned_sum, s.tally.planned_count),
           lambda s: s.tally.planned_count, 1, "no closed trade has both a stop and a target"),
    Metric("average_r", "Average R", "r",
           "Mean of net result / initial risk, of the closed positions with an initial stop.",
           lambda s: _quotient(s.tally.r_sum, s.tally.r_count),
           lambda s: s.tally.r_count, 1, "no closed trade had an initial stop"),
    Metric("sqn", "SQN", "ratio", "√n × mean R / standard deviation of R (n − 1); System Quality Number, Van Tharp.",
           _sqn, lambda s: s.tally.r_count, 2, "fewer than 2 closed trades with an initial stop, or all with the same R",
           "all trades had the same R"),
    Metric("current_streak", "Current streak", "streak", "How many trades in a row ended as the last one did; breakevens neither extend nor break it.",
           lambda s: s.tally.streaks.last_length, _closed),
    Metric("streak_type", "Streak of", "streak", "Whether the current streak is one of wins or of losses.",
           _streak_type, lambda s: s.tally.streaks.count, 1, "no winning or losing trades"),
    _count("longest_win_streak", "Longest win streak", "Most wins in a row.", lambda t: t.streaks.longest_win),
    _count("longest_loss_streak", "Longest loss streak", "Most losses in a row.", lambda t: t.streaks.longest_loss),
    _money("max_drawdown", "Max drawdown", "Deepest fall of realized net P&L, by fill, from a high that starts at 0 with the window; open drawdown included; never negative.",
           lambda t: t.curve.drawdown, _fills),
    Metric("average_win_time", "Average time in wins", "seconds", "Mean holding time of the winning trades whose entry time is known.",
           lambda s: _quotient(s.tally.win_held_us, s.tally.win_held_count * _MICROS),
           lambda s: s.tally.win_held_count, 1, "no winning trade with a known holding time"),
    Metric("average_loss_time", "Average time in losses", "seconds", "Mean holding time of the losing trades whose entry time is known.",
           lambda s: _quotient(s.tally.loss_held_us, s.tally.loss_held_count * _MICROS),
           lambda s: s.tally.loss_held_count, 1, "no losing trade with a known holding time"),
    Metric("quantity_traded", "Quantity traded", "quantity", "Units bought plus units sold.",
           lambda s: s.tally.quantity, _fills),
    Metric("sessions_traded", "Days traded", "count", "Sessions with a result or a closed position.",
           _sessions, _sessions),
    Metric("trades_per_day", "Trades a day", "ratio", "Closed positions / sessions with a closed position or a result.",
           lambda s: _quotient(s.tally.closed, _sessions(s)), _sessions, 1, "no trading days"),
    Metric("average_daily_pnl", "Average daily P&L", "money", "Net P&L / sessions traded.",
           lambda s: _quotient(s.tally.curve.net, _sessions(s)), _sessions, 1, "no trading days"),
    Metric("winning_days", "Winning days", "count", "Sessions with a positive net P&L.",
           lambda s: sum(day.net_pnl > 0 for day in s.days), _sessions),
    Metric("best_day", "Best day", "money", "The highest net P&L of a session.",
           lambda s: _best_day(s).net_pnl, _sessions, 1, "no trading days"),
    Metric("best_day_date", "Best day's date", "day", "The session of the best day, the earliest of equals.",
           lambda s: _best_day(s).session.isoformat(), _sessions, 1, "no trading days"),
    Metric("worst_day", "Worst day", "money", "The lowest net P&L of a session.",
           lambda s: _worst_day(s).net_pnl, _sessions, 1, "no trading days"),
    Metric("worst_day_date", "Worst day's date", "day", "The session of the worst day, the earliest of equals.",
           lambda s: _worst_day(s).session.isoformat(), _sessions, 1, "no trading days"),
    _of_account("result", "Result", "What the account made: net P&L plus income less costs and tax; limits judge it.", _result),
    _of_account("income", "Income", "Interest, lending, staking, bonuses and adjustments above 0; no trading made it.",
                lambda s: s.tally.money.income),
    _of_account("costs", "Costs", "Margin interest, data, platform and account fees, and adjustments below 0; what was paid is above 0.",
                lambda s: s.tally.money.costs),
    _of_account("tax", "Tax", "Tax withheld or paid; what was paid is above 0.", lambda s: s.tally.money.tax),
    _of_account("flows", "Flows", "Deposits less withdrawals and payouts, transfers of money and of shares at their cost: never a gain or a loss.",
                lambda s: s.tally.money.flows),
    _of_account("converted", "Converted", "What conversions brought into the currency less what they took out of it; it is no result.",
                lambda s: s.tally.money.converted),
    _of_account("balance", "Balance", "Balance at the end of the window: the one before it plus result, flows and conversions; what is open counts at its cost.",
                _closing_balance),
    Metric("total_return", "Return", "percent", "Daily returns chained: result / (balance at the start of the day + what came in during it).",
           _total_return, _days_with_balance, 1, _NO_RETURN, "it is beyond any number", of_account=True),
    Metric("return_drawdown", "Drawdown of returns", "percent", "Deepest fall of the chained daily returns from their high; a withdrawal is no fall.",
           _chained_drawdown, _days_with_balance, 1, _NO_RETURN, of_account=True),
    Metric("sharpe", "Sharpe ratio", "ratio", "Mean / standard deviation (n − 1) of daily returns × √252, risk-free rate 0; idle exchange days count as 0.",
           _sharpe, _days_with_balance, 2, _NO_BALANCE, "every day had the same return", of_account=True),
    Metric("sortino", "Sortino ratio", "ratio", "Mean of daily returns / √(Σ min(r, 0)² / (n − 1)) × √252; idle exchange days count as 0.",
           _sortino, _days_with_balance, 2, _NO_BALANCE, "no day had a loss", of_account=True),
    Metric("calmar", "Calmar ratio", "ratio", "Compound yearly growth (252 days) / max drawdown %.",
           _calmar, _days_with_balance, 2, _NO_BALANCE, "there was no drawdown, or a year of such growth is beyond any number", of_account=True),
    Metric("max_drawdown_percent", "Max drawdown %", "percent", "Deepest fall from a high, by fill, as a share of that high: of the balance, and with flows of the returns chained, so that no flow is a fall. It may be another fall than the deepest in money.",
           _max_drawdown_percent, _days_with_balance, 2, _NO_BALANCE, of_account=True),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}


def compute_all(data: MetricInput) -> dict[str, MetricValue]:
    """Compute every metric."""
    return {name: compute(metric, data) for name, metric in METRICS.items()}


def compute(metric: Metric, data: MetricInput) -> MetricValue:
    """Compute one metric."""
    if metric.of_account and not data.is_account:
        return MetricValue(None, 0, _ACCOUNT_ONLY)
    n = metric.sample_size(data)
    if n < metric.min_sample:
        return MetricValue(None, n, metric.reason_undefined)
    value = metric.formula(data)
    if value is None:
        return MetricValue(None, n, metric.reason_constant)
    return MetricValue(value, n)


def ratio_of(name: str, data: MetricInput) -> Ratio:
    """Compute a metric that is a ratio; None if it is undefined."""
    value = compute(METRICS[name], data).value
    return value if isinstance(value, float) else None
