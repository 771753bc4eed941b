"""The trade list at work: rows by mouse and keyboard, columns, tags for many, filters by name, on a phone."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import HOSTILE
from tests.browser.test_dashboard import _RULES, _RUN


def check(page: Page, axe: str) -> None:
    """Assert that the page fits and that axe finds nothing."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
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
    other.get_by_role("textbox", name="Tags").fill("theirs")
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
