"""Retakes the pictures of the README: the sample of `make demo`, in Chromium.

`python docs/pictures.py` writes `docs/images/`; it needs Chromium, as `tests/browser` does.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from playwright.sync_api import sync_playwright

TOP = Path(__file__).parents[1]
sys.path[:0] = [str(TOP), str(TOP / "tests")]

from tests.browser.conftest import STREAMING  # noqa: E402
from tests.support.web_server import Server  # noqa: E402

IMAGES = TOP / "docs" / "images"
PICTURES = {
    "overview": ("/?range=3M", 1440, 1010, "light"),
    "calendar": ("/calendar", 1440, 1000, "light"),
    "performance": ("/performance?window=quarterly", 1440, 1000, "dark"),
}


class _Place:
    """What a server asks of a place: a folder, and what time it is."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self.folder, self.now = folder, now


def main() -> None:
    """Make the sample, show it, and take every picture."""
    folder = Path(tempfile.mkdtemp(prefix="tearsheet-pictures-"))
    try:
        run = "from tearsheet.cli import run; run()"
        subprocess.run([sys.executable, "-c", run, "demo", str(folder)], check=True)
        take(folder)
    finally:
        shutil.rmtree(folder)


def take(folder: Path) -> None:
    """Take every picture."""
    lines = (folder / "tearsheet.env").read_text().splitlines()
    env = dict(line.removeprefix("export ").split("=", 1) for line in lines if line)
    now = datetime.now().astimezone()
    with (
        Server(_Place(folder, now), workers=1, kind=STREAMING, **env) as server,
        sync_playwright() as playwright,
    ):  # type: ignore[arg-type]
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        for name, (path, width, height, theme) in PICTURES.items():
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if theme == "dark" else "light",
                locale="en-US",
            )
            page.goto(f"http://127.0.0.1:{server.port}{path}")
            page.locator("html[data-connection=live]").wait_for()
            page.wait_for_timeout(3000)  # until all is drawn
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
