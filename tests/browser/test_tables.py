"""Lists of rows at work: trades, the risk board, by mouse and keyboard, many at once, on a phone."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import HOSTILE, STREAMING, Seat
from tests.browser.test_dashboard import _RULES, _RUN
from tests.support.api import fill
from tests.support.place import Place
from tests.support.web_server import Server

_TOO_WIDE = """() => [...document.querySelectorAll("main *, header *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".wide > *"))
  .slice(0, 9).map((one) => `${one.tagName}.${one.className}`)"""
LIMITS = "limits:\n  default: {daily_loss: 100, stale_after: null}\n"


def check(page: Page, axe: str) -> None:
    """Assert that the page fits and that axe finds nothing."""
    if page.evaluate("document.documentElement.scrollWidth - innerWidth") > 0:
        raise AssertionError(page.evaluate(_TOO_WIDE))
    page.evaluate(axe)
    assert page.evaluate(_RUN, _RULES) == []


def test_a_row_is_opened_by_keyboard_and_by_a_click_anywhere(make_seat: Any) -> None:
    page = make_seat().go("/trades")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("tbody tr").first.locator(".row-link")).to_be_focused()
    ring = page.locator("tbody tr").first.evaluate("(row) => getComputedStyle(row).outlineWidth")
    assert ring == "2px"
    href = page.locator("tbody .row-link").first.get_attribute("href")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{href}$"))
    page.go_back()
    page.locator("tbody tr").nth(1).locator("td.num").nth(3).click()
    expect(page).to_have_url(re.compile("/trades/[0-9a-f]{16}$"))


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_columns_and_row_height_are_kept(make_seat: Any, axe: str, width: int, theme: str) -> None:
    seat = make_seat(width, theme)
    page = seat.go("/trades")
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("checkbox", name="Account").check()
    expect(page.locator("thead")).to_contain_text("Account")
    expect(page.get_by_role("checkbox", name="Account")).to_be_focused()
    page.get_by_role("radio", name="Compact").check()
    expect(page.locator("#list")).to_have_class("rows-compact")
    check(page, axe)
    page.keyboard.press("Escape")
    expect(page.locator("#columns")).not_to_have_attribute("open", "")
    page = seat.go("/trades")
    expect(page.locator("thead")).to_contain_text("Account")
    expect(page.locator("#list")).to_have_class("rows-compact")


def test_several_trades_are_tagged_and_untagged(make_seat: Any, axe: str) -> None:
    page = make_seat().go("/trades?outcome=loss")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.locator("tbody tr").nth(2).locator("input").click(modifiers=["Shift"])
    expect(page.get_by_text(re.compile("^[23] selected$"))).to_be_visible()
    check(page, axe)
    page.keyboard.press("t")
    page.keyboard.type(HOSTILE[:12])
    page.get_by_role("button", name="Add tag").click()
    expect(page.locator(".banner")).to_contain_text("Added the tag <img src=x o")
    assert page.locator("img").count() == 0
    assert page.url.endswith("/trades?outcome=loss")
    check(page, axe)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".banner")).to_contain_text("Removed the tag")
    expect(page.locator("tbody .chip")).to_have_count(0)


def test_a_tag_on_what_another_tab_changed_is_refused_on_the_page(make_seat: Any) -> None:
    seat = make_seat()
    page = seat.go("/trades?outcome=loss")
    href = page.locator("tbody .row-link").first.get_attribute("href")
    other = make_seat().go(href)
    other.get_by_label("Tags (comma-separated)").fill("theirs")
    other.get_by_role("button", name=re.compile("^(Save|Keep)$")).click()
    expect(other.locator(".said")).to_be_visible()
    page.locator("tbody input[type=checkbox]").first.check()
    page.get_by_placeholder("Tag, e.g. fomo").fill("mine")
    page.get_by_role("button", name="Add tag").click()
    expect(page.get_by_role("alert")).to_contain_text("Not tagged:")
    expect(page.locator("tbody .chip").first).to_have_text("Tag theirs")


def test_a_filter_is_saved_and_used(make_seat: Any, axe: str) -> None:
    page = make_seat().go("/trades?side=long&outcome=loss")
    page.get_by_text("Save filter", exact=True).click()
    page.get_by_label("Name").fill("losing longs")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="losing longs")).to_be_visible()
    check(page, axe)
    page.goto(page.url.split("/trades")[0] + "/trades")
    page.get_by_role("link", name="losing longs").click()
    expect(page).to_have_url(re.compile("side=long.*outcome=loss"))
    page.get_by_role("button", name="Delete the saved filter losing longs").click()
    expect(page.get_by_role("link", name="losing longs")).to_have_count(0)


def test_a_phone_shows_time_and_r(make_seat: Any) -> None:
    page = make_seat(390).go("/trades")
    heads = [head.inner_text().strip(" ↓") for head in page.locator("thead th:visible").all()]
    assert heads == ["Exit time", "Symbol", "Net P&L", "R"]
    assert page.locator("tbody tr").first.bounding_box()["height"] >= 40


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with accounts of hostile names: two breached, one near its limit, one well."""
    place = Place(tmp_path_factory.mktemp("risk"), {})
    place.write("config/dashboard-targets.yaml", LIMITS)
    with Server(place, workers=1, kind=STREAMING, TEARSHEET_SYNC_EVERY_S="0") as running:
        for number, (account, loss) in enumerate(
            (("FIRST", 150), (HOSTILE, 120), ("NEAR", 90), ("FINE", 10))
        ):
            ids = {"account": account, "symbol": "AAPL"}
            running.post(
                "/api/fills",
                [
                    fill(-90 + number, fill_id=f"{number}a", **ids),
                    fill(-80 + number, "SELL", 100 - loss, fill_id=f"{number}b", **ids),
                ],
            )
        yield running


@pytest.fixture
def at_desk(browser: Browser, desk: Server) -> Iterator[Any]:
    """Pages of the risk desk; none of them may complain."""
    contexts, seats = [], []

    def go(path: str, width: int = 1440, theme: Any = "light", **more: Any) -> Page:
        contexts.append(
            browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, **more)
        )
        seats.append(Seat(contexts[-1], desk))
        return seats[-1].go(path)

    yield go
    heard = [complaint for seat in seats for complaint in seat.complaints]
    for context in contexts:
        context.close()
    assert heard == []


@pytest.mark.parametrize("width", [390, 820, 1440, 2560])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_risk_board_fits_and_can_be_read_by_all(at_desk: Any, axe: str, width: int, theme: str) -> None:
    page = at_desk("/risk", width, theme)
    assert [row.get_attribute("class") for row in page.locator("tbody tr").all()] == [
        "breach",
        "breach",
        "warn",
        "ok",
    ]
    assert page.locator("img").count() == 0
    check(page, axe)
    for path in ("/risk?state=breach", "/risk?state=unknown", "/alerts", "/alerts?account=nobody"):
        check(at_desk(path, width, theme), axe)


def test_accounts_are_chosen_by_keyboard_and_acknowledged_with_one_note(
    at_desk: Any, desk: Server, axe: str
) -> None:
    page = at_desk("/risk")
    expect(page.get_by_role("link", name="Alerts, 3 unacknowledged")).to_be_visible()
    page.get_by_label("Acknowledge as").fill("kim")
    page.get_by_label("Acknowledge as").blur()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_text("2 selected")).to_be_visible()
    check(page, axe)
    page.get_by_placeholder("Note, e.g. called the trader").fill(HOSTILE)
    page.locator(".bulk").get_by_role("button").click()
    expect(page.locator(".banner")).to_contain_text("✓ Acknowledged 2 alerts.")
    expect(page.get_by_role("link", name="Alerts, 1 unacknowledged")).to_be_visible()
    expect(page.locator("tbody tr.breach")).to_have_count(2)
    expect(page.get_by_role("button", name="Acknowledge NEAR")).to_be_visible()
    page.get_by_role("button", name="Acknowledge NEAR").click()
    expect(page.locator(".banner")).to_contain_text("✓ Acknowledged 1 alert.")
    desk.post("/api/fills", [fill(-3, account="FINE", fill_id="open")])
    expect(page.get_by_role("link", name="With open positions 1")).to_be_visible(timeout=20_000)  # refreshed
    expect(page.locator(".banner")).to_contain_text("✓ Acknowledged 1 alert.")
    page.get_by_role("link", name="Near 1").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody td.next-limit").click()
    expect(page).to_have_url(re.compile("/risk/status\\?account=NEAR$"))


def test_rows_stay_while_one_is_pointed_at_and_follow_later(at_desk: Any, desk: Server) -> None:
    page = at_desk("/risk?sort=account&text=F")
    names = page.locator("tbody tr .row-link")
    assert names.all_inner_texts() == ["FINE", "FIRST"]
    page.locator("tbody tr").last.hover()
    desk.post("/api/fills", [fill(-5, account="FEW", fill_id="few")])
    expect(names).to_have_text(["FINE", "FIRST", "FEW"], timeout=20_000)
    page.mouse.move(5, 5)
    desk.post("/api/fills", [fill(-4, "SELL", 101, account="FEW", fill_id="fewer")])
    expect(names).to_have_text(["FEW", "FINE", "FIRST"], timeout=20_000)
