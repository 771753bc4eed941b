"""Import, alerts and settings as people use them: files dropped, looked at, brought in, undone."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import HOSTILE
from tests.browser.test_dashboard import _RULES, _RUN
from tests.support.place import fills_csv
from tests.support.processes import until

BUY = "B,MSFT,2026-11-20T10:00:00Z,buy,1,100,0,E1"
SELL = "B,MSFT,2026-11-20T10:30:00Z,sell,1,101.5,0,E3"
BAD = "B,MSFT,2026-11-20T10:05:00Z,sell,1,oops,0,E2"


def is_sound(page: Page, axe: str) -> None:
    """It fits the screen, and can be read by all."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.evaluate(axe)
    assert page.evaluate(_RUN, _RULES) == []


def choose(page: Page, *files: Path) -> None:
    """Choose files; with scripts they are sent at once."""
    page.locator("input[type=file]").set_input_files(list(files))


@pytest.mark.parametrize(("width", "theme"), [(1440, "dark"), (390, "light")])
def test_files_are_looked_at_brought_in_and_undone(
    make_seat: Any, axe: str, tmp_path: Path, width: int, theme: str
) -> None:
    first, second = tmp_path / "mine.csv", tmp_path / "<b>&'x'.csv"
    first.write_text(fills_csv([BUY, BAD]))
    second.write_text(fills_csv([SELL]))
    seat = make_seat(width, theme)
    page = seat.go("/import")
    is_sound(page, axe)
    choose(page, first, second)
    taken = page.locator("#taken")
    expect(taken).to_contain_text("not imported yet")
    expect(taken.get_by_role("heading", name="<b>&'x'.csv")).to_be_visible()
    taken.get_by_text("Rejected rows (1)").click()
    expect(taken.locator(".rejected")).to_contain_text("oops")
    expect(taken.locator(".changes")).to_contain_text("+$1.50")
    is_sound(page, axe)
    assert "B" not in seat.server.get("/api/accounts")[1]["data"]
    taken.get_by_role("button", name="Import 1 trade").click()
    expect(taken).to_contain_text("1 trade imported.")
    expect(page.locator(".stages [aria-current]")).to_have_text("3Done")
    expect(taken.locator(".month")).to_contain_text("+$2")
    assert [f["fill_id"] for f in seat.server.get("/api/fills?account=B")[1]["data"]] == ["E3", "E1"]
    is_sound(page, axe)
    page = seat.go("/import")
    page.get_by_role("link", name="mine.csv").first.click()
    page.get_by_role("button", name="Preview undo").click()
    expect(page.get_by_role("heading", name="Undo this import?")).to_be_visible()
    is_sound(page, axe)
    page.get_by_role("button", name="Undo import").click()
    expect(page.locator("main")).to_contain_text("Undone")
    page = seat.go("/import")
    choose(page, first)
    taken.get_by_role("button", name="Import 1 trade").click()
    taken.get_by_role("button", name="Undo").click()
    expect(taken).to_contain_text("Undone.")
    is_sound(page, axe)
    assert [f["fill_id"] for f in seat.server.get("/api/fills?account=B")[1]["data"]] == ["E3"]
    page = seat.go("/import")
    page.get_by_role("link", name="<b>&'x'.csv").first.click()
    page.get_by_role("button", name="Preview undo").click()
    page.get_by_role("button", name="Undo import").click()
    expect(page.locator("main")).to_contain_text("Undone")


DROP = """([name, text]) => {
  const held = new DataTransfer();
  held.items.add(new File([text], name, { type: "text/csv" }));
  for (const kind of ["dragenter", "dragover", "drop"])
    document.querySelector("h1").dispatchEvent(new DragEvent(kind, { dataTransfer: held, bubbles: true, cancelable: true }));
}"""


