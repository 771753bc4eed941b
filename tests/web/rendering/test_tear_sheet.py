"""The HTML tear sheet: one file, the same numbers, the same bytes, nothing from elsewhere."""

import html
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from tearsheet.app.judgement import Judge
from tearsheet.performance.metric import METRICS
from tearsheet.performance.summary import Scope
from tearsheet.web.rendering.locales import locale_of
from tearsheet.web.rendering.tear_sheet import export_tear_sheet, render_tear_sheet
from tests.support.api import Api
from tests.support.place import NOON, Place, record

VOID = {"meta", "br", "link", "img", "input", "hr"}
HOSTILE = "<script>alert(1)</script>"


class Elements(HTMLParser):
    """What is not closed in its place, said twice, or not text of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        self.faults += [f"<{tag}> has {name} twice" for name in set(names) if names.count(name) > 1]
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes another")


def unbalanced(text: str) -> list[str]:
    elements = Elements()
    elements.feed(text)
    twice = [one for one in set(elements.ids) if elements.ids.count(one) > 1]
    return [*elements.faults, *elements.open, *twice]


@pytest.fixture
def traded(place: Place) -> Place:
    for ago in (1, 2, 3, 8):
        at = NOON - timedelta(days=ago)
        place.log(
            at.date().isoformat(),
            *[record(net=net, at=at, order_id=f"{ago}{net}", strategy_name=HOSTILE) for net in (40, -15, 3)],
        )
    return place


@pytest.mark.parametrize(
    "asked", [{"window": "monthly"}, {"rolling": 5}, {"window": "all"}, {"window": "daily"}]
)
def test_a_sheet_is_one_file_that_needs_no_other(traded: Place, asked: dict[str, object]) -> None:
    with traded.tracker() as tracker:
        found = tracker.get_summary(**asked)  # type: ignore[arg-type]
        text = render_tear_sheet(tracker, found, [])
        assert render_tear_sheet(tracker, found, []) == text
    assert not re.search(r"<script|<link|<img|\ssrc=|\shref=|url\((?!\"data:font)|url\(#x|@import", text)
    assert "https:" not in text
    assert unbalanced(text) == []
    net = html.unescape(text).replace("−", "-")
    assert f"{found.value('net_pnl'):,.2f}".lstrip("-") in net
    if found.value("total_trades"):
        assert html.escape(HOSTILE) in text


def test_it_opens_on_the_last_data_and_says_alerts_in_words(place: Place) -> None:
    at = NOON - timedelta(days=40)
    place.targets(win_rate_target=60)
    nets = enumerate((40, -15, -3) * 7)
    place.log(at.date().isoformat(), *[record(net=net, at=at, order_id=str(n)) for n, net in nets])
    text = html.unescape(Api(place).ask("GET", "/tear-sheet", Accept="text/html").text)
    first = at.replace(day=1)
    assert f"<h1>Performance, {first.day} {first:%b}" in text
    assert "is below the target of 60.0%" in text
    assert "win_rate" not in text


def test_it_is_written_once_beside_the_others(traded: Place) -> None:
    with traded.tracker() as tracker:
        found = tracker.get_summary("weekly", scope=Scope(account="EQ-1"))
        first = export_tear_sheet(tracker, found, [])
        assert (first.changed, first.path.suffix) == (True, ".html")
        assert first.path.name.startswith("weekly-summary-2026-11-16-EQ-1")
        assert not export_tear_sheet(tracker, found, []).changed


def test_its_numbers_are_those_of_the_summary(traded: Place) -> None:
    with traded.tracker() as tracker:
        found = tracker.get_summary("all")
        text = html.unescape(render_tear_sheet(tracker, found, []))
    rows = dict(re.findall(r'<th scope="row">([^<]+)</th><td class="right num [^"]*"><b>([^<]*)</b>', text))
    english = locale_of("en")
    for name, metric in METRICS.items():
        if name not in found.shown_metrics or name in (
            "best_day_date",
            "worst_day_date",
            "streak_type",
            "current_streak",
        ):
            continue
        shown = rows[metric.label].replace("\u2212", "-").lstrip("+")
        value = english.format(metric.unit, found.metrics[name].value, "USD").replace("\u2212", "-")
        assert shown.removeprefix("-") == value.removeprefix("-"), name
    assert found.value("max_drawdown")
    assert f"max \u2212${found.value('max_drawdown'):,.2f}" in text
    months = re.findall(r'data-month="(\w+)">\s*<b>([^<]+)</b>', text)
    assert ("Nov", english.amount_rounded(found.value("net_pnl"), "USD")) in months


def test_what_is_incomplete_missed_or_breached_is_said_on_top(traded: Place) -> None:
    limits = "win_rate_target: 90\nlimits: {default: {max_drawdown: {amount: 1, kind: trailing}, stale_after: null}}\n"
    traded.write("config/dashboard-targets.yaml", limits)
    traded.log("2026-11-19", "half a line", mode="a")
    with traded.tracker() as tracker:
        judged = Judge(tracker, None, tracker.refresh(5)).judge(tracker.get_summary("all"))
        text = html.unescape(render_tear_sheet(tracker, judged.summary, judged.alerts))
    top = text[
        : text.index("Equity and drawdown") if "Equity and drawdown" in text else text.index("and drawdown")
    ]
    assert "<b>Partial.</b>" in top
    assert "were rejected" in top
    assert "targets missed" in top
    assert "Limit breached: EQ-1" in top


def test_an_empty_period_is_said(place: Place) -> None:
    with place.tracker() as tracker:
        text = render_tear_sheet(tracker, tracker.get_summary("monthly"), [])
    assert "No trades in this period." in text
    assert unbalanced(text) == []


def test_the_page_is_the_file(traded: Place) -> None:
    response = Api(traded).ask("GET", "/tear-sheet?window=all&download=yes")
    assert response.status_code == 200
    assert response.headers["Content-Disposition"] == 'attachment; filename="all-summary.html"'
    assert "script-src" not in response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "Result per day" in response.text
