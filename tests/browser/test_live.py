"""The dashboard left open: fills and breaches as they come, and a server that goes away and returns."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import STREAMING, Seat
from tests.support.api import fill
from tests.support.place import NOON, Place
from tests.support.web_server import Server

LIMITS = "limits:\n  default: {daily_loss: 100, stale_after: null}\n"


@pytest.fixture
def desk(place: Place) -> Iterator[Server]:
    """A server with one account that has limits and has traded today."""
    place.write("config/dashboard-targets.yaml", LIMITS)
    place.now = NOON
    with Server(place, workers=1, kind=STREAMING, TEARSHEET_SYNC_EVERY_S="0") as running:
        fills = [fill(n, side, 100 + n, time=_at(n)) for n, side in enumerate(("BUY", "SELL") * 8)]
        assert running.post("/api/fills", fills)[0] == 201
        yield running


def _at(number: int) -> str:
    return (NOON - timedelta(minutes=60 - number)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def seat(browser: Browser, desk: Server) -> Iterator[Seat]:
    """Somebody before it."""
    context = browser.new_context(viewport={"width": 1200, "height": 500}, locale="en-US")
    yield Seat(context, desk)
    context.close()


def lose(desk: Server, number: int, amount: int) -> None:
    fills = [
        fill(number, price=1000, time=_at(number)),
        fill(number + 1, "SELL", 1000 - amount, time=_at(number + 1)),
    ]
    assert desk.post("/api/fills", fills)[0] == 201


def net(page: Page) -> Any:
    return page.locator(".tile:has(#about-net_pnl) .value")


def is_live(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-connection", "live", timeout=15_000)


def test_a_fill_appears_at_once_and_nothing_else_moves(desk: Server, seat: Seat) -> None:
    page = seat.go("/day")
    is_live(page)
    expect(net(page)).to_have_text("+$8.00")
    page.evaluate("window.stays = true")
    page.get_by_role("button", name="Profit factor").click()
    page.locator("tbody a").first.focus()
    page.mouse.wheel(0, 300)
    page.wait_for_function("scrollY > 0")
    before = page.evaluate("[scrollY, document.activeElement.getAttribute('href')]")
    lose(desk, 20, 10)
    expect(net(page)).to_have_text("−$2.00", timeout=4_000)
    assert page.evaluate("[scrollY, document.activeElement.getAttribute('href')]") == before
    expect(page.get_by_role("tooltip").filter(has_text="Gross profit /")).to_be_visible()
    expect(page.locator("[data-chart=fills] .tag-words")).to_have_text("−$2.00")
    assert page.evaluate("window.stays")
    assert seat.complaints == []


def test_a_breach_is_in_the_title_at_once_on_every_page(desk: Server, seat: Seat) -> None:
    page = seat.go("/day")
    is_live(page)
    beside = Seat(page.context, desk)
    other = beside.go("/trades")
    expect(page).to_have_title("Today · Tearsheet")
    expect(page.locator("#verdict")).to_have_text("✓ Within limits")
    lose(desk, 20, 200)
    for seen in (other, page):
        seen.bring_to_front()
        expect(seen).to_have_title(
            "✗ Limit breached: A · " + ("Today" if seen is page else "Trades") + " · Tearsheet"
        )
        expect(seen.locator("#verdict")).to_have_text("✗ Limit breached: A")
    expect(page.locator("#limits-A")).to_contain_text("this account must be flat")
    assert seat.complaints + beside.complaints == []


def test_a_server_that_is_gone_is_said_and_one_that_is_back_is_heard(desk: Server, seat: Seat) -> None:
    page = seat.go("/day")
    is_live(page)
    desk.process.send_signal(signal.SIGTERM)
    desk.process.wait(60)
    expect(page.locator(".pulse")).to_contain_text("Disconnected · last update", timeout=20_000)
    expect(page.locator("#offline")).to_be_visible(timeout=20_000)
    expect(page).to_have_title("? Disconnected · Today · Tearsheet")
    expect(page.locator("#verdict")).to_have_text("? Limit status unknown")
    with desk:
        lose(desk, 20, 10)
        is_live(page)
        expect(page.locator("#offline")).to_be_hidden()
        expect(net(page)).to_have_text("−$2.00")
        expect(page.locator("#verdict")).to_have_text("✓ Within limits")


def test_a_server_that_does_not_come_back_with_an_answer_is_said(desk: Server, seat: Seat) -> None:
    page = seat.go("/day")
    is_live(page)
    desk.process.send_signal(signal.SIGSTOP)  # its master
    [worker] = _children(desk.process.pid)
    try:
        _send(worker, signal.SIGSTOP)
        expect(page.locator("#offline")).to_be_visible(timeout=20_000)
    finally:
        _send(worker, signal.SIGCONT)
        desk.process.send_signal(signal.SIGCONT)
    is_live(page)


def test_without_streams_it_asks_every_few_seconds(place: Place, browser: Browser) -> None:
    place.write("config/dashboard-targets.yaml", LIMITS)
    with Server(place, workers=1, TEARSHEET_SYNC_EVERY_S="0") as desk:
        context = browser.new_context(locale="en-US")
        page = Seat(context, desk).go("/day")
        expect(page.locator(".pulse")).to_have_text("Live (every 5 s)")
        lose(desk, 20, 200)
        expect(net(page)).to_have_text("−$200.00", timeout=15_000)
        expect(page).to_have_title("✗ Limit breached: A · Today · Tearsheet")
        context.close()


def _children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(word) for word in text.split()]


def _send(process: int, number: signal.Signals) -> None:
    os.kill(process, number)
