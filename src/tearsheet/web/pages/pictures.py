"""Charts as fragments of a page: SVG drawn for the width that the browser has, with what a pointer finds on it."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, Literal

from flask import Response, request
from markupsafe import Markup
from msgspec import Struct

from tearsheet.app.analysis.charts import Charts, Selection
from tearsheet.app.analysis.curve_units import curve_in_percent, curve_in_r
from tearsheet.app.analysis.curves import Curves
from tearsheet.export.bar_charts import columns_picture, two_curves_picture
from tearsheet.export.curve_chart import CurveLook, curve_picture
from tearsheet.export.files import json_line
from tearsheet.export.plot import ChartWords, Picture
from tearsheet.performance.series import DailyPoint, DrawnCurve
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import EARLIEST, LATEST, Window
from tearsheet.web.api.charts import COMPARISON_PARAMETERS, comparison_selection
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import HttpError
from tearsheet.web.pages.frame import PageRoute, Pages
from tearsheet.web.pages.results import PARAMETERS, link_parameters, selection_from_link
from tearsheet.web.rendering.chart_words import (
    chart_words,
    distribution_chart,
    percent_words,
    r_words,
    rolling_chart,
)
from tearsheet.web.rendering.labels import window_label
from tearsheet.web.rendering.locales import Locale, preferred_locale

_SIZE = (
    parameters.number_of("width", "Width in pixels.", 4000, 720, low=120),
    parameters.number_of("height", "Height in pixels.", 2000, 320, low=80),
)
_CURVE = (
    parameters.choice("look", "With its drawdown, or colored by sign.", "equity", "fills", default="equity"),
    parameters.choice(
        "unit", "Money, percent of the balance before, or R.", "money", "percent", "r", default="money"
    ),
    parameters.choice("strip", "Whether the strip of all history is below.", "yes"),
    parameters.place_in_time("zoom_start", "First day or instant of the part shown."),
    parameters.place_in_time("zoom_end", "Last day or instant of the part shown, included."),
)
_OF = parameters.choice("of", "Money, or R.", "net", "r", default="net")
_METRIC = parameters.choice("metric", "The rolling metric.", "win_rate", "expectancy", default="win_rate")
_TARGET = parameters.percent_of("target", "A value to compare with, a fraction of 1.")
_TRADES = parameters.number_of("trades", "How many closed positions a point is of.", 10_000, 50)


class PictureQuery(Struct, frozen=True):
    """What a picture is asked of: selection, size, language and its own parameters."""

    tracker: PerformanceTracker
    selection: Selection
    size: tuple[int, int]
    locale: Locale
    values: dict[str, Any]

    @property
    def words(self) -> ChartWords:
        """Return the words of the chart in the language and currency."""
        currency = Charts(self.tracker).currency(self.selection)
        return chart_words(self.locale, currency, self.tracker.settings.calendar.timezone)


#: Draws a picture; None if there is nothing to draw.
Draw = Callable[[PictureQuery], Picture | None]


def add_pictures(pages: Pages) -> None:
    """Add the fragments of charts."""
    for path, own, draw in (
        ("/charts/curve", _CURVE, _curve),
        ("/charts/days", (), _days),
        ("/charts/distribution", (_OF,), _distribution),
        ("/charts/rolling", (_METRIC, _TRADES, _TARGET), _rolling),
        ("/charts/comparison", COMPARISON_PARAMETERS, _comparison),
    ):
        pages.add(PageRoute(path, parameters=(*PARAMETERS, *_SIZE, *own)), _view(pages, draw, own))


def _view(pages: Pages, draw: Draw, own: tuple[Any, ...]) -> Callable[..., Response]:
    names = [parameter.name for parameter in own]

    def view(width: int, height: int, **values: Any) -> Response:
        chosen = {name: values.pop(name) for name in names}
        with pages.app_context.query() as query:
            selection = selection_from_link(query.tracker, link_parameters(**values))
            locale = preferred_locale(tag for tag, _ in request.accept_languages)
            picture = draw(PictureQuery(query.tracker, selection, (width, height), locale, chosen))
            return pages.render("picture.html", picture=picture, found=_found(picture))

    return view


def _found(picture: Picture | None) -> Markup:
    """Return what a pointer finds, as JSON that can stand in a page."""
    if picture is None:
        return Markup("null")
    stops = [[one.x, one.heights, one.title, one.values, one.first, one.last] for one in picture.stops]
    found = {
        "names": picture.names,
        "area": picture.area,
        "stops": stops,
        "strip": picture.strip,
        "shown": picture.shown,
    }
    # no mark of a tag can end the element
    return Markup(json_line(found).decode().replace("<", "\\u003c"))


def _curve(asked: PictureQuery) -> Picture | None:
    values, tracker, selection = asked.values, asked.tracker, asked.selection
    start, end = values["zoom_start"], values["zoom_end"]
    is_fills = values["look"] == "fills"
    curve = _zoomed(Curves(tracker), selection, start, end, as_results=is_fills)
    found = _in_unit(asked, curve) if curve.points else None
    if found is None:
        return None
    curve, words = found
    look = CurveLook(
        *asked.size,
        is_split=is_fills,
        with_drawdown=not is_fills,
        is_zoomed=start is not None and end is not None,
        history=_history(tracker, selection) if values["strip"] and values["unit"] != "r" else (),
        key=values["look"],
    )
    return curve_picture(curve, words, look)


def _in_unit(asked: PictureQuery, curve: DrawnCurve) -> tuple[DrawnCurve, ChartWords] | None:
    """Return a curve in the unit asked for and its words; None if nothing is known in that unit."""
    tracker, selection, unit = asked.tracker, asked.selection, asked.values["unit"]
    zone = tracker.settings.calendar.timezone
    if unit == "percent":
        shares = curve_in_percent(curve, Curves(tracker).history(selection))
        return None if shares is None else (shares, percent_words(asked.locale, zone))
    if unit == "r":
        trades = Charts(tracker).closed_trades(selection)
        multiples = curve_in_r(curve, trades, partial(tracker.calendars.start, selection.scope.account))
        return (multiples, r_words(asked.locale, zone)) if multiples.points else None
    return curve, asked.words


def _zoomed(
    curves: Curves,
    selection: Selection,
    start: date | datetime | None,
    end: date | datetime | None,
    *,
    as_results: bool,
) -> DrawnCurve:
    """Return the curve between two days, or between two instants."""
    if start is None or end is None:
        return curves.drawn(selection, as_results=as_results)
    if isinstance(start, datetime) and isinstance(end, datetime):
        return curves.between(selection, start, end, as_results=as_results)
    if isinstance(start, datetime) or isinstance(end, datetime):
        raise HttpError(422, "zoom_start and zoom_end are of two kinds", "give two days or two instants")
    return curves.drawn(selection, Window.between(start, end), as_results=as_results)


def _history(tracker: PerformanceTracker, selection: Selection) -> Sequence[DailyPoint]:
    """Return all days of a scope, if they are more than one."""
    everything = Window("all", EARLIEST.date(), LATEST.date())
    days = Curves(tracker).history(Selection(everything, selection.scope, selection.currency))
    return days if len(days) > 1 else ()


def _days(asked: PictureQuery) -> Picture | None:
    days = Charts(asked.tracker).daily_curve(asked.selection)
    return columns_picture(days, asked.words, *asked.size) if days else None


def _distribution(asked: PictureQuery) -> Picture | None:
    of: Literal["net", "r"] = asked.values["of"]
    found = Charts(asked.tracker).distribution(asked.selection, of)
    return distribution_chart(found, of, asked.locale, asked.words, asked.size) if found.n else None


def _comparison(asked: PictureQuery) -> Picture | None:
    charts = Charts(asked.tracker)
    other = comparison_selection(charts, asked.selection, asked.values)
    names = [f"{window_label(one.window)}, {one.scope.label}" for one in (asked.selection, other)]
    if names[0] == names[1]:
        names = [f"{name} ({number})" for number, name in enumerate(names, 1)]
    days = [charts.daily_curve(one) for one in (asked.selection, other)]
    if not any(days):
        return None
    return two_curves_picture(list(zip(names, days, strict=True)), asked.words, *asked.size)


def _rolling(asked: PictureQuery) -> Picture | None:
    values = asked.values
    drawn = Charts(asked.tracker).rolling(asked.selection, values["trades"])
    if len(drawn) < 2:
        return None
    calendar = asked.tracker.calendars.of(asked.selection.scope.account)
    return rolling_chart(
        drawn, values["metric"], asked.locale, asked.words, calendar, asked.size, values["target"]
    )
