"""Printing of a page as PDF by an installed Chromium or Chrome; nothing of it is a dependency."""

import os
from pathlib import Path

from tearsheet.errors import InputError, SettingsError
from tearsheet.export.files import replace_file

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_LONGEST_S = 60


def find_chromium(stated: Path | None) -> Path:
    """Return the program that prints: the stated one, or one of the PATH. Raises SettingsError."""
    import shutil  # and its archives: every command that judges imports this module

    found = stated if stated is not None else next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if found is None or not os.access(found, os.X_OK):
        where = f"TEARSHEET_CHROMIUM is {stated}, which is no program" if stated else "there is none here"
        raise SettingsError(
            f"PDF is printed by Chromium or Chrome, and {where}",
            "install one or name it with TEARSHEET_CHROMIUM; or take --format html, which any browser prints",
        )
    return Path(found)


def print_pdf(program: Path, page: Path, target: Path) -> None:
    """Print a file of HTML to a PDF, replaced as a whole. Raises InputError."""
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory(prefix="tearsheet-print-") as folder:
        printed = Path(folder) / "page.pdf"
        # as root, as in a container, Chromium has no sandbox; the page has no script and loads nothing
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [
            str(program), "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer", *sandbox,
            f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}", page.resolve().as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, timeout=_LONGEST_S, check=False)
            reason = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"{program} could not print {page}: {error}", "try --format html") from error
        if not printed.exists():
            raise InputError(
                f"{program} could not print {page}: exit {done.returncode} {' '.join(reason)}".rstrip(),
                "try --format html",
            )
        replace_file(target, printed.read_bytes())
