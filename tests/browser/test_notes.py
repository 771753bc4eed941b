"""Notes, tags and the list of trades as people use them: typed, kept, found again, by keyboard alone."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import HOSTILE, Seat
from tests.browser.test_dashboard import _RULES, _RUN
from tests.support.api import fill

NOTE = f"{HOSTILE}</textarea><script>alert(2)</script>\u202egnp.exe"


def trade(seat: Seat, number: int) -> str:
    """The id of one of the last trades, the newest is 0."""
    _, answer = seat.server.get("/api/positions?limit=100")
    return str(answer["data"][number]["id"])


def say(seat: Seat, position: str, text: str, *tags: str) -> None:
    """Say something of a trade over the API, upon whatever is said."""
    path = f"/api/positions/{position}/notes"
    version = seat.server.get(path)[1]["data"][0]["version"]
    status, _, _ = seat.server.ask("PUT", path, {"text": text, "tags": [*tags], "version": version})
    assert status == 200


@pytest.mark.parametrize(
    ("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark"), (820, "light")]
)
def test_pages_with_hostile_notes_fit_and_can_be_read_by_all(
    make_seat: Any, axe: str, width: int, theme: str
) -> None:
    seat = make_seat(width, theme)
    position = trade(seat, 3)
    say(seat, position, NOTE, "<b>bold</b>", "a rather long tag of forty characters…", "x" * 40, "y", "z")
    say(seat, position, NOTE + "2", "<b>bold</b>", "a rather long tag of forty characters…", "x" * 40)
    for path in (f"/trades/{position}", "/trades", "/trades?tag=%3Cb%3Ebold%3C%2Fb%3E", "/notes"):
        page = seat.go(path)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert page.locator("img, main b, main script").count() == 0
        page.evaluate(axe)
        assert page.evaluate(_RUN, _RULES) == [], path


def test_a_note_is_written_kept_and_found_by_keyboard_alone(make_seat: Any) -> None:
    seat = make_seat()
    page = seat.go("/trades")
    page.keyboard.press("/")
    page.keyboard.press("Tab")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('tbody th a')"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Fills")).to_be_visible()
    page.evaluate("window.stays = true")
    box = page.get_by_role("textbox", name="Note")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name === 'text'"):
            break
    expect(box).to_be_focused()
    page.keyboard.type("Waited for the retest.")
    page.keyboard.press("Enter")
    page.keyboard.type("Paid.")
    page.keyboard.press("Tab")
    page.keyboard.type("Patience, A+ setup")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    assert page.evaluate("window.stays")  # only the part of the page with the note came anew
    expect(page.get_by_role("textbox", name="Note")).to_have_value("Waited for the retest.\nPaid.")
    page.get_by_role("link", name="Tag patience").focus()
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_role("img", name="has a note")).to_be_visible()
    expect(page.locator("select[name=tag]")).to_have_value("patience")


def test_two_tabs_do_not_overwrite_each_other_unseen(make_seat: Any) -> None:
    seat = make_seat()
    position = trade(seat, 5)
    page = seat.go(f"/trades/{position}")
    say(seat, position, "of the other tab")
    page.get_by_role("textbox", name="Note").fill("mine")
    page.get_by_role("button", name="Save").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Not saved: your edit is based on version 0")
    expect(alert).to_contain_text("wrote version 1 at")
    expect(page.locator("blockquote")).to_have_text("of the other tab")
    expect(page.get_by_role("textbox", name="Note")).to_have_value("mine")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    page.get_by_text("Version history (2)").click()
    expect(page.locator(".versions li")).to_have_text([re.compile("mine"), re.compile("of the other tab")])


def test_a_note_is_written_without_scripts(make_seat: Any) -> None:
    seat = make_seat(java_script_enabled=False)
    position = trade(seat, 7)
    page = seat.page
    page.goto(f"http://127.0.0.1:{seat.server.port}/trades/{position}")
    page.get_by_role("textbox", name="Note").fill("plain form")
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile(f"/trades/{position}\\?said=kept#notes$"))
    expect(page.get_by_role("textbox", name="Note")).to_have_value("plain form")
    page.goto(f"http://127.0.0.1:{seat.server.port}/trades")
    page.locator("select[name=outcome]").select_option("loss")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr").first).to_contain_text("−$")
    expect(page.get_by_role("status")).to_contain_text("trades")


def test_the_list_is_filtered_by_dates_and_names_and_paged(make_seat: Any) -> None:
    page = make_seat().go("/trades")
    status = page.get_by_role("status")
    page.locator("select[name=strategy]").select_option("orb")
    expect(page).to_have_url(re.compile("strategy=orb"))
    everything = int(re.findall(r"of (\d+)", status.inner_text())[0])
    page.locator("input[name=start]").fill("2026-11-16")
    page.locator("input[name=end]").fill("2026-11-17")
    expect(status).to_contain_text("1–10 of 10 trades")
    page.locator("input[name=start]").fill("")
    page.locator("input[name=end]").fill("")
    expect(status).to_contain_text(f"of {everything} trades")
    page.get_by_role("link", name="Net P&L", exact=True).click()
    seen = [page.locator("tbody th a.row-link").evaluate_all("(all) => all.map((one) => one.href)")]
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("Page 2 of")).to_be_visible()
    seen.append(page.locator("tbody th a.row-link").evaluate_all("(all) => all.map((one) => one.href)"))
    assert not {*seen[0]} & {*seen[1]}
    page.get_by_role("link", name="Previous", exact=True).click()
    expect(page.get_by_text("Page 1 of")).to_be_visible()
    assert page.locator("tbody th a.row-link").evaluate_all("(all) => all.map((one) => one.href)") == seen[0]


def test_from_a_number_to_its_fills_by_keyboard(make_seat: Any) -> None:
    page = make_seat().go("/day?date=2026-11-19")
    page.locator(".tile .value a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("add up to exactly")
    page.locator("tbody th a").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Fills")).to_be_visible()
    expect(page.locator(".places").first).to_contain_text(re.compile(":[0-9]+$"))


def test_a_list_and_an_open_trade_follow_while_a_note_is_written(make_seat: Any) -> None:
    seat = make_seat()
    assert seat.server.post("/api/fills", [fill(-30, symbol="TSLA", quantity=2)])[0] == 201
    (position,) = (p["id"] for p in seat.server.get("/api/positions?state=open&symbol=TSLA")[1]["data"])
    page = seat.go(f"/trades/{position}")
    expect(page.locator(".facts")).to_contain_text("open")
    page.get_by_role("textbox", name="Note").fill("half a thought")
    other = make_seat().go("/trades?symbol=TSLA")
    expect(other.get_by_text("No trades match these filters.")).to_be_visible()
    assert seat.server.post("/api/fills", [fill(-25, "SELL", 110, symbol="TSLA", quantity=2)])[0] == 201
    expect(page.locator(".facts")).to_contain_text("Closed · Win", timeout=20_000)
    expect(page.locator("#around tbody tr")).to_have_count(2)
    expect(page.get_by_role("textbox", name="Note")).to_have_value("half a thought")
    expect(other.get_by_role("status")).to_contain_text("1–1 of 1 trades", timeout=20_000)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
