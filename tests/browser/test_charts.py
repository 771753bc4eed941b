"""Charts by pointer, finger and keyboard: what they say is what the tables say."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import STREAMING, Seat
from tests.support.api import fill
from tests.support.place import Place
from tests.support.web_server import Server


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a day whose last four fills share a second, and a single trade a week before."""
    place = Place(tmp_path_factory.mktemp("second"), {})
    with Server(place, workers=1, kind=STREAMING, TEARSHEET_SYNC_EVERY_S="0") as running:
        fills = [fill(-120, quantity=8, price=100), fill(-90, "SELL", 95, quantity=4)]
        closing = [
            fill(-60, "SELL", price, fill_id=f"last-{n}") for n, price in enumerate((600, 500, 400, 520))
        ]
        assert running.post("/api/fills", [*fills, *closing])[0] == 201
        week = -60 * 24 * 7
        other = [fill(week, symbol="NVDA"), fill(week + 5, "SELL", 130, symbol="NVDA")]
        assert running.post("/api/fills", other)[0] == 201
        yield running


@pytest.fixture
def desk(make_seat: Any, second: Server) -> Any:
    def sit(**more: Any) -> Seat:
        seat: Seat = make_seat(**more)
        seat.server = second
        return seat

    return sit


def heights(page: Page, chart: str, kind: str) -> list[tuple[float, float]]:
    """The corners of a line of a chart."""
    text = page.locator(f"[data-chart={chart}] polyline.{kind}").first.get_attribute("points") or ""
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def test_fills_of_one_instant_are_all_drawn_and_say_the_number_of_the_table(desk: Any) -> None:
    """Kind of fault P1: the day ended at +303.70, its picture near −190."""
    seat = desk()
    page = seat.go("/day")
    _, daily = seat.server.get("/api/performance/daily")
    net = f"+${daily['data']['daily_pnl']:,.2f}"
    chart = page.locator("[data-chart=fills]")
    expect(page.locator(".tile:has(#about-net_pnl) .value")).to_have_text(net)
    expect(chart.locator(".tag-words")).to_have_text(net)
    _, by_fill = seat.server.get("/api/performance/by-fill?window=daily")
    assert chart.locator("circle").count() == len(by_fill["data"]) == 6
    corners = heights(page, "fills", "rise")
    assert corners[-1][1] == min(y for _, y in corners)
    assert len({y for x, y in corners if x == corners[-2][0]}) == 5
    chart.focus()
    page.keyboard.press("End")
    expect(chart.locator(".tip")).to_contain_text("4 fills")
    expect(chart.locator(".tip")).to_contain_text(net)
    expect(chart.get_by_role("status")).to_contain_text(f"Total {net}")
    page.keyboard.press("v")
    rows = chart.locator("tbody tr")
    expect(rows.last).to_contain_text(net)
    page.keyboard.press("v")
    expect(rows).to_have_count(0)


def test_the_deepest_point_of_the_curve_is_the_metric(desk: Any) -> None:
    """Kind of fault P2: the caption said 887.98, the curve 691.78."""
    seat = desk()
    page = seat.go("/performance?window=all")
    _, answer = seat.server.get("/api/performance/summary?window=all")
    depth = answer["data"]["metrics"]["max_drawdown"]["value"]
    expect(page.locator("[data-chart=equity] .mark.loss")).to_have_text(f"max −${depth:,.2f}")


def test_a_zoom_is_seen_in_the_address_and_has_ways_back(make_seat: Any) -> None:
    page = make_seat().go("/")
    chart = page.locator("[data-chart=equity]")
    everything = chart.locator("svg.plot").get_attribute("aria-label")
    box = chart.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 60)
    expect(chart.locator(".tip")).to_be_visible()
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60, steps=4)
    page.mouse.up()
    back = chart.get_by_role("button", name="Reset zoom")
    expect(back).to_be_visible()
    assert "#zoom=2026-" in page.url
    link = chart.get_by_role("link", name="Use this range").get_attribute("href") or ""
    assert "start=2026-" in link
    assert "end=2026-" in link
    assert chart.locator("svg.plot").get_attribute("aria-label") != everything
    page.reload()
    expect(back).to_be_visible()
    back.click()
    expect(back).to_have_count(0)
    assert "#" not in page.url
    expect(chart.locator("svg.plot")).to_have_attribute("aria-label", everything or "")
    chart.focus()
    page.keyboard.press("+")
    expect(back).to_be_visible()
    page.keyboard.press("Escape")
    expect(back).to_have_count(0)


