"""The command line as a user meets it: output, exit codes, and words for what is wrong."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tearsheet import cli, errors
from tearsheet.cli import EXIT_CODES, main
from tests.support.place import Place, fills_csv, record
from tests.support.processes import environment


class Shell:
    """Runs commands in a place and keeps what they said."""

    def __init__(
        self, place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.place = place
        self._capsys = capsys
        monkeypatch.chdir(place.folder)
        for name in [n for n in os.environ if n.startswith(("TEARSHEET_", "PERFORMANCE_"))]:
            monkeypatch.delenv(name)
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        code = main(arguments)
        self.out, self.err = self._capsys.readouterr()
        return code


@pytest.fixture
def shell(place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(place, capsys, monkeypatch)


NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.date().isoformat()


def trade(place: Place, *nets: str) -> None:
    """Trades of today that end just now."""
    at = NOW - timedelta(seconds=1)
    place.log(
        TODAY,
        *(record(order_id=str(n), net=net, at=at, held=0, exit_timestamp=None) for n, net in enumerate(nets)),
    )


def test_a_healthy_summary(shell: Shell) -> None:
    trade(shell.place, "10", "20.5", "-5")
    assert shell("summary", "--window", "daily") == 0
    assert f"daily {TODAY} · all accounts · USD" in shell.out
    assert "Net P&L                                  25.50" in shell.out
    assert "no closed trade had an initial stop" in shell.out
    assert shell.err == ""


def test_a_missed_target_is_exit_code_2_and_an_alert(shell: Shell) -> None:
    shell.place.targets(win_rate_target=90, daily_pl_target=-1000)
    trade(shell.place, *["-1"] * 6)
    assert shell("summary") == 2
    assert "MISSED" in shell.out
    assert "met" in shell.out
    assert "RAISED" in shell.out
    assert "performance.alert" in shell.err
    assert shell("check") == 2
    assert "win_rate 0.0000 is below 0.90" in shell.out
    assert shell.err == ""
    assert shell("alerts", "--open", "--json") == 0
    found = json.loads(shell.out)
    assert {alert["state"] for alert in found} == {"raised"}
    assert shell("alerts", "ack", found[0]["id"], "--by", "me", "--note", "seen") == 0
    assert "ACKNOWLEDGED" in shell.out
    assert shell("alerts") == 0
    assert "me: seen" in shell.out


def test_an_empty_place_is_healthy(shell: Shell) -> None:
    for command in (
        ["summary"],
        ["check"],
        ["sync"],
        ["alerts"],
        ["rejections"],
        ["positions"],
        ["accounts"],
        ["verify"],
    ):
        assert shell(*command) == 0, shell.err
    assert shell("summary", "--window", "weekly") == 0
    assert "No trades in window" in shell.out
    assert not (shell.place.folder / "logs/performance-alerts.jsonl").exists()


def test_json_is_as_the_schema_says(shell: Shell) -> None:
    trade(shell.place, "10", "-5")
    assert shell("summary", "--json") == 0
    found = json.loads(shell.out)
    assert found["metrics"]["net_pnl"] == {"value": 5, "n": 2, "reason": None}
    assert shell("summary", "--json", "--backfill", "3") == 0
    assert [len(day["days"]) for day in json.loads(shell.out)] == [0, 0, 1]


def test_backfill_writes_each_day_and_skips_the_unchanged(shell: Shell) -> None:
    trade(shell.place, "10")
    assert shell("summary", "--backfill", "7", "--export") == 0
    assert (shell.out.count("  written"), shell.out.count("  unchanged")) == (15, 0)
    folder = shell.place.folder / "logs/performance"
    assert len(list(folder.glob("daily-summary-*.json"))) == 7
    assert shell("summary", "--backfill", "7", "--export") == 0
    assert (shell.out.count("  written"), shell.out.count("  unchanged")) == (0, 15)
    trade(shell.place, "10", "3")
    shell("summary", "--backfill", "7", "--export")
    assert (shell.out.count("  written"), shell.out.count("  unchanged")) == (3, 12)


def test_an_export_shows_the_picture_beside_it(shell: Shell) -> None:
    trade(shell.place, "10", "-3")
    assert shell("summary", "--window", "daily", "--export") == 0
    folder = shell.place.folder / "logs/performance"
    name = f"daily-summary-{TODAY}"
    assert f"]({name}.svg)" in (folder / f"{name}.md").read_text()
    ElementTree.parse(folder / f"{name}.svg")
    shell("summary", "--window", "daily", "--start", "2026-01-05", "--export")
    assert not (folder / "daily-summary-2026-01-05.svg").exists()  # nothing was traded
    assert ".svg" not in (folder / "daily-summary-2026-01-05.md").read_text()


def test_the_address_of_the_specification_works(place: Place) -> None:
    trade(place, "10")
    env = environment({})
    for module in (
        ["-m", "trading_bot.performance", "--window", "weekly"],
        ["-m", "trading_bot.performance", "--help"],
    ):
        done = subprocess.run(
            [sys.executable, *module], cwd=place.folder, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "weekly" in done.stdout
    from trading_bot import performance

    assert set(performance.__all__) == {
        "AlertEvaluator",
        "AlertEvent",
        "PerformanceSummary",
        "PerformanceTracker",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["summary", "--window", "hourly"], "'hourly' is not one of"),
        (["summary", "--start", "soon"], "'soon' is not a valid date; use YYYY-MM-DD"),
        (["summary", "--start", "2026-01-02", "--end", "2026-01-01"], "the end date 2026-01-01 is before"),
        (["summary", "--rolling", "0"], "0 is not in the range"),
        (["summary", "--account", "nobody"], "no account 'nobody'"),
        (["summry"], "No such command 'summry'"),
        (["import"], "Missing argument"),
        (["import", "x.csv", "--timezone", "Mars"], "--timezone 'Mars' is no known zone"),
        (["explain", "profits"], "'profits' is not one of"),
        (["alerts", "ack", "none", "--by", "me"], "no alert 'none'"),
    ],
)
def test_wrong_use_is_64_and_never_2(shell: Shell, arguments: list[str], words: str) -> None:
    assert shell(*arguments) == 64
    assert words in shell.err


def test_bad_data_and_settings_are_65(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell("import", "none.csv") == 65
    assert "none.csv cannot be read: No such file or directory" in shell.err
    assert shell("import", ".") == 65
    shell.place.write("empty.csv", "")
    assert shell("import", "empty.csv") == 65
    assert "empty.csv is empty" in shell.err
    shell.place.write("odd.csv", "a,b\n1,2\n")
    assert shell("import", "odd.csv") == 65
    assert "no layout fits its header: a, b" in shell.err
    shell.place.write("bad.csv", fills_csv(["A,AAPL,2026-03-02T10:00:00Z,buy,1,abc,0,1"]))
    assert shell("import", "bad.csv") == 65
    assert "0 new, 0 known, 1 rejected" in shell.out
    shell.place.targets(win_rate_target=160)
    assert shell("summary") == 65
    monkeypatch.setenv("TEARSHEET_CURRENCY", "$")
    assert shell("summary") == 65
    assert "environment variable TEARSHEET_CURRENCY is '$'" in shell.err


def test_a_ledger_that_cannot_be_used_is_75(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.place.write("text.db", "this is no database, but long enough to be looked at" * 30)
    monkeypatch.setenv("DATABASE_URL", "text.db")
    assert shell("summary") == 75
    assert "is not a SQLite database" in shell.err
    monkeypatch.setenv("DATABASE_URL", ".")
    assert shell("summary") == 75


def test_every_error_has_an_exit_code() -> None:
    classes = {
        c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.TearsheetError)
    }
    assert set(EXIT_CODES) == classes
    assert len(classes) <= 16
    assert cli.EXIT_BREACH not in EXIT_CODES.values()
    assert len({c.code for c in classes}) == len(classes)


def test_import_explain_positions_and_rejections(shell: Shell) -> None:
    rows = [
        f"A,AAPL,{(NOW - timedelta(seconds=9 - n)).isoformat()},{side},{q},{p},0.5,E{n}"
        for n, (side, q, p) in enumerate([("buy", 2, "10.10"), ("sell", 3, "11"), ("hold", 1, 1)])
    ]
    shell.place.write("fills.csv", fills_csv(rows))
    assert shell("import", "fills.csv") == 0
    assert "2 new, 0 known, 1 rejected" in shell.out
    assert "fills.csv:4  bad_side" in shell.out
    assert shell("import", "fills.csv") == 0
    assert "0 new, 2 known, 1 rejected" in shell.out
    assert shell("rejections") == 0
    assert shell.out.count("bad_side") == 1
    assert shell("explain", "net_pnl") == 0
    assert "sum of 3 bookings: 0.8 = the value" in shell.out
    assert "fills.csv:3" in shell.out
    assert shell("explain", "win_rate", "-n", "0") == 0
    assert "sum of 1 positions: 0.966666666667" in shell.out
    assert shell("explain", "fees", "--json") == 0
    assert json.loads(shell.out)["total"] == 1
    assert shell("positions") == 0
    assert "long" in shell.out
    assert shell("positions", "--open") == 0
    assert "open          A        AAPL    short         1" in shell.out
    assert shell("positions", "--json") == 0
    assert json.loads(shell.out)[0]["quantity"] == 2
    assert shell("accounts") == 0
    assert shell.out == "A\n"
    assert shell("rejections", "--json") == 0
    assert json.loads(shell.out)[0]["line"] == 4
    assert shell("verify") == 0
    assert "agrees" in shell.out


def test_a_complete_import_read_again_changes_nothing(shell: Shell) -> None:
    shell.place.write("fills.csv", fills_csv([f"A,AAPL,{NOW.isoformat()},buy,1,10,0,1"]))
    shell("import", "fills.csv")
    assert shell("import", "fills.csv") == 0
    assert "already imported, nothing changed (1 fills)" in shell.out
    shell.place.write(
        "copy.csv",
        fills_csv([f"A,AAPL,{NOW.isoformat()},buy,1,10,0,1", f"A,AAPL,{NOW.isoformat()},buy,1,12,0,2"]),
    )
    shell("import", "copy.csv")
    assert "1 new, 1 known, 0 rejected" in shell.out
    shell.place.write("conflict.csv", fills_csv([f"A,AAPL,{NOW.isoformat()},buy,1,99,0,1"]))
    shell("import", "conflict.csv")
    assert "0 new, 0 known, 1 rejected" in shell.out
    assert "execution 1 of account A was read before as AAPL BUY 1 @ 10 fee 0" in shell.out


def test_verify_says_what_differs(shell: Shell) -> None:
    trade(shell.place, "10")
    shell("sync")
    with shell.place.tracker() as tracker:
        tracker.ledger.connection.execute("UPDATE position SET gross = '999'")
    assert shell("verify") == 65
    assert "DIFFERS  position" in shell.out


def test_formats_are_listed(shell: Shell) -> None:
    assert shell("formats") == 0
    for name in ("ninjatrader_executions", "generic_fills", "generic_fills_jsonl", "trade_log"):
        assert name in shell.out


def test_help_is_there_for_every_command(shell: Shell) -> None:
    assert shell("--help") == 0
    for command in cli.COMMANDS:
        assert f"  {command} " in shell.out
        assert shell(command, "--help") == 0
        assert "Usage:" in shell.out
        shell("--help")
    assert shell("--version") == 0


def test_verbose_and_json_logs(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    trade(shell.place, "10")
    monkeypatch.setenv("TEARSHEET_LOG_FORMAT", "json")
    assert shell("-v", "summary") == 0
    events = {line["event"]: line for line in map(json.loads, shell.err.splitlines())}
    assert {"tearsheet.sync", "tearsheet.summary", "tearsheet.alerts"} <= set(events)
    assert events["tearsheet.sync"]["cache_misses"] == 1
    assert events["tearsheet.summary"]["trades"] == 1
    assert all(
        "duration_ms" in events[name] for name in ("tearsheet.sync", "tearsheet.summary", "tearsheet.alerts")
    )
    assert shell("-v", "summary") == 0
    again = next(
        line for line in map(json.loads, shell.err.splitlines()) if line["event"] == "tearsheet.sync"
    )
    assert (again["cache_hits"], again["cache_misses"]) == (1, 0)


def test_logging_to_a_file_rotates(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEARSHEET_LOG_FILE", "run/tearsheet.log")
    monkeypatch.setenv("TEARSHEET_LOG_FILE_MAX_BYTES", "10000")
    monkeypatch.setenv("TEARSHEET_LOG_FILE_KEEP", "2")
    for _ in range(40):
        assert shell("summary") == 0
    names = sorted(path.name for path in Path("run").iterdir())
    assert names == ["tearsheet.log", "tearsheet.log.1", "tearsheet.log.2"]
    assert all(
        json.loads(line)["level"] == "INFO" for line in Path("run/tearsheet.log").read_text().splitlines()
    )
    monkeypatch.setenv("TEARSHEET_LOG_FILE", "run")
    assert shell("summary") == 65
    assert "TEARSHEET_LOG_FILE names" in shell.err


def test_an_internal_error_is_70_and_says_where(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("tearsheet.cli.summary.window_from_options", broken)
    assert shell("summary") == 70
    assert "internal error: ZeroDivisionError: oops" in shell.err
    assert "Traceback" in shell.err


def test_the_reader_may_go_away(place: Place) -> None:
    trade(place, "10")
    command = f"{sys.executable} -c 'from tearsheet.cli import run; run()' summary | head -1"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=place.folder, capture_output=True, text=True, check=False
    )
    assert "daily" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_demo_shows_the_whole_job(shell: Shell) -> None:
    assert shell("demo", "here") == 0
    for words in (
        "1 rejected line",
        "1 new fills",
        "FUT-1",
        "EQ-1",
        "row by row",
        "agrees",
        "tearsheet alerts",
        "RAISED",
        "EQ-1 · ",
        "max_drawdown",
        "tearsheet verdict",
        "MIX-1: 7647.61 EUR agrees with its broker's 7647.61",
        "MIX-1: 2556.226 USDT agrees with its broker's 2556.226",
    ):
        assert words in shell.out, words
    assert "UNKNOWN" not in shell.out
    first = shell.out
    assert shell("demo", "here") == 0
    # but for the ages of what was heard, which grow
    again, before = (re.sub(r", \S+ \S+ ago", "", text).splitlines()[:20] for text in (shell.out, first))
    assert again == before
    shell.place.write("mine/file", "x")
    assert shell("demo", "mine") == 64
    assert "was not made by `tearsheet demo`" in shell.err
    assert (shell.place.folder / "mine/file").exists()


def test_without_a_chromium_a_pdf_is_refused_before_any_work(
    shell: Shell, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEARSHEET_CHROMIUM", str(place.folder / "nope"))
    assert shell("summary", "--export", "--format", "pdf") == 65
    assert "PDF is printed by Chromium or Chrome" in shell.err
    assert "--format html" in shell.err
    assert not (place.folder / "logs/performance").exists()
