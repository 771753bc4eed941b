"""Tear sheet: a summary with its charts and tables as one HTML file without references to other files."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, Template
from markupsafe import Markup
from msgspec import Struct

from tearsheet import __version__
from tearsheet.app.analysis.charts import Charts, Selection, selection_of
from tearsheet.app.analysis.curves import Curves
from tearsheet.export.bar_charts import BandLook, BandPoint, band_picture
from tearsheet.export.curve_chart import CurveLook, curve_picture
from tearsheet.export.day_map import day_map_picture
from tearsheet.export.files import ExportedFile, file_name, write_file
from tearsheet.export.plot import ChartWords, Picture, chart_style, date_words
from tearsheet.performance.breakdown import Group
from tearsheet.performance.distribution import distribution
from tearsheet.performance.metric import METRICS
from tearsheet.performance.rolling import RollingPoint
from tearsheet.performance.series import DailyPoint
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules import AlertEvent
from tearsheet.rules.limit import LIMITS, limit_label
from tearsheet.tracker import PerformanceTracker
from tearsheet.web.rendering import svg
from tearsheet.web.rendering.chart_words import chart_words, distribution_chart, rolling_chart
from tearsheet.web.rendering.labels import alert_period, incompleteness, render_code
from tearsheet.web.rendering.locales import Locale, locale_of
from tearsheet.web.rendering.report import ANNUAL, metric_groups, month_returns, share_of, share_of_peak

_WEB = Path(__file__).parents[1]
#: Groupings of the sheet with their headings; without tags: they can change later, but the file must not.
_GROUPINGS = (
    ("strategy", "Strategy"),
    ("weekday", "Weekday"),
    ("root", "Symbol"),
    ("hour", "Hour closed"),
    ("account", "Account"),
    ("side", "Side"),
)
_MAX_GROUPS = 12
#: Sections of the two columns, in the order in which they are placed, and about how high they are.
_SECTIONS = (
    "drawdowns",
    "per_day",
    "per_r",
    "Strategy",
    "Symbol",
    "Weekday",
    "Hour closed",
    "Account",
    "Side",
    "sharpe",
    "expectancy",
)
_TABLE_HEIGHT, _ROW_HEIGHT, _PICTURE_HEIGHT = 76, 23, 236
#: Sizes of the pictures: the whole width, half of it, and a phone.
_WIDE, _PHONE, _HALF = (932, 300), (362, 300), (450, 190)
_ROLLING_TRADES, _ROLLING_DAYS = 50, 20
#: Histories of fewer days are named as short beside annual figures.
_SHORT_DAYS = 126


class Headline(Struct, frozen=True):
    """One of the six numbers on top."""

    name: str
    value: str
    tone: str
    basis: str


class Breakdown(Struct, frozen=True):
    """Groups of a heading, and how many more there are."""

    name: str
    groups: Sequence[Group]
    more: int
    largest: Decimal


class Section(Struct, frozen=True):
    """A part of a column: a breakdown, or a picture or table by its name."""

    name: str
    table: Breakdown | None = None


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
    zone = tracker.settings.calendar.timezone

    def local_time(at: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
        return at.astimezone(zone).strftime(form)

    content: dict[str, Any] = {}
    if not summary.is_empty:
        content = _Sheet(tracker, summary).content()
    return _template().render(
        summary=summary,
        title=_title(summary),
        accounts=_accounts(tracker, summary),
        partial=incompleteness(summary),
        alerts=alerts,
        version=__version__,
        local_time=local_time,
        **content,
    )


def _title(summary: PerformanceSummary) -> str:
    window = summary.window
    if window.last_trades is not None:
        return f"the last {window.last_trades} trades"
    start, end = window.start, window.end
    if window.kind == "all" and summary.days:
        end = summary.days[-1].session
    if start == end:
        return date_words(start)
    first = f"{start.day} {start:%b}" + ("" if start.year == end.year else f" {start.year}")
    return f"{first} \u2013 {end.day} {end:%b} {end.year}"


def _accounts(tracker: PerformanceTracker, summary: PerformanceSummary) -> str:
    if summary.scope.account is not None:
        return f"Account {summary.scope.account}"
    names = tracker.accounts()
    if len(names) > 4:
        return f"{len(names)} accounts"
    return ("Account " if len(names) == 1 else "Accounts ") + " and ".join(names)


class _Sheet:
    """Content of a sheet with trades."""

    def __init__(self, tracker: PerformanceTracker, summary: PerformanceSummary) -> None:
        self._tracker, self._summary = tracker, summary
        self._charts, self._curves = Charts(tracker), Curves(tracker)
        self._selection: Selection = selection_of(summary)
        self._locale: Locale = locale_of("en")
        self._calendar = tracker.settings.calendar
        self._words: ChartWords = chart_words(self._locale, summary.currency, self._calendar.timezone)
        self._days: Sequence[DailyPoint] = self._charts.daily_curve(self._selection)
        self._balance = self._curves.starting_balance(self._selection)

    def content(self) -> dict[str, Any]:
        """Return the values of the template."""
        trades = self._charts.closed_trades(self._selection)
        rolling = self._charts.rolling(self._selection, _ROLLING_TRADES)
        all_trades = self._charts.rolling(self._selection, len(trades)) if trades else ()
        one_curve = self._curves.drawn(self._selection)
        pictures = {
            "wide": curve_picture(one_curve, self._words, CurveLook(*_WIDE)),
            "phone": curve_picture(one_curve, self._words, CurveLook(*_PHONE)),
            "per_day": self._per_day(),
            "per_r": self._per_r(),
            "sharpe": self._sharpe(),
            "expectancy": self._expectancy(rolling),
            "map": day_map_picture(self._days, self._words, _WIDE[0]) if len(self._days) > 1 else None,
        }
        breakdowns = list(self._breakdowns())
        return {
            "headlines": list(self._headlines()),
            "days": self._days,
            "balance": self._balance,
            "by_fill": one_curve.by_fill,
            "pictures": {name: one and Markup(one.svg) for name, one in pictures.items()},
            "years": month_returns(self._days, self._balance),
            "drawdowns": self._curves.worst_drawdowns(self._selection),
            "share_of": share_of_peak(self._balance),
            "columns": _columns(pictures, breakdowns),
            "r_count": self._summary.metrics["average_r"].n,
            "rolling_trades": _ROLLING_TRADES,
            "rolling_days": _ROLLING_DAYS,
            "groups": metric_groups(self._summary, self._locale, all_trades[0] if all_trades else None),
            "is_short": len(self._days) < _SHORT_DAYS,
            "annual": ANNUAL,
        }

    def _headlines(self) -> Iterator[Headline]:
        rows = {
            row.name: row for _, group in metric_groups(self._summary, self._locale, None) for row in group
        }
        value = self._summary.value
        net = rows["net_pnl"]
        yield Headline("Net P&L", net.value, net.tone, rows["total_trades"].value + " trades")
        yield self._return(rows["average_daily_pnl"].value, rows["average_daily_pnl"].tone)
        sharpe = rows["sharpe"]
        if self._summary.value("sharpe") is not None:
            yield Headline("Sharpe, annual", sharpe.value, "", f"{sharpe.sample}, {ANNUAL}")
        else:
            row = rows["expectancy"]
            yield Headline("Expectancy", row.value, row.tone, row.sample)
        depth, percent = rows["max_drawdown"], rows["max_drawdown_percent"]
        is_known = value("max_drawdown_percent") is not None
        yield Headline("Max drawdown", depth.value, depth.tone, percent.value if is_known else depth.sample)
        decided = f"{rows['winning_trades'].value} won, {rows['losing_trades'].value} lost"
        factor = rows["profit_factor"]
        is_defined = value("profit_factor") is not None
        yield (
            Headline("Profit factor", factor.value if is_defined else "no losses", "", decided)
            if value("total_trades")
            else Headline("Profit factor", factor.value, "", factor.sample)
        )
        rate = rows["win_rate"]
        yield Headline("Win rate", rate.value, "", rate.interval or rate.sample)

    def _return(self, average: str, tone: str) -> Headline:
        days = f"{len(self._days):,} day{'s' if len(self._days) != 1 else ''}"
        share = share_of(self._days[-1].total, self._balance)
        if share is None:
            return Headline("Average day", average, tone, days)
        text = self._locale.format("percent", share, "", signed=True)
        base = self._locale.amount_rounded(self._balance, self._summary.currency).lstrip("+")
        return Headline("Return", text, svg.tone(share), f"on {base}, {days}")

    def _per_day(self) -> Picture | None:
        found = distribution([day.net_pnl for day in self._days])
        return (
            distribution_chart(found, "net", self._locale, self._words, _HALF, "days")
            if found.n > 1
            else None
        )

    def _per_r(self) -> Picture | None:
        found = self._charts.distribution(self._selection, "r")
        return distribution_chart(found, "r", self._locale, self._words, _HALF) if found.n > 1 else None

    def _sharpe(self) -> Picture | None:
        found = self._curves.rolling_sharpe(self._selection, _ROLLING_DAYS)
        if len(found) < 2:
            return None
        drawn = [BandPoint(day, date_words(day), value) for day, value in found]

        def say(value: Decimal) -> str:
            return self._locale.format("ratio", value, "")

        look = BandLook("Rolling Sharpe", say, lambda amount, step: f"{amount.normalize():f}", with_zero=True)
        return band_picture(drawn, look, *_HALF)

    def _expectancy(self, points: Sequence[RollingPoint]) -> Picture | None:
        if len(points) < 2:
            return None
        return rolling_chart(points, "expectancy", self._locale, self._words, self._calendar, _HALF)

    def _breakdowns(self) -> Iterator[Breakdown]:
        for by, name in _GROUPINGS:
            groups = self._charts.breakdown(self._selection, by)
            shown = groups[:_MAX_GROUPS]
            if shown and (len(groups) > 1 or by in ("strategy", "root", "side")):
                yield Breakdown(
                    name, shown, len(groups) - len(shown), svg.largest(group.closed_pnl for group in shown)
                )


def _columns(
    pictures: Mapping[str, Picture | None], breakdowns: Sequence[Breakdown]
) -> tuple[list[Section], list[Section]]:
    """Return the sections of two columns of about one height, in their order."""
    tables = {one.name: one for one in breakdowns}
    columns: tuple[list[Section], list[Section]] = ([], [])
    heights = [0, 0]
    for name in _SECTIONS:
        table = tables.get(name)
        if table is None and name != "drawdowns" and pictures.get(name) is None:
            continue
        rows = 5 if table is None else len(table.groups)
        side = heights.index(min(heights))
        columns[side].append(Section(name, table))
        heights[side] += _TABLE_HEIGHT + _ROW_HEIGHT * rows if name not in pictures else _PICTURE_HEIGHT
    return columns


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_WEB / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    static = _WEB / "static"
    font = b64encode((static / "vendor" / "inter.woff2").read_bytes()).decode()
    own = (static / "tear_sheet.css").read_text("utf-8")
    own = own.replace("asset:inter.woff2", f"data:font/woff2;base64,{font}")
    environment.globals |= {
        "locale": locale_of("en"),
        "svg": svg,
        "render_code": render_code,
        "metrics": METRICS,
        "limit_table": LIMITS,
        "limit_label": limit_label,
        "alert_period": alert_period,
        "style": "\n".join([(static / "report.css").read_text("utf-8"), chart_style(), own]),
    }
    return environment.get_template("tear_sheet.html")