def test_a_file_dropped_anywhere_on_the_page_is_previewed(make_seat: Any, tmp_path: Path) -> None:
    page = make_seat().go("/import")
    page.evaluate(DROP, ["dropped.csv", fills_csv([BUY.replace("B,", "D,")])])
    expect(page.locator("#taken")).to_contain_text("dropped.csv")
    expect(page.locator("#taken")).to_contain_text("Opens long 1")
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("heading", name="Import history")).to_be_visible()


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_columns_of_an_unknown_file_are_matched_with_a_live_preview(
    make_seat: Any, axe: str, tmp_path: Path, width: int, theme: str
) -> None:
    file = tmp_path / f"{HOSTILE.replace('/', '')}.csv"
    remark = HOSTILE.replace('"', "'")
    file.write_text(
        f"Paper,When,B/S,Filled Qty,Level,Comm,{remark}\n"
        "ZZZA,2026-11-19 10:00:00,Buy,10,100.5,1,first\n"
        "ZZZA,2026-11-19 11:00:00,Sell,10,102.5,1,second\n"
    )
    seat = make_seat(width, theme, timezone_id="America/Chicago")
    page = seat.go("/import")
    choose(page, file)
    taken = page.locator("#taken")
    expect(taken).to_contain_text("This file cannot be read yet")
    is_sound(page, axe)
    page.get_by_label("What Paper is").select_option("symbol")
    page.get_by_label("What Level is").select_option("price")
    expect(taken.locator(".changes")).to_contain_text("+$18.00")
    expect(page.get_by_label("Time zone of the file")).to_have_value("America/Chicago")
    expect(page.get_by_label("Account", exact=True)).to_have_value("Main")
    page.get_by_label("What Comm is").select_option("")
    expect(taken.locator(".changes")).to_contain_text("+$20.00")
    page.get_by_label("Time zone of the file").fill("Chicago")
    page.get_by_label("Time zone of the file").press("Tab")
    expect(taken).to_contain_text("“Chicago” is not allowed")
    page.get_by_label("Account", exact=True).fill("MINE")
    page.get_by_label("Account", exact=True).press("Tab")
    expect(taken).to_contain_text("“Chicago” is not allowed")
    expect(page.get_by_label("Account", exact=True)).to_have_value("MINE")
    expect(taken.locator(".changes")).to_contain_text("+$20.00")
    is_sound(page, axe)
    page.get_by_label("Time zone of the file").fill("Europe/Berlin")
    page.get_by_label("Time zone of the file").press("Tab")
    expect(taken).to_contain_text("The first trade is then 19 Nov 2026, 10:00 Berlin")
    expect(taken.locator("table").first).to_be_visible()
    is_sound(page, axe)
    assert page.locator("img").count() == 0
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("heading", name="Import history")).to_be_visible()


def test_without_scripts_a_file_is_brought_in_and_undone_too(make_seat: Any, tmp_path: Path) -> None:
    file = tmp_path / "plain.csv"
    file.write_text(fills_csv(["P,MSFT,2026-11-20T10:00:00Z,buy,1,100,0,E1"]))
    seat = make_seat(java_script_enabled=False)
    page = seat.go("/import")
    choose(page, file)
    page.get_by_role("button", name="Preview import").click()
    expect(page.locator("#taken")).to_contain_text("not imported yet")
    page.get_by_role("button", name="Import file", exact=True).click()
    page.locator(".result a").first.click()
    page.get_by_role("button", name="Preview undo").click()
    page.get_by_role("button", name="Undo import").click()
    expect(page.locator("main")).to_contain_text("Undone")


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_a_limit_is_set_refused_and_taken_out(make_seat: Any, axe: str, width: int, theme: str) -> None:
    seat = make_seat(width, theme)
    file = seat.server.place.folder / "config/dashboard-targets.yaml"
    before = file.read_text()
    page = seat.go("/settings/limits?account=EVAL")
    group = page.locator("#limit-daily_loss")
    group.get_by_label("Custom").check()
    amount = group.get_by_label("Amount", exact=True).and_(page.locator("input"))
    amount.fill("-5")
    is_sound(page, axe)
    page.get_by_role("button", name="Save limits").click()
    expect(amount).to_have_value("-5")
    expect(amount).to_have_attribute("aria-invalid", "true")
    expect(group).to_contain_text("an amount of money above 0")
    is_sound(page, axe)
    amount.fill("250")
    page.get_by_role("button", name="Save limits").click()
    expect(page.locator(".banner")).to_contain_text("✓ Saved. The new limits are in effect.")
    assert "  accounts:\n    EVAL:\n      daily_loss: 250\n" in file.read_text()
    group.get_by_label("Use default").check()
    expect(amount).to_be_hidden()
    page.get_by_role("button", name="Save limits").click()
    expect(page.locator(".banner")).to_contain_text("✓ Saved.")
    until(lambda: "daily_loss" not in file.read_text())
    page = seat.go("/settings")
    expect(page.get_by_role("region", name="Table: Changes")).to_contain_text(
        "limits.accounts.EVAL.daily_loss"
    )
    is_sound(page, axe)
    file.write_text(before)
    seat.complaints[:] = [c for c in seat.complaints if "422" not in c]


