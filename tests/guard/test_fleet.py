"""`tearsheet guard` of many accounts: one process, one run for each breach and account, whatever is killed."""

import json
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tearsheet.guard.client import Response
from tearsheet.guard.shared_verdicts import split_verdicts
from tearsheet.guard.verdict import UntrustedResponseError
from tests.support.place import Place, record
from tests.support.processes import Running, until
from tests.support.redis_server import free_port
from tests.support.risk_service import OtherSide

BREACH = "0123456789abcdef"


class Fleet:
    """A place with a command that notes each run, and guards of many accounts that may be started in it."""

    def __init__(self, place: Place, side: OtherSide) -> None:
        self.place, self.side = place, side
        self.ran = place.folder / "ran"
        self._file = place.write(
            "command.py",
            "import os, sys\n"
            "say = os.environ['TEARSHEET_VERDICT_ACCOUNT'] + ' ' + os.environ['TEARSHEET_VERDICT_KEY']\n"
            f"open({str(self.ran)!r}, 'a').write(say + '\\n')\n"
            f"sys.exit(os.path.exists({str(place.folder / 'fails')!r}))\n",
        )

    def start(self, *words: str, policy: str = "hold", url: str = "") -> Running:
        """A guard that asks quickly."""
        options = {
            "--url": url or self.side.url,
            "--on-breach": f"'{sys.executable}' '{self._file}'",
            "--on-unknown": policy,
            "--every": "0.2",
            "--timeout": "2",
        }
        return Running(self.place, "guard", *(word for pair in options.items() for word in pair), *words)

    @property
    def runs(self) -> list[str]:
        """Account and breach of each run of the command."""
        return self.ran.read_text().splitlines() if self.ran.exists() else []

    def state(self, account: str) -> dict[str, Any]:
        """What the guard of an account must not forget."""
        found: dict[str, Any] = json.loads((self.place.folder / f"logs/guard/{account}.json").read_text())
        return found

    def decisions(self, account: str, *wanted: str) -> list[dict[str, Any]]:
        """The decisions on an account so far."""
        file = self.place.folder / f"logs/guard/{account}.audit.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [found for found in map(json.loads, lines) if found["decision"] in wanted]


@pytest.fixture
def fleet(place: Place) -> Iterator[Fleet]:
    """A place before a service that judges three accounts, all within their limits."""
    with OtherSide() as side:
        for account in ("A", "B", "C"):
            side.judges(account)
        yield Fleet(place, side)


def test_one_process_guards_the_accounts_that_it_is_given(fleet: Fleet) -> None:
    with fleet.start("--account", "A", "-a", "B", "-a", "A") as guard:
        until(lambda: fleet.decisions("A", "none") and fleet.decisions("B", "none"), why=lambda: guard.said)
        fleet.side.judges("C", "breach", "of C")  # nobody asked to guard it
        fleet.side.judges("B", "breach", BREACH)
        until(lambda: fleet.runs == [f"B {BREACH}"], why=lambda: guard.said)
        fleet.side.judges("A", "breach", BREACH)  # the same id, but another account
        until(lambda: len(fleet.runs) == 2, why=lambda: guard.said)
        until(lambda: len(fleet.decisions("A", "known")) > 2)
        assert guard.end() == 0
    assert sorted(fleet.runs) == [f"A {BREACH}", f"B {BREACH}"]
    assert fleet.side.asked == []  # every question was for all accounts
    assert not (fleet.place.folder / "logs/guard/C.json").exists()
    known = len(fleet.decisions("B", "known"))
    with fleet.start("--account", "A", "--account", "B") as guard:
        until(lambda: len(fleet.decisions("A", "began")) == 2, why=lambda: guard.said)
        until(lambda: len(fleet.decisions("B", "known")) > known, why=lambda: guard.said)
        assert guard.end() == 0
    assert len(fleet.runs) == 2


def test_one_question_serves_all_guards_that_ask_together(fleet: Fleet) -> None:
    for number in range(40):
        fleet.side.judges(f"N{number}")
    with fleet.start("--all", "--every", "2") as guard:
        until(
            lambda: all(len(fleet.decisions(f"N{n}", "none")) > 1 for n in range(40)), why=lambda: guard.said
        )
        assert guard.end() == 0
    assert fleet.side.asked_for_all <= 8


