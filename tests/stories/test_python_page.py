"""The Python page and the notebook: every block runs, and says what it says."""

import ast
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import tearsheet as ts
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker
from tests.support.place import TOP

for _name in ("polars", "pandas", "duckdb", "pyarrow", "nanoarrow"):
    pytest.importorskip(_name, reason=f"NOT TESTED: {_name} is not installed; run make setup")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small account, imported; the working directory is there."""
    folder = Path(shutil.copytree(TOP / "examples", tmp_path / "examples")) / "small-account"
    monkeypatch.setenv("PERFORMANCE_SUMMARY_TIMEZONE", "America/New_York")
    monkeypatch.setenv("TEARSHEET_STARTING_BALANCE", "10000")
    monkeypatch.chdir(folder)
    with PerformanceTracker(Settings.load()) as tracker:
        tracker.import_file("fills.csv")
    return folder


def test_every_block_of_the_page_runs(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    text = (TOP / "docs" / "python.md").read_text("utf-8")
    for block in BLOCK.findall(text):
        exec(compile(block, "docs/python.md", "exec"), names)
    said = capsys.readouterr().out.splitlines()
    assert said[:4] == [
        "all accounts 1 5",
        "PRACTICE · AAPL · from 2026-11-01 to 2026-11-30",
        "bad_request | did you mean 'AAPL'?",
        "True",
    ]
    assert any(line.startswith("['daily_loss'") for line in said)
    written = {path.name for path in account.iterdir()}
    assert {"fills.parquet", "november.html", "from-a-frame.html"} <= written


def run_notebook(path: Path) -> list[Any]:
    """Run the cells of a notebook in order; return what the last line of each shows."""
    names: dict[str, Any] = {}
    shown = []
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == [], "a notebook is kept without outputs"
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, path.name, "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), path.name, "eval"), names))
    return shown


def test_the_notebook_runs_and_shows_what_it_says(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(account.parent / "notebook")
    ledger, trades, by_symbol, metrics, equity, chart, stops, report, agrees = run_notebook(
        Path("first-look.ipynb")
    )
    assert "net 183.03 USD" in ledger._repr_html_()
    assert [len(table) for table in (trades, equity)] == [5, 5]
    assert by_symbol["len"].sum() == 5
    assert metrics._repr_html_().startswith("<table>")
    assert chart._repr_svg_().startswith("<svg")
    assert [limit for limit, _ in stops] == ["daily_loss"]
    assert isinstance(report, ts.Report)
    assert agrees is True
