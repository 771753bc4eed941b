"""The HTML tear sheet: one file, the same numbers, the same bytes, nothing from elsewhere."""

import html
import re
from datetime import timedelta

import pytest

from tearsheet.performance.summary import Scope
from tearsheet.web.rendering.tear_sheet import export_tear_sheet, render_tear_sheet
from tests.support.place import NOON, Place, record

HOSTILE = "<script>alert(1)</script>"


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
    assert not re.search(r"<script|<link|<img|\ssrc=|\shref=|url\(|@import", text)
    assert "https:" not in text
    net = html.unescape(text).replace("−", "-")
    assert f"{found.value('net_pnl'):,.2f}".lstrip("-") in net
    if found.value("total_trades"):
        assert html.escape(HOSTILE) in text


def test_it_is_written_once_beside_the_others(traded: Place) -> None:
    with traded.tracker() as tracker:
        found = tracker.get_summary("weekly", scope=Scope(account="EQ-1"))
        first = export_tear_sheet(tracker, found, [])
        assert (first.changed, first.path.suffix) == (True, ".html")
        assert first.path.name.startswith("weekly-summary-2026-11-16-EQ-1")
        assert not export_tear_sheet(tracker, found, []).changed
