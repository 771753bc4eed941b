"""`python -m benchmarks.dashboard`: how soon the pages of a large ledger can be used, in a real browser.

Chromium and the server share this machine; each page is opened with an empty cache. Interactive is when the
scripts have run (`DOMContentLoaded`), drawn when every chart of the page is there.
"""

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks.page import Row, as_table, options_of, put, say
from benchmarks.running import Running
from benchmarks.web import fill_ledger

ROUNDS = 7
POSITIONS = 100_000
PAGES = {
    "Today": "/",
    "Calendar": "/calendar",
    "Performance, a month": "/performance",
    "Performance, everything": "/performance?window=all",
    "Trades, everything": "/trades?window=all",
}
_READ = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const parts = performance.getEntriesByType("resource").filter((one) => !one.name.includes("/api/events"));
  const size = [page, ...parts].reduce((sum, one) => sum + one.transferSize, 0);
  return [page.responseStart, page.domContentLoadedEventEnd, performance.now(), size, parts.length + 1];
}"""
_DRAWN = "() => [...document.querySelectorAll('[data-chart]')].every((one) => 'ready' in one.dataset)"


def main() -> None:
    """Measure and print the table."""
    options = options_of(sys.argv[1:])
    scratch = Path(tempfile.mkdtemp(prefix="tearsheet-bench-"))
    try:
        fill_ledger(scratch, POSITIONS)
        with Running(scratch) as server, sync_playwright() as playwright:
            table = as_table(measured(playwright, server.port))
    finally:
        shutil.rmtree(scratch)
    print(table)
    if options.write:
        put(table, " of the dashboard")


def measured(playwright: Any, port: int) -> list[Row]:
    """A row a page; the pages are opened in turn, A B C, A B C …"""
    browser = playwright.chromium.launch(
        executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
        args=["--no-sandbox"] if os.geteuid() == 0 else [],
    )
    found: dict[str, list[list[float]]] = {name: [] for name in PAGES}
    for number in range(ROUNDS + 1):
        say(f"… round {number}")
        for name, path in PAGES.items():
            times = _opened(browser, f"http://127.0.0.1:{port}{path}")
            if number:  # the first makes what the others find
                found[name].append(times)
    browser.close()
    return [_row(name, times) for name, times in found.items()]


def _opened(browser: Browser, address: str) -> list[float]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(address, wait_until="domcontentloaded")
    page.wait_for_function(_DRAWN, polling=20)
    times: list[float] = page.evaluate(_READ)
    context.close()
    return times


def _row(name: str, times: list[list[float]]) -> Row:
    first, ready, drawn, size, requests = ([one[place] for one in times] for place in range(5))
    return (
        name,
        f"{statistics.median(ready) / 1000:.2f} s",
        f"{min(ready) / 1000:.2f} s at best; drawn {statistics.median(drawn) / 1000:.2f} s",
        f"{max(size) / 1000:.0f} kB in {max(requests):.0f} requests, first byte {statistics.median(first):.0f} ms",
    )


if __name__ == "__main__":
    main()
