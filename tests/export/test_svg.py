"""A window drawn as SVG: well formed, the same bytes for the same days, and every day in its place."""

from datetime import date, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.export.svg import summary_svg
from tearsheet.performance.series import DailyPoint, daily_curve
from tearsheet.performance.tally import Curve, Tally

SVG = "{http://www.w3.org/2000/svg}"
FIRST = date(2026, 11, 2)


def days_of(*nets: str | Decimal) -> list[DailyPoint]:
    """Neighbouring days of these results."""
    total = high = Decimal(0)
    found = []
    for number, net in enumerate(map(Decimal, nets)):
        total += net
        high = max(high, total)
        found.append(DailyPoint(FIRST + timedelta(days=number), net, 1, total, high - total, high - total))
    return found


def drawn(*nets: str | Decimal) -> ElementTree.Element:
    return ElementTree.fromstring(summary_svg(days_of(*nets), "USD"))


def points(picture: ElementTree.Element, kind: str) -> list[tuple[int, int]]:
    [line] = [found for found in picture.iter(f"{SVG}polyline") if found.get("class") == kind]
    pairs = (pair.split(",") for pair in str(line.get("points")).split())
    return [(int(x), int(y)) for x, y in pairs]


def test_curve_drawdown_and_columns_stand_where_the_days_say() -> None:
    picture = drawn("100", "-50", "150")
    heights = [y for _, y in points(picture, "total")]
    assert heights == [270, 155, 212, 40]  # 0, 100, 50 and 200 of 230 down to 270
    depths = [y for _, y in points(picture, "depth")]
    assert depths == [318, 318, 402, 318]
    bars = list(picture.iter(f"{SVG}rect"))
    assert [bar.get("class") for bar in bars] == ["gain", "loss", "gain"]
    assert [bar.findtext(f"{SVG}title") for bar in bars] == [
        "2026-11-02 100.00",
        "2026-11-03 -50.00",
        "2026-11-04 150.00",
    ]
    texts = [found.text for found in picture.iter(f"{SVG}text")]
    assert {"0", "50", "100", "150", "200", "2026-11-02", "2026-11-04"} <= set(texts)


@pytest.mark.parametrize("nets", [("0",), ("-5",), ("0", "0"), ("1E-9", "-1E+30"), ("-1", "-2")])
def test_any_results_can_be_drawn(nets: tuple[str, ...]) -> None:
    assert len(points(drawn(*nets), "total")) == len(nets) + 1


@given(st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=40))
def test_nothing_leaves_the_picture_and_the_same_days_give_the_same_bytes(nets: list[Decimal]) -> None:
    picture = drawn(*nets)
    for kind, top, bottom in (("total", 40, 270), ("depth", 318, 402)):
        assert all(96 <= x <= 936 and top <= y <= bottom for x, y in points(picture, kind))
    for bar in picture.iter(f"{SVG}rect"):
        y, height = int(str(bar.get("y"))), int(str(bar.get("height")))
        assert 450 <= y <= y + height <= 562
    assert summary_svg(days_of(*nets), "USD") == summary_svg(days_of(*nets), "USD")


def test_what_is_not_ours_is_escaped() -> None:
    assert "<script>" not in summary_svg(days_of("1"), "<script>")


def test_the_drawdown_that_is_drawn_is_the_one_that_the_metric_states() -> None:
    """A fall and its recovery within one day count; kind of fault: a caption and its curve are two numbers."""
    within = Curve.from_amounts([Decimal(100), Decimal(-80), Decimal(60)])
    after = Curve.from_amounts([Decimal(-40)])
    days = daily_curve([(FIRST, Tally(curve=within)), (FIRST + timedelta(days=1), Tally(curve=after))])
    assert [(day.drawdown, day.max_drawdown) for day in days] == [(20, 80), (60, 60)]
    depths = [y for _, y in points(ElementTree.fromstring(summary_svg(days, "USD")), "depth")]
    assert depths == [318, 402, 381]  # 0, 80 and 60 of 84 down from 318