@pytest.mark.parametrize(("width", "theme"), [(1440, "dark"), (390, "light")])
def test_the_last_month_follows_each_change_of_a_limit(
    make_seat: Any, axe: str, width: int, theme: str
) -> None:
    seat = make_seat(width, theme)
    before = (seat.server.place.folder / "config/dashboard-targets.yaml").read_text()
    page = seat.go("/settings/limits?account=EQ-1")
    result = page.locator("#check-result")
    expect(result).to_contain_text("has not traded, or has no limits")
    group = page.locator("#limit-daily_loss")
    group.get_by_label("Custom").check()
    group.locator("input[name='daily_loss.amount']").fill("150")
    group.locator("input[name='daily_loss.amount']").press("Tab")
    expect(result).to_contain_text(re.compile("Stopped [0-9]+ times; it has no limits now."))
    is_sound(page, axe)
    group.get_by_text("Advanced options").click()
    group.get_by_label("Based on").and_(page.locator("select")).select_option("open_pnl")
    expect(result).to_contain_text("evaluated on realized P&L only")
    group.locator("input[name='daily_loss.amount']").fill("much")
    group.locator("input[name='daily_loss.amount']").press("Tab")
    expect(result).to_contain_text("Correct amount: ")
    expect(group.locator("input[name='daily_loss.amount']")).to_have_value("much")
    is_sound(page, axe)
    assert (seat.server.place.folder / "config/dashboard-targets.yaml").read_text() == before


def test_another_day_start_is_seen_before_it_is_done(make_seat: Any, axe: str) -> None:
    seat = make_seat(390, "light")
    page = seat.go("/settings")
    page.get_by_label("Starts at").fill("16:00")
    page.get_by_role("button", name="Preview changes").click()
    expect(page.get_by_role("heading", name="days will change")).to_be_visible()
    is_sound(page, axe)
    page.get_by_label("Starts at").fill("25:00")
    page.get_by_role("button", name="Rebuild history").click()
    expect(page.get_by_label("Starts at")).to_have_attribute("aria-invalid", "true")
    assert not (seat.server.place.folder / "config/tearsheet.toml").exists()
    seat.complaints[:] = [c for c in seat.complaints if "422" not in c]


@pytest.mark.parametrize(("width", "theme"), [(1440, "dark"), (390, "light")])
def test_an_alert_is_found_acknowledged_and_told(make_seat: Any, axe: str, width: int, theme: str) -> None:
    seat = make_seat(width, theme)
    page = seat.go("/alerts?state=all")
    waiting = page.get_by_role("button", name="Acknowledge", exact=True)
    if waiting.count():
        page.get_by_label("Acknowledge as").fill("kim")
        if width > 700:
            page.get_by_role("checkbox", name="Select: ").last.check()
            page.get_by_placeholder("Note (optional): action taken").fill(HOSTILE)
            is_sound(page, axe)
            page.locator(".bulk").get_by_role("button", name="Acknowledge").click()
        else:
            waiting.last.click()
        expect(page.locator(".banner")).to_contain_text("Acknowledged 1 alert")
    expect(page.locator(".alerts").first).to_contain_text("Acknowledged by kim")
    if width > 700:
        expect(page.locator("main")).to_contain_text(f"Acknowledged by kim: {HOSTILE}")
    is_sound(page, axe)
    page.get_by_label("Rule").select_option("win_rate_breach")
    expect(page).to_have_url(re.compile("rule=win_rate_breach"))
    expect(page.get_by_label("Rule")).to_have_value("win_rate_breach")
    assert "account=" not in page.url
    page.keyboard.press("Escape")
    page.locator(".alerts li").first.locator(".what .small").click()
    expect(page.locator(".life li").first).to_contain_text("Raised")
    is_sound(page, axe)
