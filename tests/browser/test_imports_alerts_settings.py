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
    page.locator("input[type=file]").set_input_files(list(files))
    page.get_by_role("button", name="See what would change", exact=True).click()


@pytest.mark.parametrize(("width", "theme"), [(1440, "dark"), (390, "light")])
def test_files_are_looked_at_brought_in_and_undone(
    make_seat: Any, axe: str, tmp_path: Path, width: int, theme: str
) -> None:
    first, second = tmp_path / "mine.csv", tmp_path / "<b>&'x'.csv"
    first.write_text(fills_csv([BUY, BAD]))
    second.write_text(fills_csv([SELL]))
    seat = make_seat(width, theme)
    page = seat.go("/import")
    choose(page, first, second)
    taken = page.locator("#taken")
    expect(taken).to_contain_text("Not imported yet")
    expect(taken.get_by_role("heading", name="<b>&'x'.csv")).to_be_visible()
    expect(taken.locator(".rejected")).to_contain_text("oops")
    expect(taken.locator(".changes")).to_contain_text("+$1.50")
    assert "/import/uploads/" not in page.url
    is_sound(page, axe)
    assert "B" not in seat.server.get("/api/accounts")[1]["data"]
    taken.get_by_role("button", name="Import these files").click()
    expect(taken.get_by_text("Imported as import")).to_have_count(2)
    assert [f["fill_id"] for f in seat.server.get("/api/fills?account=B")[1]["data"]] == ["E3", "E1"]
    is_sound(page, axe)
    for name in ("mine.csv", "<b>&'x'.csv"):
        page = seat.go("/import")
        page.get_by_role("link", name=name).first.click()
        page.get_by_role("button", name="See what undoing would change").click()
        expect(page.get_by_role("heading", name="Undo this import?")).to_be_visible()
        is_sound(page, axe)
        page.get_by_role("button", name="Undo it").click()
        expect(page.locator("main")).to_contain_text("Undone")
    assert seat.server.get("/api/fills?account=B")[1]["data"] == []


def test_without_scripts_a_file_is_brought_in_and_undone_too(make_seat: Any, tmp_path: Path) -> None:
    file = tmp_path / "plain.csv"
    file.write_text(fills_csv(["P,MSFT,2026-11-20T10:00:00Z,buy,1,100,0,E1"]))
    seat = make_seat(java_script_enabled=False)
    page = seat.go("/import")
    choose(page, file)
    expect(page.locator("#taken")).to_contain_text("Not imported yet")
    page.get_by_role("button", name="Import", exact=True).click()
    page.locator(".result a").first.click()
    page.get_by_role("button", name="See what undoing would change").click()
    page.get_by_role("button", name="Undo it").click()
    expect(page.locator("main")).to_contain_text("Undone")


def test_a_refusal_is_shown_and_the_form_goes_on(make_seat: Any, tmp_path: Path) -> None:
    file = tmp_path / f"{HOSTILE.replace('/', '')}.csv"
    file.write_text(fills_csv(["C,MSFT,2026-11-20T10:00:00Z,buy,1,100,0,E1"]))
    seat = make_seat()
    page = seat.go("/import")
    choose(page, file)
    page.get_by_text("Read it in another way").click()
    page.get_by_label("Time zone").fill("Mars")
    page.get_by_role("button", name="Look again").click()
    expect(page.locator("#taken")).to_contain_text("timezone is 'Mars'")
    seat.complaints[:] = [c for c in seat.complaints if "422" not in c]
    page = seat.go("/import")
    choose(page, file)
    page.get_by_text("Read it in another way").click()
    page.get_by_label("Dates").select_option("day-first")
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_label("Dates")).to_have_value("day-first")
    expect(page.locator("#taken")).to_contain_text("dates day-first")
    page.get_by_role("button", name="Throw away").click()
    expect(page.get_by_role("heading", name="Imports so far")).to_be_visible()
    assert page.locator("img").count() == 0


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_a_limit_is_set_refused_and_taken_out(make_seat: Any, axe: str, width: int, theme: str) -> None:
    seat = make_seat(width, theme)
    file = seat.server.place.folder / "config/dashboard-targets.yaml"
    before = file.read_text()
    page = seat.go("/settings/limits?account=EVAL")
    group = page.get_by_role("group", name="Daily loss")
    group.get_by_label("its own").check()
    amount = group.get_by_label("amount")
    amount.fill("-5")
    is_sound(page, axe)
    page.get_by_role("button", name="Keep these limits").click()
    expect(amount).to_have_value("-5")
    expect(amount).to_have_attribute("aria-invalid", "true")
    expect(group).to_contain_text("an amount of money above 0")
    is_sound(page, axe)
    amount.fill("250")
    page.get_by_role("button", name="Keep these limits").click()
    expect(page.locator(".said")).to_contain_text("Kept")
    assert "  accounts:\n    EVAL:\n      daily_loss: 250\n" in file.read_text()
    group.get_by_label("as every account").check()
    expect(amount).to_be_hidden()
    page.get_by_role("button", name="Keep these limits").click()
    expect(page.locator(".said")).to_contain_text("Kept")
    until(lambda: "daily_loss" not in file.read_text())
    page = seat.go("/settings")
    expect(page.get_by_role("region", name="Table: Changes")).to_contain_text(
        "limits.accounts.EVAL.daily_loss"
    )
    is_sound(page, axe)
    file.write_text(before)
    seat.complaints[:] = [c for c in seat.complaints if "422" not in c]


def test_another_day_start_is_seen_before_it_is_done(make_seat: Any, axe: str) -> None:
    seat = make_seat(390, "light")
    page = seat.go("/settings")
    page.get_by_label("Begins at").fill("16:00")
    page.get_by_role("button", name="See what would change").click()
    expect(page.get_by_role("heading", name="days would change")).to_be_visible()
    is_sound(page, axe)
    page.get_by_label("Begins at").fill("25:00")
    page.get_by_role("button", name="Book everything anew").click()
    expect(page.get_by_label("Begins at")).to_have_attribute("aria-invalid", "true")
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
