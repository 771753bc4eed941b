"""A real browser before a real server: Debian's Chromium, driven by Playwright, and gunicorn."""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.support.api import fill
from tests.support.place import NOON, Place, record
from tests.support.web_server import Server

STREAMING = "tearsheet.web.worker.StreamingWorker"
HOSTILE = "<img src=x onerror=alert(1)>\"'&"
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser; without one on this machine these tests are skipped, and say so."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium, or name it in CHROMIUM")
    with sync_playwright() as playwright:
        # as root, as in a container, Chromium has no sandbox
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        expect.set_options(timeout=15_000)  # a page is drawn late where the cores are busy
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a month of trades, a rejected line, an open position and alerts."""
    place = Place(tmp_path_factory.mktemp("desk"), {})
    place.targets(win_rate_target=60, max_drawdown_target=-500)
    fill_place(place)
    with Server(place, workers=1, kind=STREAMING, TEARSHEET_SYNC_EVERY_S="0") as running:
        assert (
            running.post(
                "/api/fills",
                [
                    fill(-90, strategy=HOSTILE, symbol="AAPL"),
                    fill(-80, "SELL", 140, strategy=HOSTILE, symbol="AAPL"),
                    fill(-60, quantity=3),
                    fill(-50, "SELL", 97),
                ],
            )[0]
            == 201
        )
        yield running


def fill_place(place: Place) -> None:
    """Log a month of trades and raise what alerts they deserve."""
    for ago in range(1, 32):
        at = NOON - timedelta(days=ago)
        if at.weekday() < 5:
            nets = [(ago * 37 + n * 91) % 400 - 190 for n in range(5)]
            lines: list[Any] = [
                record(net=net, at=at + timedelta(minutes=n), order_id=f"{ago}-{n}")
                for n, net in enumerate(nets)
            ]
            place.log(at.date().isoformat(), *lines, *(["half a line"] if ago == 3 else []))
    with place.tracker() as tracker:
        tracker.check(tracker.get_summary("monthly"), tracker.targets())


class Seat:
    """A page in a browser that remembers every complaint."""

    def __init__(self, context: BrowserContext, server: Server) -> None:
        self.server = server
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))

    def go(self, path: str) -> Page:
        """Open a page and wait until it is at rest."""
        self.page.goto(f"http://127.0.0.1:{self.server.port}{path}")
        self.page.wait_for_load_state("networkidle")
        for chart in self.page.locator("[data-chart]").all():
            chart.and_(self.page.locator("[data-ready]")).wait_for(state="attached")
        return self.page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture
def make_seat(browser: Browser, server: Server) -> Iterator[Any]:
    """Seats of some width and theme; at the end none of them may have complained."""
    contexts: list[BrowserContext] = []
    seats: list[Seat] = []

    def make(width: int = 1440, theme: str = "light", **more: Any) -> Seat:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=theme,  # type: ignore[arg-type]
            locale="en-US",
            **more,
        )
        contexts.append(context)
        seats.append(Seat(context, server))
        return seats[-1]

    yield make
    heard = [complaint for seat in seats for complaint in seat.complaints]
    for context in contexts:
        context.close()
    assert heard == []


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core, as a script."""
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
