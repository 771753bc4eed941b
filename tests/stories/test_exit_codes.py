"""What a scheduler learns: one judgment of targets, limits and completeness behind every exit code and file.

Kind of fault: a command says 0, or a file says "Alerts: None", while a limit is breached, unknown, or rows are missing.
"""

import subprocess
import sys
from datetime import date, timedelta

import pytest

from tearsheet.cli import main
from tests.support.place import NOON, TOP, Place, record

TODAY = NOON.date().isoformat()
LIMITS = "limits:\n  default: {daily_loss: 500, stale_after: null}\n"
JUDGES = (["summary"], ["summary", "--window", "weekly"], ["summary", "--json"], ["check"])


@pytest.fixture
def here(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place to run commands in, at noon of its day."""
    monkeypatch.chdir(place.folder)

    class Clock:
        @staticmethod
        def now(tz: object = None) -> object:
            return place.now

    monkeypatch.setattr("tearsheet.app.context.datetime", Clock)
    return place


def week_without_gaps(place: Place, net: str) -> None:
    """A record on each weekday up to today, the last with this result."""
    for ago in range(4, 0, -1):
        day = NOON - timedelta(days=ago)
        place.log(day.date().isoformat(), record(at=day, net="1", order_id=f"{ago}"))
    place.log(TODAY, record(at=NOON - timedelta(minutes=20), net=net, order_id="0"))


@pytest.mark.parametrize("command", JUDGES, ids=" ".join)
def test_a_breached_limit_is_2(here: Place, command: list[str]) -> None:
    here.write("config/dashboard-targets.yaml", LIMITS)
    week_without_gaps(here, "-600")
    assert main(command) == 2


@pytest.mark.parametrize("command", JUDGES, ids=" ".join)
def test_a_limit_that_is_kept_is_0(here: Place, command: list[str]) -> None:
    here.write("config/dashboard-targets.yaml", LIMITS)
    week_without_gaps(here, "-400")
    assert main(command) == 0


def test_the_exported_files_list_the_breach(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    here.write("config/dashboard-targets.yaml", LIMITS)
    week_without_gaps(here, "-600")
    assert main(["summary", "--export"]) == 2
    assert "daily loss" in capsys.readouterr().out.lower().replace("_", " ")
    text = next((here.folder / "logs/performance").glob("daily-summary-*.md")).read_text("utf-8")
    alerts = text.partition("## Alerts")[2].partition("\n## ")[0].replace("_", " ").replace("\\", "")
    assert "daily loss" in alerts.lower()


@pytest.mark.parametrize("command", JUDGES, ids=" ".join)
def test_a_limit_that_cannot_be_judged_is_75(here: Place, command: list[str]) -> None:
    here.write("config/dashboard-targets.yaml", LIMITS)
    week_without_gaps(here, "-400")
    here.log(TODAY, "{broken", mode="a")
    assert main(command) == 75


def test_missing_days_and_rejected_lines_are_75_unless_they_are_allowed(
    here: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    here.log(TODAY, record(at=NOON, net="5"), "{broken")
    for command in JUDGES:
        assert main(command) == 75
        assert main([*command, "--allow-partial"]) == 0
    capsys.readouterr()
    assert main(["check"]) == 75
    assert "rejected_lines" in capsys.readouterr().out


def test_a_missed_target_beats_a_doubt(here: Place) -> None:
    here.targets(daily_pl_target=100)
    here.log(TODAY, record(at=NOON, net="-5"), "{broken")
    assert main(["check", "--allow-partial"]) in (0, 2)  # the day is not over
    here.now = NOON + timedelta(days=1)
    assert main(["check", "--start", TODAY, "--end", TODAY]) == 2


def test_the_bot_s_address_says_the_same(here: Place) -> None:
    """`python -m trading_bot.performance` runs on the real clock, so the loss is today's."""
    here.write(
        "config/dashboard-targets.yaml", "limits:\n  default: {max_drawdown: 500, stale_after: null}\n"
    )
    day = date(2026, 11, 19)
    here.log(day.isoformat(), record(at=NOON - timedelta(days=1), net="-600"))
    command = [sys.executable, "-m", "trading_bot.performance", "--allow-partial"]
    env = {"PYTHONPATH": str(TOP / "src"), "PATH": ""}
    done = subprocess.run(command, cwd=here.folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