def test_the_strip_shows_all_history_and_its_ends_move(make_seat: Any) -> None:
    page = make_seat().go("/?range=1W")
    chart = page.locator("[data-chart=equity]")
    start, end = (part.bounding_box() for part in chart.locator(".strip-end").all())
    strip = chart.locator(".strip-back").bounding_box()
    assert start
    assert end
    assert strip
    assert start["x"] > strip["x"] + 50
    page.mouse.move(start["x"] + 2, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(strip["x"] + 20, start["y"] + 8, steps=4)
    page.mouse.up()
    expect(chart.get_by_role("button", name="Reset zoom")).to_be_visible()
    page.wait_for_function("location.hash.slice('#zoom='.length) < '2026-11-01'")


def test_a_finger_sets_the_crosshair(make_seat: Any) -> None:
    page = make_seat(390, has_touch=True).go("/")
    chart = page.locator("[data-chart=equity]")
    chart.scroll_into_view_if_needed()
    chart.tap(position={"x": 150, "y": 60})
    expect(chart.locator(".tip")).to_be_visible()
    tip, box = chart.locator(".tip").bounding_box(), chart.bounding_box()
    assert tip
    assert box
    assert box["x"] <= tip["x"]
    assert tip["x"] + tip["width"] <= box["x"] + box["width"] + 1


def test_a_day_with_one_trade_is_a_picture(desk: Any) -> None:
    seat = desk()
    page = seat.go("/performance?window=all&symbol=NVDA")
    chart = page.locator("[data-chart=equity]")
    assert chart.locator("svg.plot text.tick").count() > 3
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(chart.locator(".tip strong")).to_contain_text("NVDA")


def test_two_days_are_a_line_and_nothing_is_said_for_nothing(desk: Any) -> None:
    seat = desk()
    page = seat.go("/performance?window=all")
    assert len(heights(page, "equity", "total")) > 2
    page = seat.go("/performance?window=monthly&start=2025-01-01")
    expect(page.locator("main")).to_contain_text("No trades in this period.")


def test_a_part_of_a_day_is_zoomed_to_by_its_times(desk: Any) -> None:
    seat = desk()
    page = seat.go("/day")
    chart = page.locator("[data-chart=fills]")
    ends = chart.locator(".tag-words").text_content() or ""
    chart.focus()
    page.keyboard.press("End")
    page.keyboard.press("+")
    back = chart.get_by_role("button", name="Reset zoom")
    expect(back).to_be_visible()
    assert "#zoom=2026-11-20T" in page.url
    assert chart.get_by_role("link", name="Use this range").count() == 0
    expect(chart.locator(".tag-words")).to_have_text(ends)  # the same totals as the whole day
    expect(chart.locator("circle")).to_have_count(5)  # the nearest before, and four of one second
    page.keyboard.press("Escape")
    expect(back).to_have_count(0)


def test_two_periods_are_compared_on_one_scale(make_seat: Any) -> None:
    page = make_seat().go("/performance?window=monthly&compare=yes")
    chart = page.locator("[data-chart=comparison]")
    expect(chart.locator("polyline.total")).to_have_count(1)
    expect(chart.locator("polyline.second")).to_have_count(1)
    assert chart.locator("text.tick").count() > 4
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(chart.locator(".tip strong")).to_have_text("Trading day 1")


def test_a_chart_that_cannot_be_loaded_says_so_and_an_older_one_too(make_seat: Any) -> None:
    seat = make_seat()
    page = seat.page
    page.route("**/charts/**", lambda route: route.fulfill(status=503, body="no"))
    seat.go("/performance?window=all")
    chart = page.locator("[data-chart=equity]")
    expect(chart).to_contain_text("This chart could not be loaded")
    page.unroute("**/charts/**")
    chart.get_by_role("button", name="Try again").click()
    expect(chart.locator("svg.plot")).to_have_count(1)
    page.route("**/charts/**", lambda route: route.fulfill(status=200, body="<p>Sign in</p>"))
    chart.dispatch_event("stale")
    expect(chart.locator(".chart-note")).to_contain_text("Not up to date")
    expect(chart.locator("svg.plot")).to_have_count(1)
    page.unroute("**/charts/**")
    chart.get_by_role("button", name="Try again").click()
    expect(chart.locator(".chart-note")).to_have_count(0)
    seat.complaints[:] = [one for one in seat.complaints if "503" not in one]


def test_the_unit_of_the_curve_is_chosen_and_remembered(desk: Any) -> None:
    page: Page = desk().go("/?range=All")
    chart = page.locator('[data-chart="equity"]')
    unit = page.get_by_role("group", name="Unit of the curve")
    expect(unit.get_by_role("button", name="Percent of the starting balance")).to_be_disabled()
    expect(chart.locator("svg.plot")).to_be_visible()
    unit.get_by_role("button", name="Multiples of the initial risk").click()
    expect(chart).to_contain_text("No closed trade of this period has an initial stop.")
    page.reload()
    expect(chart).to_contain_text("No closed trade of this period has an initial stop.")
    unit.get_by_role("button", name="Money").click()
    expect(chart.locator("svg.plot")).to_be_visible()
