"""Verdicts kept in a ledger: from a running book or from scratch, by two processes, through kill -9."""

import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.app.imports.history import ImportHistory
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.errors import StoreError
from tearsheet.rules.verdict import Verdict
from tearsheet.store.tables.sources import SourceFiles
from tearsheet.tracker import PerformanceTracker
from tests.stories.test_ledger_laws import fresh_place
from tests.support.laws import examples
from tests.support.place import NOON, TOP, Place
from tests.support.posting_process import END, post, requests
from tests.support.processes import environment

pytestmark = pytest.mark.both_databases

LIMITS = (
    "limits: {default: {daily_loss: 60, weekly_loss: 120, monthly_loss: 300, max_trades: 4,"
    " max_losses_in_a_row: 2, max_open_quantity: 4, profit_lock: {give_back: 50, from: 20},"
    " max_drawdown: {amount: 150, kind: trailing, lock_at: 50}, stale_after: null}}"
)
DAILY = "limits: {default: {daily_loss: 100, max_trades: 3, stale_after: null}}"


def limited(place: Place, text: str = DAILY) -> Place:
    place.write("config/dashboard-targets.yaml", text)
    return place


def filled(number: int, side: str, price: object, minute: float, **more: Any) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minute)
    return {
        "account": "A",
        "symbol": "MSFT",
        "time": at.isoformat(),
        "side": side,
        "quantity": 1,
        "price": price,
        "fill_id": f"{number}",
        **more,
    }


def known(tracker: PerformanceTracker) -> list[tuple[str, int, str]]:
    """Every breach that is kept: its limit, its number, and the fill that led to it."""
    found = [record.breach for record in account_verdicts(tracker).breach_history(None, 1000, None).items]
    return sorted((b.limit, b.number, b.fill_key or "none") for b in found)


