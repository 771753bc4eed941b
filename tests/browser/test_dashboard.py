"""The dashboard as people use it: seen, read aloud, typed at, and left open."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import HOSTILE

PAGES = (
    "/",
    "/day",
    "/day?date=2026-11-17",
    "/calendar",
    "/performance?window=all",
    "/performance?window=monthly&compare=yes",
    "/trades",
    "/explain?metric=net_pnl",
    "/alerts?state=all",
    "/risk",
    "/import",
    "/settings",
    "/settings/limits",
    "/openings",
    "/glossary",
    "/docs",
    "/login",
    "/nothing",
)
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """async (tags) => (await axe.run({ runOnly: tags })).violations
  .map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(", ")}`)"""

#: Texts below 11 pixels.
_TINY = """() => [...document.querySelectorAll("main *, header *")]
  .filter((e) => e.offsetParent && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && parseFloat(getComputedStyle(e).fontSize) < 11)
  .map((e) => e.textContent.slice(0, 40))"""


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark"), (820, "light")])
def test_a_page_fits_is_quiet_and_can_be_read_by_all(
    make_seat: Any, axe: str, path: str, width: int, theme: str
) -> None:
    seat = make_seat(width, theme)
    page = seat.go(path)
    if path == "/nothing":
        seat.complaints.clear()  # the browser reports the 404 that was asked for
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.locator("h1").count() == 1
    page.evaluate(axe)
    assert page.evaluate(_RUN, _RULES) == []


@pytest.mark.parametrize("path", ["/", "/?range=All", "/import"])
@pytest.mark.parametrize(("width", "theme"), [(2560, "dark"), (1280, "light"), (700, "dark")])
def test_the_first_pages_fit_every_screen(
    make_seat: Any, axe: str, path: str, width: int, theme: str
) -> None:
    page = make_seat(width, theme).go(path)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(_TINY) == []
    if width >= 1280:
        assert page.locator(".head").bounding_box()["height"] <= 48  # type: ignore[index]
    page.evaluate(axe)
    assert page.evaluate(_RUN, _RULES) == []


def test_a_first_load_is_small(make_seat: Any) -> None:
    seat = make_seat()
    sizes: list[int] = []
    seat.page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", 0))))
    seat.go("/")
    assert 0 < sum(sizes) < 300_000


def test_a_day_is_seen_in_one_look(make_seat: Any) -> None:
    seat = make_seat()
    page = seat.go("/day")
    _, daily = seat.server.get("/api/performance/daily")
    expect(page.locator(".tile:has(#about-net_pnl) .value")).to_have_text(
        f"+${daily['data']['daily_pnl']:.2f}"
    )
    expect(page.locator("[data-chart=fills] svg .tag-words")).to_have_text(
        f"+${daily['data']['daily_pnl']:.2f}"
    )


def test_the_keyboard_is_enough(make_seat: Any) -> None:
    page = make_seat().go("/calendar")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.get_by_role("link", name="Tuesday 17:").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Tue 17 Nov 2026")
    term = page.get_by_role("button", name="Profit factor")
    term.focus()
    expect(page.get_by_role("tooltip", name="")).to_contain_text("Gross profit / |gross loss|")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("[")
    expect(page.locator("h1")).to_have_text("Mon 16 Nov 2026")
    page.goto(page.url.split("/day")[0] + "/trades")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_the_shortcuts_are_listed_and_lead_to_pages(make_seat: Any, axe: str) -> None:
    page = make_seat().go("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.evaluate(axe)
    assert page.evaluate(_RUN, _RULES) == []
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.locator("h1")).to_have_text("Overview")  # the list is open
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    expect(page.locator('[aria-label="Range"] [aria-current]')).to_have_text("3M")
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.locator("h1")).to_have_text("November 2026")
    page.keyboard.press("i")
    expect(page.locator("h1")).to_have_text("Import")
    page.get_by_role("searchbox", name="Find your broker").fill("top?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("searchbox", name="Find your broker").fill("topst")
    page.locator("summary", has_text="TopstepX").click()
    expect(page.get_by_text("account (top left) → Orders → Export")).to_be_visible()


def test_a_list_is_filtered_while_typing_sorted_and_opened(make_seat: Any) -> None:
    page = make_seat().go("/trades")
    page.get_by_role("searchbox").fill("<img")
    expect(page.get_by_role("status")).to_contain_text("1–1 of 1 trades")
    expect(page.locator("td", has_text=HOSTILE)).to_be_visible()
    assert "text=%3Cimg" in page.url
    assert page.locator("img").count() == 0
    page.get_by_role("searchbox").fill("")
    page.get_by_role("link", name="Net P&L", exact=True).click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Net P&L")
    page.locator("tbody th a").first.click()
    expect(page.get_by_role("heading", name="Fills")).to_be_visible()


def test_a_window_is_taken_apart(make_seat: Any) -> None:
    page = make_seat().go("/performance?window=all")
    expect(page.locator("[data-chart] svg.plot")).to_have_count(5)
    groups = page.locator("#groups")
    groups.get_by_label("By").select_option("weekday")
    expect(groups.locator("tbody th").first).to_have_text("Monday")
    page.locator("#spread").get_by_role("link", name="R", exact=True).click()
    expect(page.locator("#spread")).to_contain_text("with an initial stop")
    page.get_by_role("link", name="Net P&L").or_(page.locator(".tile .value a").first).first.click()
    expect(page.locator("main")).to_contain_text("add up to exactly")


def test_a_target_is_changed_and_a_bad_one_is_not(make_seat: Any) -> None:
    seat = make_seat()
    page = seat.go("/settings")
    page.get_by_label("P&L a day").fill("250")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    page.get_by_label("Win rate").fill("0.6")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("win_rate_target")
    assert "daily_pl_target: 250" in (seat.server.place.folder / "config/dashboard-targets.yaml").read_text()
    seat.complaints[:] = [c for c in seat.complaints if "422" not in c]


def test_the_theme_follows_the_system_until_the_switch(make_seat: Any) -> None:
    page = make_seat(theme="dark").go("/day")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.get_by_role("button", name="Switch between light and dark").click()
    light = page.evaluate(paper)
    assert light != dark
    page.reload()
    assert page.evaluate(paper) == light
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_it_is_of_use_without_scripts(make_seat: Any) -> None:
    seat = make_seat(java_script_enabled=False)
    page = seat.page
    page.goto(f"http://127.0.0.1:{seat.server.port}/")
    expect(page.locator(".tile").first).to_contain_text("Net P&L")
    page.get_by_role("link", name="Calendar").click()
    expect(page.locator("h1")).to_have_text("November 2026")
