"""A summary as one HTML file: the dashboard's numbers and charts, drawn here, with nothing from elsewhere."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, Template
from markupsafe import Markup

from tearsheet import __version__
from tearsheet.app.analysis.charts import Charts, selection_of
from tearsheet.export.files import ExportedFile, file_name, write_file
from tearsheet.export.svg import summary_svg
from tearsheet.performance.breakdown import GROUPINGS
from tearsheet.performance.metric import METRICS
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules import AlertEvent
from tearsheet.tracker import PerformanceTracker
from tearsheet.web.pages import locales
from tearsheet.web.pages import svg as drawing
from tearsheet.web.pages.frame import incompleteness, render_code
from tearsheet.web.pages.tiles import SIGNED

_HERE = Path(__file__).parents[1]
_TILES = (
    "net_pnl",
    "total_trades",
    "win_rate",
    "profit_factor",
    "expectancy",
    "average_win",
    "average_loss",
    "max_drawdown",
    "average_r",
    "fees",
)
_MOST_GROUPS = 40


def export_tear_sheet(
    tracker: PerformanceTracker, summary: PerformanceSummary, alerts: Sequence[AlertEvent]
) -> ExportedFile:
    """Write `{window}-summary-{start}.html`; a file that says the same stays. Raises InputError."""
    path = tracker.settings.output_dir / f"{file_name(summary)}.html"
    return write_file(path, render_tear_sheet(tracker, summary, alerts).encode())


def render_tear_sheet(
    tracker: PerformanceTracker, summary: PerformanceSummary, alerts: Sequence[AlertEvent]
) -> str:
    """The file's text; the same summary gives the same bytes."""
    insights, chosen = Charts(tracker), selection_of(summary)
    days = insights.daily_curve(chosen)
    spread = insights.distribution(chosen, "net")
    # tags may be another tomorrow, and a file says the same for ever
    groups = [
        (words, insights.breakdown(chosen, by)[:_MOST_GROUPS])
        for by, (words, _) in GROUPINGS.items()
        if by != "tag"
    ]
    return _template().render(
        summary=summary,
        partial=incompleteness(summary),
        alerts=alerts,
        tiles=_TILES,
        signed=SIGNED,
        days=days,
        picture=Markup(summary_svg(days, summary.currency)),
        spread=spread,
        spread_bars=drawing.bin_columns(spread),
        groups=groups,
        version=__version__,
        local=lambda at, form="%Y-%m-%d %H:%M:%S": _local(tracker, at, form),
    )


def _local(tracker: PerformanceTracker, at: datetime, form: str) -> str:
    return at.astimezone(tracker.settings.calendar.timezone).strftime(form)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {
        "l": locales.locale_of("en"),
        "draw": drawing,
        "worded": render_code,
        "metrics": METRICS,
        "style": (_HERE / "static" / "sheet.css").read_text("utf-8"),
    }
    return environment.get_template("sheet.html")
