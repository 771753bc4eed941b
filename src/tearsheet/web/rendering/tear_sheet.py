"""Tear sheet: a summary with its charts as one HTML file without references to other files."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, Template
from markupsafe import Markup

from tearsheet import __version__
from tearsheet.app.analysis.charts import Charts, selection_of
from tearsheet.app.analysis.curves import Curves
from tearsheet.export.files import ExportedFile, file_name, write_file
from tearsheet.export.svg import summary_svg
from tearsheet.performance.breakdown import GROUPINGS
from tearsheet.performance.metric import METRICS
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules import AlertEvent
from tearsheet.tracker import PerformanceTracker
from tearsheet.web.rendering import svg
from tearsheet.web.rendering.chart_words import chart_words
from tearsheet.web.rendering.labels import incompleteness, render_code
from tearsheet.web.rendering.locales import locale_of
from tearsheet.web.rendering.tiles import SIGNED

_WEB = Path(__file__).parents[1]
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
_MAX_GROUPS = 40


def export_tear_sheet(
    tracker: PerformanceTracker, summary: PerformanceSummary, alerts: Sequence[AlertEvent]
) -> ExportedFile:
    """Write `{window}-summary-{start}.html`, unless the file has this content already. Raises InputError."""
    path = tracker.settings.output_dir / f"{file_name(summary)}.html"
    return write_file(path, render_tear_sheet(tracker, summary, alerts).encode())


def render_tear_sheet(
    tracker: PerformanceTracker, summary: PerformanceSummary, alerts: Sequence[AlertEvent]
) -> str:
    """Return the file's text; the same summary gives the same bytes."""
    charts, selection = Charts(tracker), selection_of(summary)
    zone = tracker.settings.calendar.timezone
    days = charts.daily_curve(selection)
    words = chart_words(locale_of("en"), summary.currency, zone)
    distribution = charts.distribution(selection, "net")
    # without tags: they can change later, but the file of a period must not
    groups = [
        (label, charts.breakdown(selection, by)[:_MAX_GROUPS])
        for by, (label, _) in GROUPINGS.items()
        if by != "tag"
    ]

    def local_time(at: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
        return at.astimezone(zone).strftime(form)

    return _template().render(
        summary=summary,
        partial=incompleteness(summary),
        alerts=alerts,
        tiles=_TILES,
        signed=SIGNED,
        days=days,
        chart=Markup(summary_svg(Curves(tracker).drawn(selection), days, words, summary.currency)),
        distribution=distribution,
        distribution_bars=svg.bin_columns(distribution),
        groups=groups,
        version=__version__,
        local_time=local_time,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_WEB / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {
        "locale": locale_of("en"),
        "svg": svg,
        "render_code": render_code,
        "metrics": METRICS,
        "style": (_WEB / "static" / "tear_sheet.css").read_text("utf-8"),
    }
    return environment.get_template("tear_sheet.html")
