"""The jobs of docs/scheduling.md: each file is what its scheduler reads, and each command does what the page says."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import compose_spec
import pytest
import yaml

from tearsheet.cli import main
from tests.support.place import TOP, Place

EXAMPLES = TOP / "examples" / "scheduling"
PAGE = (TOP / "docs" / "scheduling.md").read_text()
_WINDOWS = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
#: Ranges of cron's five fields.
_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def cron_lines() -> list[str]:
    lines = (EXAMPLES / "crontab").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#") and "=" not in line.split()[0]]


def commands() -> list[list[str]]:
    """The arguments of every job."""
    found = [line.partition("&& tearsheet ")[2] for line in cron_lines()]
    service = (EXAMPLES / "tearsheet-check.service").read_text()
    found += re.findall(r"^ExecStart=/usr/bin/env tearsheet (.*)$", service, re.MULTILINE)
    task = ElementTree.parse(EXAMPLES / "tearsheet-check.xml")
    found += [node.text or "" for node in task.findall(".//t:Exec/t:Arguments", _WINDOWS)]
    found += re.findall(r"tearsheet (check [^|]*?) \|\|", (EXAMPLES / "compose.yaml").read_text())
    return list(map(shlex.split, found))


def test_each_scheduler_has_its_job() -> None:
    assert len(commands()) == 6
    assert all("--last" in command for command in commands())


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_job_judges_the_finished_window(
    command: list[str], place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A losing trade of yesterday, one of last week and one of last month; none of today."""
    monkeypatch.setattr("tearsheet.tracker.PerformanceTracker.now", property(lambda tracker: place.now))
    monkeypatch.chdir(place.folder)
    rows = [
        f"A,AAPL,2026-{day}T15:0{minute}:00Z,{side},1,{10 - minute},0"
        for day in ("10-15", "11-12", "11-19")
        for minute, side in enumerate(("buy", "sell"))
    ]
    place.write("fills.csv", "\n".join(("account,symbol,time,side,quantity,price,commission", *rows)) + "\n")
    assert main(["import", "fills.csv"]) == 0
    assert main(command) == 0
    capsys.readouterr()
    place.write("config/dashboard-targets.yaml", "max_drawdown_target: -0.5\n")
    assert main(command) == 2
    assert "drawdown" in capsys.readouterr().out.lower()


def test_the_lines_for_cron_have_five_fields_in_range_and_stand_on_the_page() -> None:
    assert len(cron_lines()) == 3
    for line in cron_lines():
        assert line in PAGE
        for field, (lowest, highest) in zip(line.split()[:5], _FIELDS, strict=True):
            assert re.fullmatch(r"\*|\d+(-\d+)?", field)
            assert all(lowest <= int(number) <= highest for number in re.findall(r"\d+", field))


def test_the_units_are_valid(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    names = ("tearsheet-check.service", "tearsheet-check.timer")
    for name in names:
        text = (EXAMPLES / name).read_text().replace("/srv/trading", "/tmp")
        (tmp_path / name).write_text(text)
        assert f"[{'Service' if name.endswith('service') else 'Timer'}]" in text
    if verify is None:
        pytest.skip("NO SYSTEMD: the units were only read, `systemd-analyze verify` is not on this machine")
    done = subprocess.run(
        [verify, "verify", *(tmp_path / name for name in names)], capture_output=True, text=True
    )
    said = [line for line in done.stderr.splitlines() if "tearsheet-check" in line]
    assert (done.returncode, said) == (0, [])
    when = re.search(r"^OnCalendar=(.*)$", (EXAMPLES / names[1]).read_text(), re.MULTILINE)
    assert when is not None
    calendar = subprocess.run([verify, "calendar", when[1]], capture_output=True, text=True, check=False)
    assert calendar.returncode == 0, calendar.stderr


def test_the_windows_task_names_five_days_and_one_program() -> None:
    task = ElementTree.parse(EXAMPLES / "tearsheet-check.xml")
    days = [node.tag.partition("}")[2] for node in task.findall(".//t:DaysOfWeek/*", _WINDOWS)]
    assert days == ["Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    assert [node.text for node in task.findall(".//t:Exec/t:Command", _WINDOWS)] == ["tearsheet.exe"]


def test_the_nightly_container_is_valid_and_its_shell_parses() -> None:
    text = (EXAMPLES / "compose.yaml").read_text()
    compose_spec.PyCompose.from_yaml(text).validate()
    (script,) = yaml.safe_load(text)["services"]["nightly"]["command"]
    subprocess.run(["sh", "-n", "-c", script.replace("$$", "$")], check=True)
