"""Tiles: a metric with its sample, its change and a sparkline."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from tearsheet.performance.comparison import MetricComparison
from tearsheet.performance.metric import METRICS, Metric
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.web.rendering import svg
from tearsheet.web.rendering.labels import link

#: Metrics whose sign is a gain or a loss; other amounts of money are sizes.
SIGNED = {
    "net_pnl",
    "result",
    "flows",
    "closed_pnl",
    "expectancy",
    "average_win",
    "average_loss",
    "average_daily_pnl",
    "best_day",
    "worst_day",
    "largest_win",
    "largest_loss",
    "gross_profit",
    "gross_loss",
}
_HEIGHT = 100
_TICKS, _DAY_TICKS = 20, 22
#: Stretches that a sparkline of many values is drawn in.
_PLACES = 60


class Sparkline(Struct, frozen=True):
    """A chart on a tile: a curve, or bars."""

    kind: str
    tone: str = ""
    curve: svg.CurvePath | None = None
    bars: Sequence[svg.Bar] = ()


class Tile(Struct, frozen=True):
    """A metric compared with the previous period, with the address of its explanation."""

    metric: Metric
    comparison: MetricComparison
    explain: str
    signed: bool
    caption: str = ""
    tone: str = ""
    sparkline: Sparkline | None = None


def tiles(
    summary: PerformanceSummary,
    comparison: Sequence[MetricComparison],
    names: Sequence[str],
    filters: Mapping[str, Any],
    sparklines: Mapping[str, Sparkline | None],
) -> list[Tile]:
    """Return the tiles of some metrics; `filters` are the query parameters for their explanations."""
    by_metric = {one.metric: one for one in comparison}
    return [
        Tile(
            METRICS[name],
            by_metric[name],
            link("/explain", filters, metric=name),
            name in SIGNED,
            _caption(name, summary),
            "loss" if name == "max_drawdown" and summary.value(name) else "",
            sparklines.get(name),
        )
        for name in names
    ]


def split_bars(summary: PerformanceSummary) -> dict[str, Sparkline | None]:
    """Return bars split into wins and losses, by number and by money."""
    value = summary.value
    return {
        "win_rate": _split_bar(
            (value("winning_trades"), "gain"),
            (value("breakeven_trades"), "even"),
            (value("losing_trades"), "loss"),
        ),
        "profit_factor": _split_bar((value("gross_profit"), "gain"), (value("gross_loss"), "loss")),
        "payoff_ratio": _split_bar((value("average_win"), "gain"), (value("average_loss"), "loss")),
    }


def curves(totals: Sequence[Decimal], drawdowns: Sequence[Decimal]) -> dict[str, Sparkline | None]:
    """Return the curves of cumulative P&L and drawdown, none for fewer than two points."""
    if len(totals) < 2:
        return {}
    drawdown = svg.curve_path(_thinned([-value for value in drawdowns]), _HEIGHT)
    return {"net_pnl": sparkline_of(totals), "max_drawdown": Sparkline("curve", "loss", drawdown)}


def _thinned(values: Sequence[Decimal]) -> list[Decimal]:
    """Return the lowest, highest and last value of each of some stretches, if there are more values than pixels."""
    size = -(-len(values) // _PLACES)
    kept: list[Decimal] = []
    for start in range(0, len(values), size):
        part = range(start, min(start + size, len(values)))
        chosen = {min(part, key=values.__getitem__), max(part, key=values.__getitem__), part[-1]}
        kept += [values[number] for number in sorted(chosen)]
    return kept


def sparkline_of(totals: Sequence[Decimal]) -> Sparkline | None:
    """Return the curve of cumulative P&L, None for fewer than two points."""
    if len(totals) < 2:
        return None
    return Sparkline("curve", svg.tone(totals[-1]), svg.curve_path(_thinned(totals), _HEIGHT))


def recent_results(newest_first: Sequence[Decimal]) -> dict[str, Sparkline | None]:
    """Return ticks of the latest trades, the newest at the right."""
    results = newest_first[:_TICKS][::-1]
    sparkline = Sparkline("bars", bars=svg.result_ticks(results, _TICKS)) if results else None
    return {"current_streak": sparkline}


def day_ticks(nets: Sequence[Decimal]) -> dict[str, Sparkline | None]:
    """Return ticks of the latest days, the newest at the right."""
    results = nets[-_DAY_TICKS:]
    sparkline = Sparkline("bars", bars=svg.result_ticks(results, _DAY_TICKS)) if len(results) > 1 else None
    return {"winning_days": sparkline}


def _split_bar(*parts: tuple[Any, str]) -> Sparkline | None:
    bars = svg.split_bar(parts)
    return Sparkline("split", bars=bars) if bars else None


def _caption(name: str, summary: PerformanceSummary) -> str:
    """Return a second number for metrics that are not clear without one."""
    value = summary.value
    counts = [
        value(kind) or 0 for kind in ("winning_trades", "losing_trades", "total_trades", "sessions_traded")
    ]
    won, lost, trades, days = (f"{number:,}" for number in counts)
    split = f"{won} win{'s' if won != '1' else ''}, {lost} loss{'es' if lost != '1' else ''}"
    captions = {
        "total_trades": split,
        "net_pnl": f"{trades} trade{'s' if trades != '1' else ''}",
        "win_rate": f"{won} of {trades}",
        "profit_factor": split,
        "winning_days": f"of {days} day{'s' if days != '1' else ''}",
    }
    multiple = summary.metrics["average_r"]
    if isinstance(multiple.value, Decimal | float) and multiple.n:
        captions["expectancy"] = f"{multiple.value:+.2f} R · n {multiple.n:,}".replace("-", "\N{MINUS SIGN}")
    if name in captions:
        return captions[name]
    if name == "current_streak" and value("streak_type") is not None:
        kind = value("streak_type")
        many = value(name) != 1
        return f"{'losses' if kind == 'loss' else f'{kind}s'} in a row" if many else str(kind)
    return ""
