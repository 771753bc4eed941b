"""`tearsheet guard` before a service that is well, broken, slow or lying: real processes, real HTTP."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.place import Place
from tests.support.processes import Running, until
from tests.support.risk_service import CERTIFICATE, Conversation, OtherSide, drip, nothing, verdict

QUICK = ("--every", "0.2", "--timeout", "1")


class Guarded:
    """A place with a command that notes each run, and guards that may be started in it."""

    def __init__(self, place: Place, script: str = "") -> None:
        self.place = place
        self.ran = place.folder / "ran.jsonl"
        note = (
            "import json, os, sys, time\n"
            "said = {k: v for k, v in os.environ.items() if k.startswith('TEARSHEET_')}\n"
            f"open({str(self.ran)!r}, 'a').write(json.dumps([sys.argv[1:], said]) + '\\n')\n"
        )
        self._file = place.write("command.py", note + script)

    def guard(self, side: OtherSide, *words: str, policy: str = "hold", **env: str) -> Running:
        """A guard of account A that asks quickly."""
        command = f"'{sys.executable}' '{self._file}' 'two words' $HOME"
        told = {"--url": side.url, "--account": "A", "--on-breach": command, "--on-unknown": policy}
        given = [word for pair in told.items() for word in pair]
        return Running(self.place, "guard", *given, *QUICK, *words, **env)

    @property
    def runs(self) -> list[Any]:
        """Arguments and variables of each run of the command."""
        lines = self.ran.read_text().splitlines() if self.ran.exists() else []
        return [json.loads(line) for line in lines]

    def audit(self, decision: str) -> list[dict[str, Any]]:
        """The decisions of a kind."""
        file = self.place.folder / "logs" / "guard" / "A.audit.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [found for found in map(json.loads, lines) if found["decision"] == decision]

    def waits_for(self, decision: str, number: int = 1) -> dict[str, Any]:
        """The n-th decision of a kind."""
        found = until(
            lambda: self.audit(decision)[number - 1 :],
            why=lambda: (self.place.folder / "logs/guard/A.audit.jsonl").read_text(),
        )
        return dict(found[0])


@pytest.fixture
def guarded(place: Place) -> Guarded:
    """A place with a command that succeeds."""
    return Guarded(place)


def test_a_breach_is_acted_on_once_and_the_next_one_again(guarded: Guarded) -> None:
    with OtherSide() as side:
        with guarded.guard(side) as guard:
            guarded.waits_for("none")
            side.says("warn")
            guarded.waits_for("none", 3)
            assert guarded.runs == []
            side.says("breach", "one")
            assert guarded.waits_for("done")["key"] == "one"
            guarded.waits_for("known", 3)
            side.says("breach", "one", "two", sequence=8)
            guarded.waits_for("done", 2)
            guarded.waits_for("known", 5)
            assert guard.end() == 0
        with guarded.guard(side) as guard:  # another one goes on from what this one knew
            guarded.waits_for("known", 8)
            assert guard.end(signal.SIGINT) == 0
    assert [said["TEARSHEET_VERDICT_KEY"] for _, said in guarded.runs] == ["one", "two"]
    words, said = guarded.runs[0]
    assert words == ["two words", "$HOME"]  # no shell was near it
    assert said == {
        "TEARSHEET_VERDICT_ACCOUNT": "A",
        "TEARSHEET_VERDICT_KEY": "one",
        "TEARSHEET_VERDICT_CAUSE": "breach",
        "TEARSHEET_VERDICT_STATE": "breach",
        "TEARSHEET_VERDICT_REASONS": "breach",
        "TEARSHEET_VERDICT_TRADING_DAY": "2026-11-20",
        "TEARSHEET_VERDICT_SEQUENCE": "7",
        "TEARSHEET_VERDICT_AS_OF": said["TEARSHEET_VERDICT_AS_OF"],
        "TEARSHEET_VERDICT_LIMIT": "daily_loss",
        "TEARSHEET_VERDICT_VALUE": "-510.5",
        "TEARSHEET_VERDICT_THRESHOLD": "500",
        "TEARSHEET_VERDICT_ATTEMPT": "1",
    }


def with_data(**fields: Any) -> Callable[[Conversation], None]:
    """Answers a verdict with other fields."""
    return lambda talk: talk.answer(verdict(**fields))


LIES: dict[str, tuple[str, Callable[[Conversation], None]]] = {
    "an hour old": ("stale_answer", with_data(ago=3600)),
    "of the future": ("clock_skew", with_data(ago=-3600)),
    "an earlier sequence": ("sequence_back", with_data(sequence=3)),
    "as_of goes back": ("as_of_back", with_data(ago=10)),
    "another account": ("other_account", with_data(account="B")),
    "ok, but flat": ("contradiction", with_data(must_be_flat=True)),
    "ok, but broken": ("contradiction", lambda t: t.answer(verdict("ok", "x"))),
    "a breach of nothing": ("contradiction", with_data(state="breach")),
    "ok with a limit in doubt": ("contradiction", with_data(limits=[{"level": "unknown"}])),
    "another schema": ("wrong_shape", with_data(schema="tearsheet.verdict/9")),
    "a state of its own": ("wrong_shape", with_data(state="fine")),
    "true as text": ("wrong_shape", with_data(must_be_flat="false")),
    "no zone": ("wrong_shape", with_data(as_of="2026-11-20T12:00:00")),
    "true as a number": ("wrong_shape", with_data(sequence=True)),
    "a list": ("wrong_shape", lambda t: t.answer([])),
    "old data": ("stale_data", with_data(data_age_s=900)),
    "data of no age": ("stale_data", with_data(data_age_s=None)),
    "an age that is no number": ("stale_data", with_data(data_age_s=float("nan"))),
    "no JSON": ("no_json", lambda t: t.answer(b"<html>welcome</html>")),
    "nothing": ("no_json", lambda t: t.answer(b"")),
    "half of it": ("not_whole", lambda t: t.answer(verdict(), cut=20)),
    "less than announced": ("not_whole", lambda t: t.answer(verdict(), more=20)),
    "an error": ("not_answered", lambda t: t.answer(verdict(), 503)),
    "a redirect": ("not_answered", lambda t: t.answer(b"", 302, Location="http://localhost:1/")),
    "not modified": ("not_answered", lambda t: t.answer(b"", 304)),
    "no HTTP": ("no_answer", lambda t: t.wfile.write(b"hello\r\n\r\n") and None),
    "no end": ("no_answer", drip),
    "no word": ("no_answer", nothing),
}


def test_no_lie_is_believed_and_each_is_told_apart(guarded: Guarded) -> None:
    """Each is held through; after each an honest answer is believed again."""
    with OtherSide() as side, guarded.guard(side, "--max-data-age", "600", policy="breach") as guard:
        for number, (code, lie) in enumerate(LIES.values(), 1):
            side.says(sequence=7)
            honest = len(guarded.audit("none"))
            guarded.waits_for("none", honest + 1)
            held = len(guarded.audit("hold"))
            side.say = lie
            words = guarded.waits_for("hold", held + 1)["words"]
            assert words.startswith(f"{code}: "), (list(LIES)[number - 1], words)
        assert guard.end() == 0
    assert guarded.runs == []


def test_one_name_for_two_states_is_noticed(guarded: Guarded) -> None:
    with OtherSide() as side, guarded.guard(side):
        side.say = lambda talk: talk.answer(verdict(sequence=7), ETag='W/"a"')
        guarded.waits_for("none")
        side.say = lambda talk: talk.answer(verdict(sequence=8), ETag='W/"a"')
        assert guarded.waits_for("hold")["words"].startswith("etag_misuse: ")


def test_silence_is_acted_on_once_if_told_so(guarded: Guarded) -> None:
    side = OtherSide()
    with guarded.guard(side, "--dead-after", "1", policy="breach") as guard:
        with side:
            guarded.waits_for("none")
        guarded.waits_for("hold")
        assert guarded.waits_for("done")["key"].startswith("silence ")
        guarded.waits_for("dead_known", 3)
        guard.end(signal.SIGKILL)
    with guarded.guard(side, "--dead-after", "1", policy="breach") as guard:
        # the silence went on, so it is the same, and was acted on
        guarded.waits_for("dead_known", 6)
        assert guard.end() == 0
    assert len(guarded.runs) == 1
    assert guarded.runs[0][1]["TEARSHEET_VERDICT_CAUSE"] == "silence"
    assert guarded.runs[0][1]["TEARSHEET_VERDICT_REASONS"] == "no_answer"


def test_unknown_is_held_through_but_for_a_policy_of_the_service(guarded: Guarded) -> None:
    with OtherSide() as side, guarded.guard(side, "--dead-after", "0.5") as guard:
        reasons = [{"code": "stale_feed"}]
        side.says("unknown", reasons=reasons)
        assert "stale_feed" in guarded.waits_for("dead_hold", 2)["words"]
        assert guarded.runs == []
        side.says("unknown", reasons=reasons, must_be_flat=True, policy="breach")
        assert guarded.waits_for("done")["key"].startswith("unknown ")
        guarded.waits_for("known", 2)
        side.says("unknown", reasons=reasons)
        guarded.waits_for("hold")
        side.says("unknown", reasons=reasons, must_be_flat=True, policy="breach")
        guarded.waits_for("known", 5)
        assert len(guarded.runs) == 1  # in all that time nobody knew better
        side.says()
        guarded.waits_for("none")
        side.says("unknown", reasons=reasons, must_be_flat=True, policy="breach")
        guarded.waits_for("done", 2)
        assert guard.end() == 0


def test_a_command_that_fails_is_tried_again_and_given_up(place: Place) -> None:
    flaky = Guarded(place, "sys.exit(0 if len(open(__file__ + '.n', 'a+').read()) else 3)\n")
    with OtherSide() as side, flaky.guard(side, "--retries", "1") as guard:
        side.says("breach", "one")
        assert flaky.waits_for("failed")["exit_code"] == 3
        assert flaky.waits_for("gave_up")["attempt"] == 2
        flaky.waits_for("known", 3)
        assert guard.end() == 76
    assert [said["TEARSHEET_VERDICT_ATTEMPT"] for _, said in flaky.runs] == ["1", "2"]


def test_one_that_succeeds_at_the_second_try_is_done(place: Place) -> None:
    marked = place.folder / "marked"
    flaky = Guarded(place, f"p = {str(marked)!r}\nif not os.path.exists(p): open(p, 'w'); sys.exit(1)\n")
    with OtherSide() as side, flaky.guard(side) as guard:
        side.says("breach", "one")
        assert flaky.waits_for("done")["attempt"] == 2
        assert guard.end() == 0


def test_a_breach_that_was_released_is_not_tried_again(place: Place) -> None:
    failing = Guarded(place, "sys.exit(1)\n")
    with OtherSide() as side, failing.guard(side) as guard:
        side.says("breach", "one")
        failing.waits_for("failed", 2)
        side.says()
        failing.waits_for("dropped")
        assert guard.end() == 0
    assert len(failing.runs) == 2


def test_a_command_that_hangs_is_stopped_and_nobody_knows(place: Place) -> None:
    hanging = Guarded(place, "time.sleep(60)\n")
    with OtherSide() as side, hanging.guard(side, "--command-timeout", "0.5") as guard:
        side.says("breach", "one")
        assert hanging.waits_for("unsure")["key"] == "one"
        hanging.waits_for("known", 3)
        assert guard.end() == 76
    assert len(hanging.runs) == 1


@pytest.mark.parametrize("repeat", [False, True])
def test_killed_while_the_command_runs(place: Place, repeat: bool) -> None:
    """Nobody knows whether it was carried out; by default it is not run again."""
    slow = Guarded(place, "time.sleep(1.5)\n")
    words = ("--repeat-if-unsure",) if repeat else ()
    with OtherSide() as side:
        side.says("breach", "one")
        with slow.guard(side, *words) as guard:
            until(lambda: slow.runs)
            guard.end(signal.SIGKILL)
        with slow.guard(side, *words) as guard:
            slow.waits_for("done" if repeat else "unsure")
            slow.waits_for("known", 2)
            assert guard.end() == (0 if repeat else 76)
    assert len(slow.runs) == (2 if repeat else 1)


def test_killed_at_any_moment_it_never_runs_twice(guarded: Guarded) -> None:
    with OtherSide() as side:
        for number in range(8):
            side.says("breach", *[f"b{n}" for n in range(number + 1)], sequence=7 + number)
            with guarded.guard(side) as guard:
                looks = len(side.asked)
                until(lambda seen=looks: len(side.asked) > seen)  # type: ignore[misc]
                guard.end(signal.SIGKILL)
        with guarded.guard(side, "--once") as guard:
            assert guard.process.wait(60) in (2, 76)
    keys = [said["TEARSHEET_VERDICT_KEY"] for _, said in guarded.runs]
    assert len(set(keys)) == len(keys)
    state = json.loads((guarded.place.folder / "logs/guard/A.json").read_text())
    assert set(state["acts"]) == {f"b{n}" for n in range(8)}
    unsure = {key for key, act in state["acts"].items() if act["standing"] == "unsure"}
    assert set(keys) | unsure == set(state["acts"])


def test_the_token_is_sent_and_shown_nowhere(guarded: Guarded) -> None:
    token = guarded.place.write("token", "ts_very-secret\n")
    with OtherSide() as side, guarded.guard(side, "--token-file", str(token)) as guard:
        side.says("breach", "one")
        guarded.waits_for("done")
        assert side.asked[0]["Authorization"] == "Bearer ts_very-secret"
        assert b"secret" not in Path(f"/proc/{guard.process.pid}/cmdline").read_bytes()
        token.write_text("two words")
        assert guarded.waits_for("hold")["words"].startswith("no_token: ")
        assert guard.end() == 0
    with OtherSide() as side, guarded.guard(side, "--once", TEARSHEET_TOKEN="ts_very-secret") as guard:
        side.says("breach", "two")
        assert guard.process.wait(60) in (0, 2)
        assert side.asked[0]["Authorization"] == "Bearer ts_very-secret"
    everything = [path.read_text() for path in (guarded.place.folder).rglob("*") if path.is_file()]
    assert not [text for text in everything if "very-secret" in text]


def test_a_certificate_is_verified(guarded: Guarded) -> None:
    with OtherSide(tls=True) as side:
        with guarded.guard(side, "--once") as guard:
            assert guard.process.wait(60) == 69
        assert guarded.audit("hold")[0]["words"].startswith("not_verified: ")
        assert side.asked == []
        with guarded.guard(side, "--once", "--ca-file", str(CERTIFICATE)) as guard:
            assert guard.process.wait(60) == 0


@pytest.mark.parametrize(
    ("state", "code"), [(("ok",), 0), (("warn",), 0), (("breach", "b"), 2), (("unknown",), 69)]
)
def test_one_look_says_by_its_code_what_it_saw(guarded: Guarded, state: tuple[str, ...], code: int) -> None:
    with OtherSide() as side:
        side.says(*state)
        with guarded.guard(side, "--once") as guard:
            assert guard.process.wait(60) == code
    assert len(guarded.runs) == (code == 2)


def test_one_guard_at_a_time_and_a_state_that_is_whole(guarded: Guarded) -> None:
    with OtherSide() as side, guarded.guard(side) as guard:
        guarded.waits_for("none")
        with guarded.guard(side) as second:
            assert second.process.wait(60) == 75
            assert "another guard is using" in second.said
        assert guard.end() == 0
        state = guarded.place.folder / "logs/guard/A.json"
        kept = json.loads(state.read_text())
        state.write_text(json.dumps(kept | {"account": "B"}))
        with guarded.guard(side) as third:
            assert third.process.wait(60) == 64
        state.write_text("{half")
        with guarded.guard(side) as fourth:
            assert fourth.process.wait(60) == 65
            assert "check the account manually" in fourth.said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--url", "http://desk.example"), "--allow-http"),
        (("--url", "ftp://localhost"), "no address of a service"),
        (("--url", "http://localhost:70000"), "no port"),
        (("--url", "http://kim:pw@localhost"), "--token-file"),
        (("--on-breach", "'half"), "cannot be read"),
        (("--on-breach", ""), "names no command"),
    ],
)
def test_wrong_use_is_told_before_anything_is_guarded(
    guarded: Guarded, words: tuple[str, ...], said: str
) -> None:
    with OtherSide() as side, guarded.guard(side, *words) as guard:
        assert guard.process.wait(60) == 64
        assert said in guard.said
        assert side.asked == []


def test_after_the_ledger_was_made_anew_it_must_be_told(guarded: Guarded) -> None:
    with OtherSide() as side:
        with guarded.guard(side, "--once") as guard:
            assert guard.process.wait(60) == 0
        side.says(sequence=1)
        with guarded.guard(side, "--once") as guard:
            assert guard.process.wait(60) == 69
        with guarded.guard(side, "--once", "--accept-lower-sequence") as guard:
            assert guard.process.wait(60) == 0


def test_a_disk_that_takes_nothing_hinders_no_command(guarded: Guarded) -> None:
    with OtherSide() as side, guarded.guard(side) as guard:
        guarded.waits_for("none")
        state_file = guarded.place.folder / "logs" / "guard" / "A.json"
        state_file.unlink()
        state_file.mkdir()  # so that the state cannot be replaced
        side.says("breach", "one")
        guarded.waits_for("done")
        assert "cannot be written" in guarded.waits_for("not_remembered")["words"]
        guarded.waits_for("known", 2)
        assert guard.end() == 0
    assert len(guarded.runs) == 1
