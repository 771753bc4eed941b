"""The tables of docs/performance.md."""

import argparse
import sys
from pathlib import Path

Row = tuple[str, str, str, str]
_PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def as_table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    head = ("what", "median", "beside", "")
    return "\n".join(["| " + " | ".join(r) + " |" for r in (head, ("---",) * 4, *rows)])


def put(table: str, name: str) -> None:
    """Put a table between its marks in the page."""
    start, end = f"<!-- figures{name} -->\n", f"<!-- end of figures{name} -->"
    before, found, rest = _PAGE.read_text().partition(start)
    _, _, after = rest.partition(end)
    assert found, f"{_PAGE} has no mark {start}"
    _PAGE.write_text(f"{before}{start}{table}\n{end}{after}")


def options_of(arguments: list[str]) -> argparse.Namespace:
    """What the command line of a benchmark says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--positions", type=int, default=1_000_000, help="of the large ledger of the API")
    parser.add_argument("--fills", type=int, default=1_000_000, help="of the large import")
    parser.add_argument("--peer", help="a Python that has nautilus_trader, to measure it too")
    parser.add_argument("--base", help="a Python that has another version of tearsheet, to measure it beside")
    parser.add_argument("--write", action="store_true", help="keep the tables in docs/performance.md")
    return parser.parse_args(arguments)


def say(words: str) -> None:
    """Progress, beside the table."""
    print(words, file=sys.stderr, flush=True)
