"""Picture of a summary: its curve and its days as SVG."""

from tearsheet.app.analysis.charts import Charts, selection_of
from tearsheet.app.analysis.curves import Curves
from tearsheet.app.context import LedgerContext
from tearsheet.export.plot import plain_words
from tearsheet.export.svg import summary_svg
from tearsheet.performance.summary import PerformanceSummary


def summary_picture(context: LedgerContext, summary: PerformanceSummary) -> str:
    """Return the picture of a summary's window and scope; empty without any results."""
    selection = selection_of(summary)
    curve, days = Curves(context).drawn(selection), Charts(context).daily_curve(selection)
    return summary_svg(curve, days, plain_words(context.settings.calendar.timezone), summary.currency)
