"""A summary as one HTML file: the dashboard's numbers and charts, drawn here, with nothing from elsewhere."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, Template

from tearsheet import __version__
from tearsheet.export import ExportedFile, file_name, write_file
from tearsheet.performance.breakdown import GROUPINGS
from tearsheet.performance.metric import METRICS
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules import AlertEvent
from tearsheet.tracker import PerformanceTracker
from tearsheet.tracker.insights import Chosen, Insights
from tearsheet.trade.session import DAY, Window
from tearsheet.web import locales
from tearsheet.web.pages import drawing
from tearsheet.web.pages.day import SIGNED
from tearsheet.web.pages.frame import partial_of

_HERE = Path(__file__).parent
_TILES = (
    "net_pnl", "total_trades", "win_rate", "profit_factor", "expectancy", "average_win",
    "average_loss", "max_drawdown", "average_r", "fees",
)  # fmt: skip
_MOST_GROUPS = 40


def export_sheet(
    tracker: PerformanceTracker, summary: PerformanceSummary, alerts: Sequence[AlertEvent]
) -> ExportedFile:
    """Write `{window}-summary-{start}.html`; a file that says the same stays. Raises InputError."""
    path = tracker.settings.output_dir / f"{file_name(summary)}.html"
    return write_file(path, sheet(tracker, summary, alerts).encode())


def sheet(
    tracker: PerformanceTracker, summary: PerformanceSummary, alerts: Sequence[AlertEvent]
) -> str:
    """The file's text; the same summary gives the same bytes."""
    insights, chosen = Insights(tracker), _chosen(summary)
    days = insights.equity(chosen)
    bars, zero = drawing.columns([(day.net_pnl, str(day.session)) for day in days])
    spread = insights.distribution(chosen, "net")
    groups = [(GROUPINGS[by][0], insights.breakdown(chosen, by)[:_MOST_GROUPS]) for by in GROUPINGS]
    return _template().render(
        summary=summary, partial=partial_of(summary), alerts=alerts, tiles=_TILES, signed=SIGNED,
        days=days, bars=bars, zero=zero, spread=spread, spread_bars=drawing.bins(spread),
        groups=groups, total=drawing.curve([day.total for day in days], 220),
        drawdown=drawing.curve([-day.drawdown for day in days], 70), version=__version__,
        local=lambda at, form="%Y-%m-%d %H:%M:%S": _local(tracker, at, form),
    )  # fmt: skip


def _chosen(summary: PerformanceSummary) -> Chosen:
    """The window, scope and money that a summary is of."""
    view = summary.window
    window = Window(view.kind, view.start, view.end + DAY, view.last_trades)
    return Chosen(window, summary.scope, summary.currency)


def _local(tracker: PerformanceTracker, at: datetime, form: str) -> str:
    return at.astimezone(tracker.settings.calendar.timezone).strftime(form)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.globals |= {
        "l": locales.locale_of("en"),
        "draw": drawing,
        "metrics": METRICS,
        "style": (_HERE / "static" / "sheet.css").read_text("utf-8"),
    }
    return environment.get_template("sheet.html")
