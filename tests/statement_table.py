"""Imports each file of a folder into a ledger of its own, and prints what became of its rows.

`python -m tests.vectors --table FOLDER` prints a line for each file: fills and events that are booked, rejections
with their codes, rows that change nothing, or why the file is refused.
"""

import re
import tempfile
from collections import Counter
from pathlib import Path

from msgspec import Struct

from tearsheet.cli import EXIT_OK
from tests.vectors import CommandLine

#: What a user is asked for, by the words of a refusal, with an answer.
_ANSWERS = {
    "--timezone": ("--timezone", "America/New_York"),
    "--account": ("--account", "A"),
    "--currency": ("--currency", "USD"),
    "--date-order": ("--date-order", "month-first"),
    "--fee-sign": ("--fee-sign", "positive"),
    "--date ": ("--date", "2026-01-05"),
}
_BOOKED = re.compile(r"\((\S+?)\): ([\d,]+) new, .*?(?:([\d,]+) events, )?([\d,]+) rejected")
_SKIPPED = re.compile(r"changes nothing: ([\d,]+) (\S+)")
_REJECTED = re.compile(r":\d+  (\w+): ")


class FileRows(Struct, frozen=True):
    """What became of the rows of a file; a `refusal` if nothing did."""

    name: str
    layout: str = ""
    fills: int = 0
    events: int = 0
    rejected: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    refusal: str = ""

    @property
    def is_whole(self) -> bool:
        """Return whether every row is booked or changes nothing."""
        return not self.refusal and not self.rejected

    def __str__(self) -> str:
        if self.refusal:
            return f"{self.name}: refused: {self.refusal}"
        reasons = ", ".join(f"{count} {code}" for code, count in sorted(self.rejected.items()))
        skipped = ", ".join(f"{count} {name}" for name, count in sorted(self.skipped.items()))
        parts = [f"{self.fills} fills", f"{self.events} events", f"rejected {reasons or 0}"]
        return f"{self.name} ({self.layout}): {', '.join(parts)}" + (
            f"; changes nothing: {skipped}" if skipped else ""
        )


def rows_of(path: Path, name: str) -> FileRows:
    """Import a file into an empty ledger, answering what it asks for."""
    options: list[str] = ["--account", "A"]
    with tempfile.TemporaryDirectory() as folder:
        run = CommandLine(Path(folder))
        while True:
            code, said = run("import", str(path), *options)
            asked = next(
                (words for mark, words in _ANSWERS.items() if mark in said and words[0] not in options), None
            )
            if code == EXIT_OK or asked is None:
                break
            options += asked
        found = _BOOKED.search(said)
        if found is None:
            reason = said.replace(str(path), name).partition("tearsheet: ")[2].partition("\n")[0]
            return FileRows(name, refusal=reason.removeprefix(f"{name}: ") or f"exit {code}")
        _, listed = run("rejections", "-n", "100000")
        return FileRows(
            name,
            found[1],
            *(int((number or "0").replace(",", "")) for number in (found[2], found[3])),
            Counter(_REJECTED.findall(listed)),
            Counter({name: int(number.replace(",", "")) for number, name in _SKIPPED.findall(said)}),
        )


def print_table(folder: Path) -> int:
    """Print a line for each file of a folder and the totals."""
    files = [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix != ".md" and not file.name.endswith(".expected.json")
    ]
    rows = [rows_of(file, str(file.relative_to(folder))) for file in files]
    for row in rows:
        print(row)
    read = [row for row in rows if not row.refusal]
    whole = sum(row.is_whole for row in read)
    fills, events = sum(row.fills for row in read), sum(row.events for row in read)
    rejected = sum(row.rejected.total() for row in read)
    print(
        f"{len(rows)} files: {len(read)} read, {whole} of them whole, {len(rows) - len(read)} refused; "
        f"{fills} fills, {events} events, {rejected} rejected"
    )
    return 0