@st.composite
def weeks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Fills of an account over some days until noon, some of them late, in requests of one fill."""
    steps = draw(st.lists(st.sampled_from([0, 1, 47, 300, 1440]), min_size=1, max_size=22))
    at, fills = NOON - timedelta(minutes=sum(steps)), []
    for number, step in enumerate(steps, 1):
        at += timedelta(minutes=step)
        fills.append(
            {
                "account": "A",
                "symbol": draw(st.sampled_from(["MSFT", "AAPL"])),
                "time": at.isoformat(),
                "side": draw(st.sampled_from(["BUY", "SELL"])),
                "quantity": draw(st.integers(1, 3)),
                "price": draw(st.integers(60, 140)),
                "commission": draw(st.sampled_from(["0", "0.25"])),
                "fill_id": f"{number}",
            }
        )
    for _ in range(draw(st.integers(0, 3))):
        fills.insert(draw(st.integers(0, len(fills))), fills.pop())
    return fills


def shape(found: Verdict) -> list[tuple[object, ...]]:
    """All of a verdict but what tallies do not tell: who moved it when, and the hysteresis."""
    return [(v.name, v.value, v.threshold, v.headroom, v.breach) for v in found.limits]


@examples(60)
@given(weeks())
def test_the_running_book_says_what_one_from_scratch_says(fills: list[dict[str, Any]]) -> None:
    place = limited(fresh_place(), LIMITS)
    with closing(place.tracker()) as tracker:
        for fill in fills:
            post(tracker, [fill])
            running = account_verdicts(tracker).for_account("A")
            with closing(place.tracker()) as another:
                assert shape(account_verdicts(another).for_account("A")) == shape(running), (
                    "from what is kept"
                )
        with closing(place.tracker()) as scratch:
            with scratch.ledger.writing() as queries:
                queries.execute("remove_all_limit_bases")
            assert shape(account_verdicts(scratch).for_account("A")) == shape(running), (
                "from the first fill ever"
            )
        assert tracker.verify().differences == []


@examples(60)
@given(weeks(), st.data())
def test_undoing_imports_leaves_the_verdict_of_what_is_left_and_every_breach(
    fills: list[dict[str, Any]], data: st.DataObject
) -> None:
    place = limited(fresh_place(), LIMITS)
    with closing(place.tracker()) as tracker:
        for fill in fills:
            post(tracker, [fill])
            account_verdicts(tracker).for_account("A")
        undone = data.draw(st.sets(st.integers(1, len(fills)), min_size=1))
        for number in data.draw(st.permutations(sorted(undone))):
            broken = known(tracker)
            ImportHistory(tracker).undo(number, "kim")
            assert set(broken) <= set(known(tracker)), "a breach is latched"
            running = account_verdicts(tracker).for_account("A")
            with closing(place.tracker()) as another:
                assert shape(account_verdicts(another).for_account("A")) == shape(running)
        with closing(place.tracker()) as scratch:
            with scratch.ledger.writing() as queries:
                queries.execute("remove_all_limit_bases")
            assert shape(account_verdicts(scratch).for_account("A")) == shape(running), (
                "from the first fill ever"
            )
    with closing(limited(fresh_place(), LIMITS).tracker()) as without:
        for number, fill in enumerate(fills, 1):
            if number not in undone:
                post(without, [fill])
        assert values(account_verdicts(without).for_account("A")) == values(running)


def values(found: Verdict) -> list[tuple[object, ...]]:
    """What a verdict says of the books, whatever broke before."""
    return [(v.name, v.value, v.threshold) for v in found.limits]


def test_a_fill_at_the_end_is_read_on_and_a_late_one_begins_anew(place: Place) -> None:
    limited(place)
    place.now = NOON + timedelta(hours=1)
    with place.tracker() as tracker:
        books = account_verdicts(tracker).books
        for number in range(1, 7):
            side = "BUY" if number % 2 else "SELL"
            post(tracker, [filled(number, side, 100, (number + 1) // 2)])
        assert account_verdicts(tracker).for_account("A").state == "breach"
        assert (books.built, books.updated) == (1, 5), "fills of one instant are no late ones"
        post(tracker, [filled(9, "BUY", 100, -5), filled(10, "SELL", 101, -4)])
        assert books.built == 2
        place.now += timedelta(days=1)
        assert account_verdicts(tracker).for_account("A").state == "ok"
        assert books.built == 2, "a new day begins in the book"


def test_a_breach_is_kept_with_the_fill_or_not_at_all(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(place)
    place.now = NOON + timedelta(hours=1)
    with place.tracker() as tracker:
        post(tracker, [filled(1, "BUY", 1000, 1)])

        def fail(sources: SourceFiles, instruments: object) -> str:
            raise StoreError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(SourceFiles, "find_overlaps", fail)
            with pytest.raises(StoreError):
                post(tracker, [filled(2, "SELL", 800, 2)])
        assert (account_verdicts(tracker).for_account("A").state, known(tracker)) == ("ok", [])
        post(tracker, [filled(2, "SELL", 800, 2)])
        assert known(tracker) == [("daily_loss", 1, "x:2")]


def test_what_time_brings_is_kept_when_it_is_asked(place: Place) -> None:
    limited(place, "limits: {default: {trading_hours: '08:00-13:00', stale_after: null}}")
    with place.tracker() as tracker, place.tracker() as another:
        place.now = NOON + timedelta(minutes=2)
        post(tracker, [filled(1, "BUY", 1000, 1)])
        assert account_verdicts(another).for_account("A").state == "ok"
        place.now = NOON + timedelta(minutes=61)
        before = tracker.revision
        assert account_verdicts(tracker).for_account("A").state == "breach"
        assert tracker.revision == before + 1
        assert account_verdicts(another).for_account("A").sequence == before + 1
        assert known(another) == [("trading_hours", 1, "none")]


def test_where_a_breach_cannot_be_kept_it_is_told_all_the_same(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.tracker() as tracker:
        place.now = NOON + timedelta(minutes=5)
        post(tracker, [filled(1, "BUY", 1000, 1), filled(2, "SELL", 800, 2)])
    limited(place)
    place.make_read_only(monkeypatch)
    with place.tracker() as tracker:
        found = account_verdicts(tracker).for_account("A")
        assert (found.state, found.must_be_flat) == ("breach", True)
        assert found.reasons[-1].code == "not_kept"
        assert known(tracker) == []


def test_what_another_version_wrote_down_is_read_anew(place: Place) -> None:
    limited(place, LIMITS)
    place.now = NOON + timedelta(minutes=5)
    with place.tracker() as tracker:
        post(tracker, [filled(1, "BUY", 1000, -3000), filled(2, "SELL", 800, -2999)])
        found = account_verdicts(tracker).for_account("A")
        with tracker.ledger.writing():
            tracker.ledger.put("limits", '{"default": 7}')
            tracker.ledger.connection.execute("UPDATE limit_base SET body = '[]'")
    with place.tracker() as tracker:
        assert shape(account_verdicts(tracker).for_account("A")) == shape(found)
        post(tracker, [filled(3, "BUY", 1000, 1)])
        assert account_verdicts(tracker).for_account("A").state == "breach"


def test_two_that_find_the_same_breach_keep_it_once(place: Place) -> None:
    with place.tracker() as tracker:
        place.now = NOON + timedelta(minutes=5)
        post(tracker, [filled(1, "BUY", 1000, 1), filled(2, "SELL", 800, 2)])
    limited(place)
    found: list[Verdict] = []

    def ask() -> None:
        with closing(PerformanceTracker(place.settings(), clock=lambda: place.now)) as tracker:
            found.append(account_verdicts(tracker).for_account("A"))

    asking = [Thread(target=ask) for _ in range(6)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert [one.state for one in found] == ["breach"] * 6
    assert {one.limits[0].breach for one in found} == {found[0].limits[0].breach}
    with place.tracker() as tracker:
        assert known(tracker) == [("daily_loss", 1, "x:2")]


def test_kill_9_at_any_moment_loses_and_doubles_no_breach(place: Place) -> None:
    """A process that posts is killed again and again; it keeps what one that nobody kills keeps."""
    text = "limits: {default: {max_drawdown: 40, stale_after: null}}"
    program = TOP / "tests" / "support" / "posting_process.py"
    place.now = END
    arguments = [str(limited(place, text).folder), "A,B,C", "40", "7", place.now.isoformat()]
    command = [sys.executable, str(program), *arguments]
    env = environment(place.env)
    chance = random.Random(3)
    # killed while it opens the ledger, and after so many requests, of which the first repeat earlier ones
    for requests_until_killed in (0, 0, *range(8, 40, 9), None):
        process = subprocess.Popen(
            command, cwd=place.folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        if requests_until_killed is not None:
            for _ in range(requests_until_killed):
                process.stdout.readline()  # type: ignore[union-attr]
            time.sleep(chance.random() * (0.02 if requests_until_killed else 0.3))
            process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        assert process.returncode == (0 if requests_until_killed is None else -signal.SIGKILL), errors
    unharmed = limited(fresh_place(), text)
    unharmed.now = END
    with closing(unharmed.tracker()) as other:
        for fills in requests(["A", "B", "C"], 40, 7):
            post(other, fills)
        wanted = known(other)
    with place.tracker() as tracker:
        assert tracker.verify().differences == []
        # a process that starts anew finds a breach of a past day in the day's tally, which names no fill
        assert [breach[:2] for breach in known(tracker)] == [breach[:2] for breach in wanted]
        assert len(wanted) >= 2