def test_all_means_those_that_come_later_too_and_those_that_were_there_before(fleet: Fleet) -> None:
    with fleet.start("--all") as guard:
        until(lambda: fleet.decisions("C", "none"), why=lambda: guard.said)
        fleet.side.judges("new one/..", "breach", BREACH)
        until(lambda: fleet.runs == [f"new one/.. {BREACH}"], why=lambda: guard.said)
        assert guard.end() == 0
    # the service is gone when the guard starts again: each account that it knew is acted on, once
    nowhere = f"http://127.0.0.1:{free_port()}"
    with fleet.start("--all", "--dead-after", "0.5", policy="breach", url=nowhere) as guard:
        until(lambda: len(fleet.runs) == 5, why=lambda: guard.said)
        until(lambda: len(fleet.decisions("A", "dead_known")) > 1, why=lambda: guard.said)
        assert guard.end() == 0
    silent = Counter(run.rpartition(" silence ")[0] for run in fleet.runs[1:])
    assert silent == {"A": 1, "B": 1, "C": 1, "new one/..": 1}


def test_an_account_that_is_not_judged_any_more_is_silence(fleet: Fleet) -> None:
    with fleet.start("--account", "A", "--account", "gone", "--dead-after", "0.4", policy="breach") as guard:
        until(lambda: fleet.runs, why=lambda: guard.said)
        assert guard.end() == 0
    (run,) = fleet.runs
    assert run.startswith("gone silence ")
    assert fleet.decisions("gone", "hold")[0]["words"].startswith("not_answered: ")
    assert fleet.decisions("A", "dead_act", "hold") == []


def test_killed_at_any_moment_no_command_runs_twice_and_none_is_lost(fleet: Fleet) -> None:
    for number in range(6):
        for account in ("A", "B", "C"):
            fleet.side.judges(account, "breach", *[f"b{n}" for n in range(number + 1)], sequence=7 + number)
        with fleet.start("--all") as guard:
            looks = fleet.side.asked_for_all
            until(lambda seen=looks: fleet.side.asked_for_all > seen, why=lambda g=guard: g.said)  # type: ignore[misc]
            until(lambda: fleet.runs)
            guard.end(signal.SIGKILL)
    with fleet.start("--all", "--once") as guard:
        assert guard.process.wait(60) in (2, 76), guard.said
    assert [run for run, times in Counter(fleet.runs).items() if times > 1] == []
    for account in ("A", "B", "C"):
        acts = fleet.state(account)["acts"]
        assert set(acts) == {f"b{n}" for n in range(6)}
        unsure = {f"{account} {key}" for key, act in acts.items() if act["standing"] == "unsure"}
        ran = {run for run in fleet.runs if run.startswith(f"{account} ")}
        assert ran | unsure == {f"{account} {key}" for key in acts}


def test_a_command_that_was_not_confirmed_runs_again_after_a_restart(fleet: Fleet) -> None:
    (fails := fleet.place.folder / "fails").touch()
    fleet.side.judges("A", "breach", BREACH)
    with fleet.start("--all") as guard:
        until(lambda: fleet.decisions("A", "failed"), why=lambda: guard.said)
        guard.end(signal.SIGKILL)
    fails.unlink()
    with fleet.start("--all") as guard:
        until(lambda: fleet.decisions("A", "done"), why=lambda: guard.said)
        assert guard.end() == 0
    assert fleet.state("A")["acts"][BREACH]["standing"] == "done"


def test_a_hanging_command_of_one_account_does_not_hold_up_another(fleet: Fleet) -> None:
    slow = fleet.place.write(
        "slow.py", "import os, time\ntime.sleep(60 * (os.environ['TEARSHEET_VERDICT_ACCOUNT'] == 'A'))\n"
    )
    fleet.side.judges("A", "breach", "slow")
    fleet.side.judges("B", "breach", "quick")
    with fleet.start(
        "--all", "--command-timeout", "4", "--on-breach", f"'{sys.executable}' '{slow}'"
    ) as guard:
        until(lambda: fleet.decisions("B", "done"), why=lambda: guard.said)
        assert fleet.decisions("A", "unsure") == []
        until(lambda: fleet.decisions("A", "unsure"), why=lambda: guard.said)
        assert guard.end() == 76


