"""`tearsheet note` and what `tearsheet positions` shows of notes and tags."""

import json
from datetime import timedelta

from tests.cli.test_cli import NOW, Shell, shell
from tests.support.place import fills_csv

__all__ = ["shell"]


def bring(shell: Shell) -> str:
    """Two closed positions; returns the id of the newest."""
    rows = [
        f"A,AAPL,{(NOW - timedelta(seconds=9 - n)).isoformat()},{side},1,{100 + n},0.5,E{n}"
        for n, side in enumerate(("buy", "sell", "buy", "sell"))
    ]
    shell.place.write("fills.csv", fills_csv(rows))
    assert shell("import", "fills.csv") == 0
    assert shell("positions", "--json") == 0
    return str(json.loads(shell.out)[0]["id"])


def test_a_note_is_said_tagged_changed_and_taken_back(shell: Shell) -> None:
    newest = bring(shell)
    assert shell("note", newest) == 0
    assert shell.out == "No note.\n"
    assert shell("note", newest, "chased it", "--tag", "FOMO", "--tag", "gap up") == 0
    assert "  chased it\n  tags: fomo, gap up\n  version 1 by " in shell.out
    assert shell("note", newest, "--untag", "#Fomo", "--tag", "late") == 0
    assert "  chased it\n  tags: gap up, late\n  version 2 by " in shell.out
    assert "chased it [fomo, gap up]" in shell.out
    assert shell("positions", "--tag", "Late") == 0
    assert shell.out.count("AAPL") == 1
    assert "✎ gap up, late" in shell.out
    assert shell("positions", "--tag", "late", "--json") == 0
    (found,) = json.loads(shell.out)
    assert (found["id"], found["note"], found["tags"]) == (newest, "chased it", ["gap up", "late"])
    assert shell("positions", "--tag", "none") == 0
    assert shell.out.startswith("No trades in this period; use --window, ")
    assert shell("positions", "--open", "--tag", "none") == 0
    assert shell.out == "No open positions.\n"
    assert shell("note", newest, "--json") == 0
    assert [v["version"] for v in json.loads(shell.out)["versions"]] == [1, 2]
    assert shell("note", newest, "--clear") == 0
    assert shell.out.startswith("No note.\n")
    assert shell("positions", "--json") == 0
    assert [(p["note"], p["tags"]) for p in json.loads(shell.out)] == [(None, []), (None, [])]
    assert shell("verify") == 0


def test_an_orphaned_note_is_listed(shell: Shell) -> None:
    newest = bring(shell)
    assert shell("note", newest, "still here", "--tag", "x") == 0
    assert shell("imports", "undo", "1") == 0
    assert shell("note", "--orphaned") == 0
    assert "still here" in shell.out
    assert "on not attached to a trade" in shell.out
    assert shell("note", newest) == 64
    assert "no position" in shell.err


def test_wrong_use_is_said(shell: Shell) -> None:
    newest = bring(shell)
    for arguments, words in (
        ([], "a trade ID is required"),
        ([newest, "--orphaned"], "a trade ID is required"),
        ([newest, "x", "--clear"], "--clear cannot be combined with text or tags"),
        ([newest, "x" * 4001], "the note has 4,001 characters"),
        ([newest, "--tag", "a,b"], "contains a comma"),
        (["0123456789abcdef", "x"], "no position '0123456789abcdef'"),
    ):
        assert shell("note", *arguments) == 64
        assert words in shell.err


def test_a_terminal_is_not_steered_by_a_note(shell: Shell) -> None:
    newest = bring(shell)
    assert shell("note", newest, "a\u202eb\u2028\u200bc") == 0
    assert "\u202e" not in shell.out
    assert "a\ufffdb" in shell.out
    assert shell("note", newest, "\x1b[31mred") == 64
    assert "U+001B" in shell.err
