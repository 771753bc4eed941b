"""The tiles of key numbers: a value, its sample, its change, and a small drawing of how it came about."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from tearsheet.performance.comparison import MetricComparison
from tearsheet.performance.metric import METRICS, Metric
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.web.pages import svg as drawing
from tearsheet.web.pages.frame import link
from tearsheet.web.pages.svg import Bar, CurvePath

#: Money that is a gain or a loss by its sign; the rest is a size.
SIGNED = {
    "net_pnl",
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
_TICKS = 20


class Sparkline(Struct, frozen=True):
    """A small drawing: a curve, or bars in a field of 100 × 100."""

    kind: str
    tone: str = ""
    curve: CurvePath | None = None
    bars: Sequence[Bar] = ()


class Tile(Struct, frozen=True):
    """A number with its definition, its sample, and how it compares to the period before."""

    metric: Metric
    compared: MetricComparison
    explain: str
    signed: bool
    caption: str = ""
    sparkline: Sparkline | None = None


def tiles(
    summary: PerformanceSummary,
    compared: Sequence[MetricComparison],
    names: Sequence[str],
    asked_for: Any,
    pictures: Mapping[str, Sparkline | None],
) -> list[Tile]:
    """The tiles of some metrics, each with a way to what it rests on."""
    found = {one.metric: one for one in compared}
    return [
        Tile(
            METRICS[name],
            found[name],
            link("/explain", asked_for, metric=name),
            name in SIGNED,
            _caption(name, summary),
            pictures.get(name),
        )
        for name in names
    ]


def split_bars(summary: PerformanceSummary) -> dict[str, Sparkline | None]:
    """What a summary alone says in pictures: won and lost, by number and by money."""
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


def curves(values: Sequence[Decimal], drawdowns: Sequence[Decimal]) -> dict[str, Sparkline | None]:
    """The running total, and how far below its high it was."""
    if len(values) < 2:
        return {}
    total = drawing.curve_path(values, _HEIGHT)
    depth = drawing.curve_path([-drawdown for drawdown in drawdowns], _HEIGHT)
    return {
        "net_pnl": Sparkline("curve", drawing.tone(values[-1]), total),
        "max_drawdown": Sparkline("curve", "loss", depth),
    }


def recent_results(newest: Sequence[Decimal]) -> dict[str, Sparkline | None]:
    """The last results, the newest at the right."""
    shown = newest[:_TICKS][::-1]
    return {"current_streak": Sparkline("bars", bars=drawing.result_ticks(shown, _TICKS)) if shown else None}


def _split_bar(*parts: tuple[Any, str]) -> Sparkline | None:
    bars = drawing.split_bar(parts)
    return Sparkline("split", bars=bars) if bars else None


def _caption(name: str, summary: PerformanceSummary) -> str:
    """What stands beside a number that needs a second one to be understood."""
    value = summary.value
    if name == "total_trades":
        return f"{value('winning_trades')} won, {value('losing_trades')} lost"
    if name == "current_streak" and value("streak_type") is not None:
        return f"in a row: {value('streak_type')}"
    return ""