@pytest.mark.parametrize(
    ("judged", "code"),
    [({}, 0), ({"A": "warn"}, 0), ({"A": "unknown"}, 69), ({"A": "unknown", "B": "breach"}, 2), (None, 69)],
)
def test_one_look_at_all_says_the_worst_by_its_code(
    fleet: Fleet, judged: dict[str, str] | None, code: int
) -> None:
    if judged is None:
        fleet.side.accounts = {}  # no account has limits: nothing is known to be well
    for account, state in (judged or {}).items():
        fleet.side.judges(account, state, *([BREACH] if state == "breach" else []))
    with fleet.start("--all", "--once") as guard:
        assert guard.process.wait(60) == code, guard.said


@pytest.mark.parametrize(
    "lie", [b"{half", b"[]", b'{"status": "success", "data": {}}', b'{"status": "error", "data": null}']
)
def test_an_answer_that_is_no_list_of_verdicts_is_not_believed(lie: bytes) -> None:
    with pytest.raises(UntrustedResponseError, match=r"no_json|wrong_shape"):
        split_verdicts(Response(lie, None))


def test_state_files_are_in_a_folder_and_each_has_one_guard(fleet: Fleet, tmp_path: Path) -> None:
    folder = tmp_path / "states"
    audit = tmp_path / "audit.jsonl"
    words = ("--account", "A", "--account", "B", "--state", str(folder), "--audit", str(audit))
    with fleet.start(*words) as guard:
        until(lambda: (folder / "B.json").exists() and audit.exists() and '"B"' in audit.read_text())
        with fleet.start("--account", "B", "--state", str(folder / "B.json")) as second:
            assert second.process.wait(60) == 75
            assert "another guard is using" in second.said
        assert guard.end() == 0
    assert {json.loads(line)["account"] for line in audit.read_text().splitlines()} == {"A", "B"}
    (folder / "B.json").write_text("{half")
    with fleet.start("--all", "--state", str(folder)) as guard:
        assert guard.process.wait(60) == 65
        assert "check the account manually" in guard.said


@pytest.mark.parametrize("words", [(), ("--all", "--account", "A")])
def test_it_must_be_said_which_accounts(fleet: Fleet, words: tuple[str, ...]) -> None:
    with fleet.start(*words) as guard:
        assert guard.process.wait(60) == 64
        assert "--account, or all of them with --all" in guard.said


def test_the_verdicts_of_the_service_are_understood(place: Place) -> None:
    place.write("config/dashboard-targets.yaml", "limits:\n  default: {daily_loss: 100, stale_after: null}\n")
    ran = place.folder / "ran"
    note = f"import os; open({str(ran)!r}, 'a').write(os.environ['TEARSHEET_VERDICT_ACCOUNT'] + '\\n')"
    place.write("flatten.py", note)
    port = free_port()
    with Running(place, "serve", "--port", str(port), "--workers", "1") as server:
        guards = ("--url", f"http://127.0.0.1:{port}", "--all", "--on-unknown", "hold", "--every", "0.3")
        with Running(place, "guard", *guards, "--on-breach", f"{sys.executable} flatten.py") as guard:
            at = datetime.now(UTC) - timedelta(seconds=1)
            lost = {"A": "-150", "B": "-20", "C": "-101"}
            lines = [
                record(order_id=name, at=at, held=0, net=net, account_id=name) for name, net in lost.items()
            ]
            place.log(f"{at:%Y-%m-%d}", *lines)
            until(
                lambda: ran.exists() and len(ran.read_text().split()) == 2,
                why=lambda: guard.said + server.said,
            )
            assert guard.end() == 0
        assert server.end() == 0
    assert sorted(ran.read_text().split()) == ["A", "C"]
