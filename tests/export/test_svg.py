"""Charts drawn as SVG: every fill in its place, every extreme kept, and the numbers that the curve states."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.export.bar_charts import columns_picture, distribution_picture
from tearsheet.export.curve_chart import CurveLook, curve_picture
from tearsheet.export.plot import Picture, plain_words, text_width
from tearsheet.export.svg import summary_svg
from tearsheet.performance.distribution import distribution
from tearsheet.performance.series import CurvePoint, DailyPoint, DrawnCurve, daily_curve, points_by_day
from tearsheet.performance.tally import Curve, Tally

SVG = "{http://www.w3.org/2000/svg}"
FIRST = date(2026, 11, 2)
WORDS = plain_words(ZoneInfo("UTC"))


def days_of(*nets: str | Decimal) -> list[DailyPoint]:
    """Neighbouring days of these results."""
    total = high = Decimal(0)
    found = []
    for number, net in enumerate(map(Decimal, nets)):
        total += net
        high = max(high, total)
        found.append(DailyPoint(FIRST + timedelta(days=number), net, 1, total, high - total, high - total))
    return found


def by_day(days: Sequence[DailyPoint]) -> DrawnCurve:
    return DrawnCurve(points_by_day(days), Decimal(0), tuple(day.session for day in days), False)


def by_fill(*fills: tuple[int, str]) -> DrawnCurve:
    """The fills of a day: seconds since its start, and what each adds."""
    start = datetime.combine(FIRST, datetime.min.time(), UTC)
    total = high = Decimal(0)
    found = []
    for second, amount in fills:
        total += Decimal(amount)
        high = max(high, total)
        offset = timedelta(seconds=second)
        found.append(
            CurvePoint(FIRST, Decimal(amount), total, high - total, 0, "MES", start + offset, offset)
        )
    return DrawnCurve(tuple(found), Decimal(0), (FIRST,), True)


def line_of(picture: str, kind: str) -> list[tuple[float, float]]:
    """The corners of a line."""
    [line] = [one for one in parsed(picture).iter(f"{SVG}polyline") if one.get("class") == kind]
    pairs = (pair.split(",") for pair in str(line.get("points")).split())
    return [(float(x), float(y)) for x, y in pairs]


def parsed(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)


def drawn(*nets: str | Decimal) -> Picture:
    return curve_picture(by_day(days_of(*nets)), WORDS, CurveLook(720, 320))


def test_days_stand_where_their_totals_say() -> None:
    line = line_of(drawn("100", "-50", "150").svg, "total")
    heights = [y for _, y in line]
    assert line[0][0] < line[1][0] < line[2][0] < line[3][0] == line[4][0]
    assert heights[3] < heights[1] < heights[2] < heights[0]  # 200, 100, 50 and 0, the highest on top
    # equal distances of amounts are equal distances of places, to a tenth of a pixel
    assert abs((heights[0] - heights[2]) - (heights[2] - heights[1])) <= 0.2
    depths = [y for _, y in line_of(drawn("100", "-50", "150").svg, "depth")]
    assert depths[0] == depths[1] == depths[3] < depths[2]


def test_fills_of_one_instant_share_a_place_and_none_is_dropped() -> None:
    """Kind of fault P1: the last fills of a second were outside of the picture."""
    fills = [(0, "-20"), (60, "40"), (120, "-40"), (400, "500"), (400, "400"), (400, "300"), (400, "420")]
    picture = curve_picture(by_fill(*fills), WORDS, CurveLook(720, 320, is_split=True, with_drawdown=False))
    steps = line_of(picture.svg, "rise")
    at_once = [y for x, y in steps if x == steps[-2][0]]
    assert at_once == sorted(at_once, reverse=True)
    assert len(set(at_once)) == 5  # the level before them, and one of each
    assert steps[-1][1] == min(y for _, y in steps)
    assert picture.stops[-1].values[:2] == ("+1,620.00", "+1,600.00")
    assert picture.stops[-1].title.startswith("4 fills")
    dots = list(parsed(picture.svg).iter(f"{SVG}circle"))
    assert len(dots) == len(fills)


@given(st.lists(st.tuples(st.integers(0, 80_000), st.integers(-(10**6), 10**6)), min_size=2, max_size=300))
def test_no_extreme_is_lost_and_nothing_leaves_the_picture(fills: list[tuple[int, int]]) -> None:
    ordered = sorted(fills, key=lambda one: one[0])
    curve = by_fill(*((second, str(amount)) for second, amount in ordered))
    picture = curve_picture(curve, WORDS, CurveLook(300, 240))
    line, depths = line_of(picture.svg, "total"), line_of(picture.svg, "depth")
    totals = [Decimal(0), *accumulate(Decimal(amount) for _, amount in ordered)]
    assert all(12 <= y <= 220 and 0 <= x <= 300 for x, y in (*line, *depths))
    heights = [y for _, y in line]
    if max(totals) != min(totals):
        low, high = max(heights), min(heights)
        scale = (low - high) / float(max(totals) - min(totals))
        assert abs(low - float(totals[-1] - min(totals)) * scale - heights[-1]) <= 0.2  # the last one, too
    assert picture.stops[-1].values[1] == WORDS.result(totals[-1])
    assert curve_picture(curve, WORDS, CurveLook(300, 240)) == picture


@pytest.mark.parametrize("nets", [("0",), ("-5",), ("0", "0"), ("1E-9", "-1E+30"), ("-1", "-2"), ("303.70",)])
def test_any_results_can_be_drawn(nets: tuple[str, ...]) -> None:
    for text in (drawn(*nets).svg, summary_svg(by_day(days_of(*nets)), days_of(*nets), WORDS, "USD")):
        parsed(text)


def test_one_point_is_a_dot_in_a_week() -> None:
    picture = parsed(drawn("303.70").svg)
    assert len(list(picture.iter(f"{SVG}circle"))) == 1
    texts = [one.text for one in picture.iter(f"{SVG}text")]
    assert "+303.70" in texts
    assert {"30 Oct", "2", "5"} <= set(texts)


def test_the_deepest_point_of_the_picture_is_the_one_that_the_metric_states() -> None:
    """Kind of fault P2: a fall and its recovery within one day count; a caption and its curve are one number."""
    within = Curve.from_amounts([Decimal(100), Decimal(-80), Decimal(60)])
    after = Curve.from_amounts([Decimal(-40)])
    days = daily_curve([(FIRST, Tally(curve=within)), (FIRST + timedelta(days=1), Tally(curve=after))])
    assert [(day.drawdown, day.max_drawdown) for day in days] == [(20, 80), (60, 60)]
    picture = curve_picture(by_day(days), WORDS, CurveLook(720, 320))
    assert "max −80.00" in [one.text for one in parsed(picture.svg).iter(f"{SVG}text")]
    assert [stop.values[2] for stop in picture.stops] == ["−80.00", "−60.00"]
    depths = [y for _, y in line_of(picture.svg, "depth")]
    assert max(depths) == depths[1]


def test_the_name_of_the_deepest_point_is_on_no_part_of_its_line() -> None:
    """A fall that lasts: beside its deepest point, at the same height, runs the line itself."""
    picture = curve_picture(
        by_fill((0, "500"), (3600, "-80"), (7200, "-1"), (7300, "90")), WORDS, CurveLook(720, 320)
    )
    [name] = [one for one in parsed(picture.svg).iter(f"{SVG}text") if one.text == "max −81.00"]
    at, height = float(str(name.get("x"))), float(str(name.get("y")))
    width = text_width("max −81.00") / 10
    left = at - width if name.get("text-anchor") == "end" else at
    for (x1, y1), (x2, y2) in pairwise(line_of(picture.svg, "depth")):
        is_beside = max(x1, x2) <= left or min(x1, x2) >= left + width
        assert is_beside or max(y1, y2) <= height - 7 or min(y1, y2) >= height + 7


def test_bars_are_columns_from_zero_and_no_wider_than_24_pixels() -> None:
    picture = columns_picture(days_of("100", "-50", "0"), WORDS, 960, 180)
    bars = list(parsed(picture.svg).iter(f"{SVG}rect"))
    assert [bar.get("class") for bar in bars] == ["gain", "loss", "even"]
    assert all(float(str(bar.get("width"))) <= 24 for bar in bars)
    gain, loss = bars[:2]
    assert float(str(gain.get("y"))) + float(str(gain.get("height"))) == float(str(loss.get("y")))
    assert [stop.values for stop in picture.stops] == [("+100.00", "1"), ("−50.00", "1"), ("0.00", "1")]


def test_a_distribution_has_counts_bounds_and_its_mean() -> None:
    results = [Decimal(one) for one in (-150, -50, 20, 30, 130, 170)]
    found = distribution(results)
    assert found.mean == Decimal("25.00000000")
    picture = distribution_picture(found, WORDS, 600, 200, found.mean, "trades")
    assert sum(int(stop.values[0]) for stop in picture.stops) == 6
    texts = [one.text for one in parsed(picture.svg).iter(f"{SVG}text")]
    assert "mean +25.00" in texts
    assert {"0", "1", "2"} <= set(texts)


def test_a_file_has_both_charts_and_its_colors() -> None:
    days = days_of("100", "-50", "150")
    text = summary_svg(by_day(days), days, WORDS, "USD")
    assert "--lead" in text
    assert len(list(parsed(text).iter(f"{SVG}svg"))) == 3
    assert summary_svg(DrawnCurve((), Decimal(0), (), False), [], WORDS, "USD") == ""


def test_what_is_not_ours_is_escaped() -> None:
    days = days_of("1")
    assert "<script>" not in summary_svg(by_day(days), days, WORDS, "<script>")
