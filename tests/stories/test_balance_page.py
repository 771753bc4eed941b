"""The worked example of docs/balance-and-returns.md comes out as its table says, by the command line."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.place import TOP
from tests.vectors import CommandLine

PAGE = (TOP / "docs" / "balance-and-returns.md").read_text("utf-8")
PARTS = ("net_pnl", "income", "costs", "tax", "result", "flows", "balance")


def block(kind: str, beginning: str) -> str:
    """Return the block of code of a kind that begins so."""
    found = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    return next(one for one in found if one.startswith(beginning))


def test_the_example_comes_out_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    run = CommandLine(tmp_path)
    for name, text in (
        ("accounts.yaml", block("yaml", "accounts:")),
        ("cash.csv", block("csv", "account,time,kind")),
        ("fills.csv", block("csv", "account,symbol")),
    ):
        (tmp_path / name).write_text(text)
    for words in (
        ("accounts", "set", "accounts.yaml"),
        ("cash", "import", "cash.csv"),
        ("import", "fills.csv"),
    ):
        code, said = run(*words)
        assert code == 0, said
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| 2026-11-")]
    assert len(rows) == 4
    for day, *amounts, returned in rows:
        metrics = run.json("summary", "--start", day, "--end", day, "--account", "DEMO", "--json")["metrics"]
        assert [metrics[part]["value"] for part in PARTS] == list(map(Decimal, amounts)), day
        assert f"{float(metrics['total_return']['value']) * 100:.4f} %" == returned, day
    whole = run.json("summary", "--window", "all", "--account", "DEMO", "--json")["metrics"]
    assert f"{float(whole['total_return']['value']) * 100:.4f} %" in PAGE
    assert whole["return_drawdown"]["value"] == pytest.approx(Decimal(1) / 15000, abs=Decimal("1e-12"))
    [account] = [one for one in run.json("accounts", "list", "--json") if one["account"] == "DEMO"]
    assert account["balance"] == {"USD": 12277}
    listed = run.json("cash", "list", "--window", "all", "--json")
    assert [(one["kind"], one["counts_as"]) for one in listed][::-1] == [
        ("deposit", "flows"),
        ("data_fee", "costs"),
        ("credit_interest", "income"),
        ("withholding_tax", "tax"),
        ("payout", "flows"),
    ]


def test_a_row_that_is_wrong_is_named_and_the_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    run = CommandLine(tmp_path)
    (tmp_path / "cash.csv").write_text(
        "account,time,kind,currency,amount,id\n"
        "A,2026-11-16T09:00:00Z,deposit,USD,5000,w1\n"
        "A,2026-11-16T09:00:00Z,deposit,USD,6000,w1\n"
        "A,2026-11-16T09:00:00Z,gift,USD,1,g1\n"
    )
    code, said = run("cash", "import", "cash.csv")
    assert (code, "conflicting_id" in said, "cash.csv:4" in said) == (65, True, True)
    assert run("cash", "add", "A", "data_fee", "-25", "--id", "m1", "--time", "2026-11-16T10:00:00Z")[0] == 0
    again = run("cash", "add", "A", "data_fee", "-25", "--id", "m1", "--time", "2026-11-16T10:00:00Z")
    assert again == (0, "It was stated before; nothing changed.\n")
    code, said = run("cash", "add", "A", "data_fee", "-26", "--id", "m1", "--time", "2026-11-16T10:00:00Z")
    assert (code, "conflicting_id" in said) == (65, True)
    assert [
        one["amount"]
        for one in json.loads(json.dumps(run.json("cash", "list", "--window", "all", "--json"), default=str))
    ] == ["-25", "5000"]
