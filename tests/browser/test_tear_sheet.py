"""The tear sheet as a browser shows, saves and prints it."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tearsheet.cli import main
from tests.browser.conftest import CHROMIUM, fill_place
from tests.browser.test_dashboard import _RULES, _RUN
from tests.support.place import Place


@pytest.mark.parametrize("page_of", ["/?range=1M", "/performance?window=all"])
def test_a_button_opens_it_with_the_numbers_of_the_page(make_seat: Any, page_of: str) -> None:
    page = make_seat().go(page_of)
    net = page.locator(".tile:has(#about-net_pnl) .value").inner_text()
    page.locator("summary", has_text="Tear sheet").click()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open", exact=True).click()
    sheet = opened.value
    expect(sheet.locator(".six strong").first).to_have_text(net)
    expect(sheet.locator("h1")).to_contain_text("Performance, ")


@pytest.mark.parametrize(("width", "theme"), [(1000, "light"), (390, "light"), (820, "dark")])
def test_it_fits_and_can_be_read_by_all(make_seat: Any, axe: str, width: int, theme: str) -> None:
    seat = make_seat(width, theme)
    page = seat.go("/tear-sheet?window=all")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    text = seat.page.content()
    seat.page.set_content(re.sub(r"<meta http-equiv[^>]*>", "", text))
    page.evaluate(axe)
    assert page.evaluate(_RUN, [rule for rule in _RULES if rule != "best-practice"]) == []


@pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium, or name it in CHROMIUM"
)
def test_it_is_printed_on_two_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path, {})
    fill_place(place)
    monkeypatch.chdir(place.folder)
    for name in [one for one in os.environ if one.startswith(("TEARSHEET_", "PERFORMANCE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TEARSHEET_CHROMIUM", str(CHROMIUM))
    arguments = ["summary", "--start", "2026-10-01", "--end", "2026-11-30", "--export", "--format", "pdf"]
    assert main([*arguments, "--allow-partial"]) in (0, 2)
    [printed] = (place.folder / "logs/performance").glob("*.pdf")
    content = printed.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page[^s]", content)) == 2
