"""Tables of a report: metrics in groups with what they rest on, and returns by month."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import groupby

from msgspec import Struct

from tearsheet.performance.metric import METRICS, TRADING_DAYS_A_YEAR, MetricScalar
from tearsheet.performance.rolling import RollingPoint, wilson
from tearsheet.performance.series import DailyPoint
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.trade.amount import ZERO, exact
from tearsheet.web.rendering import svg
from tearsheet.web.rendering.labels import reason_words
from tearsheet.web.rendering.locales import Locale
from tearsheet.web.rendering.tiles import SIGNED

_RATIO = Context(prec=30, rounding=ROUND_HALF_EVEN)
#: Fewer results than this are shown with a warning.
FEW = 10
#: Metrics by group; a metric of no group is listed with the trades.
METRIC_GROUPS: Mapping[str, tuple[str, ...]] = {
    "Return": (
        "net_pnl",
        "closed_pnl",
        "gross_profit",
        "gross_loss",
        "average_daily_pnl",
        "best_day",
        "worst_day",
        "winning_days",
        "sessions_traded",
    ),
    "Risk": (
        "max_drawdown",
        "max_drawdown_percent",
        "sharpe",
        "sortino",
        "calmar",
        "sqn",
        "longest_win_streak",
        "longest_loss_streak",
        "current_streak",
    ),
    "Account": (
        "balance",
        "result",
        "income",
        "costs",
        "tax",
        "flows",
        "converted",
        "total_return",
        "return_drawdown",
    ),
    "Trades": (
        "total_trades",
        "winning_trades",
        "losing_trades",
        "breakeven_trades",
        "win_rate",
        "win_rate_decided",
        "profit_factor",
        "payoff_ratio",
        "expectancy",
        "average_win",
        "average_loss",
        "largest_win",
        "largest_loss",
        "average_r",
        "average_risk_reward",
    ),
    "Costs and time": (
        "fees",
        "carry",
        "quantity_traded",
        "trades_per_day",
        "average_win_time",
        "average_loss_time",
    ),
}
#: Shown beside another metric.
_BESIDE = {"best_day_date", "worst_day_date", "streak_type"}
#: What the sample of a metric counts, where it is not trades.
_SAMPLES = {
    **dict.fromkeys(("net_pnl", "fees", "carry", "max_drawdown", "quantity_traded"), "fills"),
    **dict.fromkeys(("result", "income", "costs", "tax", "flows", "converted", "balance"), "days"),
    **dict.fromkeys(
        ("sessions_traded", "trades_per_day", "average_daily_pnl", "winning_days", "best_day", "worst_day"),
        "days",
    ),
    **dict.fromkeys(
        ("sharpe", "sortino", "calmar", "max_drawdown_percent", "total_return", "return_drawdown"),
        "daily returns",
    ),
    **dict.fromkeys(("average_win", "largest_win", "average_win_time"), "wins"),
    **dict.fromkeys(("average_loss", "largest_loss", "average_loss_time", "profit_factor"), "losses"),
    **dict.fromkeys(("average_r", "sqn"), "trades with a stop"),
}


class MetricRow(Struct, frozen=True):
    """A metric as text: its value, what it rests on, and its interval, if it has one."""

    name: str
    label: str
    description: str
    value: str
    tone: str
    sample: str
    interval: str = ""


class MonthCell(Struct, frozen=True):
    """Result of a month or year: money, and as a share of the balance before it."""

    net: Decimal
    share: Decimal | None
    shade: str


class YearRow(Struct, frozen=True):
    """Months of a year, January first; None for one without trading."""

    year: int
    months: tuple[MonthCell | None, ...]
    total: MonthCell


def metric_groups(
    summary: PerformanceSummary, locale: Locale, all_trades: RollingPoint | None = None
) -> list[tuple[str, list[MetricRow]]]:
    """Return every metric in its group; `all_trades` has the interval of the expectancy."""
    grouped = {name for names in METRIC_GROUPS.values() for name in names} | _BESIDE
    groups = {title: list(names) for title, names in METRIC_GROUPS.items()}
    groups["Trades"] += [name for name in METRICS if name not in grouped]
    intervals = dict(_intervals(summary, locale, all_trades))
    shown = set(summary.shown_metrics)
    rows = {
        title: [_metric_row(name, summary, locale, intervals) for name in names if name in shown]
        for title, names in groups.items()
    }
    return [(title, own) for title, own in rows.items() if own]


def _intervals(
    summary: PerformanceSummary, locale: Locale, all_trades: RollingPoint | None
) -> Iterator[tuple[str, str]]:
    trades, wins = summary.value("total_trades"), summary.value("winning_trades")
    if isinstance(trades, int) and isinstance(wins, int) and trades:
        low, high = wilson(wins, trades)
        yield "win_rate", f"95%: {locale.percent(low)} to {locale.percent(high)}"
    if all_trades is not None and all_trades.expectancy_low is not None:
        ends = (all_trades.expectancy_low, all_trades.expectancy_high)
        low_text, high_text = (locale.money(end, summary.currency, signed=True) for end in ends)
        yield "expectancy", f"95%: {low_text} to {high_text}"


def _metric_row(
    name: str, summary: PerformanceSummary, locale: Locale, intervals: Mapping[str, str]
) -> MetricRow:
    metric, found = METRICS[name], summary.metrics[name]
    signed = name in SIGNED
    is_fall = name.startswith("max_drawdown")
    value = _negative(found.value) if is_fall else found.value
    text = locale.format(metric.unit, value, summary.currency, signed=signed)
    tone = svg.tone(value) if signed or is_fall else ""
    sample = reason_words(found.reason) or sample_words(name, found.n, locale)
    if name in ("best_day", "worst_day") and found.value is not None:
        sample = _day_words(str(summary.value(f"{name}_date")))
    if name == "current_streak" and summary.value("streak_type"):
        text = _streak(text, str(summary.value("streak_type")))
    return MetricRow(
        name,
        metric.label,
        metric.description,
        text,
        "" if tone == "even" else tone,
        sample,
        intervals.get(name, ""),
    )


def _day_words(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%b %Y}"


def _streak(length: str, kind: str) -> str:
    return f"{length} {kind}" if length == "1" else f"{length} {'losses' if kind == 'loss' else kind + 's'}"


def sample_words(name: str, n: int, locale: Locale) -> str:
    """Return what a metric rests on, with its noun, and whether that is too little."""
    words = sample_count(name, n, locale)
    few = 0 < n < FEW and METRICS[name].unit in ("ratio", "percent", "r")
    return f"{words}, too few to judge" if few else words


def sample_count(name: str, n: int, locale: Locale) -> str:
    """Return what a metric rests on, with its noun."""
    noun = _SAMPLES.get(name, "trades")
    if n == 1:
        noun = {"losses": "loss", "trades with a stop": "trade with a stop"}.get(noun, noun.removesuffix("s"))
    return f"{locale.number(n)} {noun}"


def month_returns(days: Sequence[DailyPoint], balance: Decimal | None) -> list[YearRow]:
    """Return a row for each year with trading, the newest first."""
    with exact():
        months = {
            key: (sum((day.net_pnl for day in group), ZERO), start)
            for key, (start, group) in _by_month(days).items()
        }
    shares = {key: _share(net, balance, start) for key, (net, start) in months.items()}
    shades = svg.quartile_shades({key: net for key, (net, _) in months.items()})
    rows = []
    for year, keys in groupby(sorted(months), key=lambda key: key[0]):
        of_year = list(keys)
        with exact():
            net = sum((months[key][0] for key in of_year), ZERO)
        total = MonthCell(net, _share(net, balance, months[of_year[0]][1]), "")
        cells = {key[1]: MonthCell(months[key][0], shares[key], shades.get(key, "even")) for key in of_year}
        rows.append(YearRow(year, tuple(cells.get(month) for month in range(1, 13)), total))
    return rows[::-1]


def _by_month(days: Sequence[DailyPoint]) -> dict[tuple[int, int], tuple[Decimal, list[DailyPoint]]]:
    """Return the days of each month with the total before them."""
    found: dict[tuple[int, int], tuple[Decimal, list[DailyPoint]]] = {}
    before = ZERO
    for key, group in groupby(days, key=lambda day: (day.session.year, day.session.month)):
        of_month = list(group)
        found[key] = (before, of_month)
        before = of_month[-1].total
    return found


def _share(net: Decimal, balance: Decimal | None, before: Decimal) -> Decimal | None:
    """Return a result as a share of the balance before it; None without a positive one."""
    if balance is None or balance + before <= 0:
        return None
    return _RATIO.divide(net, balance + before)


def share_of(part: Decimal, whole: Decimal | None) -> Decimal | None:
    """Return a part of a balance; None without a positive one."""
    return None if whole is None or whole <= 0 else _RATIO.divide(part, whole)


def share_of_peak(balance: Decimal | None) -> Callable[[Decimal, Decimal], Decimal | None]:
    """Return a function of a depth and the total at its peak: minus its share of the equity there."""

    def share(depth: Decimal, peak_total: Decimal) -> Decimal | None:
        with exact():
            return None if balance is None else share_of(-depth, balance + peak_total)

    return share


def _negative(value: MetricScalar) -> MetricScalar:
    return value if value is None or isinstance(value, str) else -value


#: What annual figures assume.
ANNUAL = f"√{TRADING_DAYS_A_YEAR}"
