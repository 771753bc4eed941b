"""The stories of limits once more, on a real ledger: fills are posted, prices told, breaches kept."""

import contextlib
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from tearsheet.app.imports.api_posts import ApiWrites
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.app.reports import WriteRequest
from tearsheet.rules.verdict import Verdict
from tearsheet.tracker import PerformanceTracker
from tests.rules import test_limit_book
from tests.support.limit_story import _FILL, _RELEASE, Story, calendar_of, plan_of
from tests.support.place import Place, make_fill

pytestmark = pytest.mark.both_databases


class LiveStory(Story):
    """A story whose facts are in a ledger; what is asked is asked of its tracker."""

    tracker: PerformanceTracker
    place: Place

    def fold_anew(self) -> None:
        """The ledger does that itself."""

    def live_at(self, place: Place, limits: str, calendar: str) -> "LiveStory":
        """Begin at a place with limits in its targets file."""
        self.place = place
        place.write("config/dashboard-targets.yaml", f"limits: {{default: {limits}}}\n")
        zone, _, clock = calendar.partition(" ")
        place.env |= {"PERFORMANCE_SUMMARY_TIMEZONE": zone, "TEARSHEET_DAY_STARTS_AT": clock or "00:00"}
        self.tracker = place.tracker()
        return self

    def happen(self, at: datetime, what: str) -> None:
        """What a line says, as a bot or a person would tell it."""
        self.place.now = max(self.place.now, at) if what.startswith("late ") else at
        if found := _FILL.match(what.removeprefix("late ")):
            side, quantity, price, fee, symbol = found.groups()
            number = len(self.fills) + 1
            self.fills.append(make_fill(number, at, side, quantity, price, fee or "0"))
            self.post(
                "fills",
                {
                    "account": "A",
                    "symbol": symbol or "X",
                    "time": at.isoformat(),
                    "side": side.upper(),
                    "quantity": quantity,
                    "price": price,
                    "commission": fee or "0",
                    "fill_id": f"{number}",
                },
            )
        elif what.startswith("price "):
            self.post("marks", {"symbol": "X", "price": what[6:], "time": at.isoformat()})
        elif found := _RELEASE.match(what):
            limit, actor, reason, more = found.groups()
            account_verdicts(self.tracker).release("A", limit, actor, reason, Decimal(more or 0))
        elif what == "restart":
            self.tracker.close()
            self.tracker = self.place.tracker()
        else:
            super().happen(at, what)

    def post(self, what: str, content: dict[str, Any]) -> None:
        """Post a fill or a mark."""
        posts = ApiWrites(self.tracker)
        report = getattr(posts, what)(WriteRequest(json.dumps(content).encode(), f"POST {what}"))
        assert report.rejections == []

    def judge(self, now: datetime) -> Verdict:
        """The verdict of the ledger; one from scratch says the same."""
        self.place.now = now
        if self.feed_runs:
            account_verdicts(self.tracker).record_heartbeat("A")
        found = account_verdicts(self.tracker).for_account("A")
        assert account_verdicts(self.tracker).for_account("A") == found
        with self.place.tracker() as another:
            again = account_verdicts(another).for_account("A")
        assert [v.breach for v in again.limits] == [v.breach for v in found.limits]
        assert (again.state, again.sequence) == (found.state, found.sequence)
        return found


#: What a story says beside its lines, as `tell` takes it.
TOLD: list[Any] = []


def told() -> list[Any]:
    """Every story of `test_limit_book` that a ledger can live through."""
    found: list[Any] = []

    def note(limits: str, text: str, calendar: str = "UTC", **more: Any) -> Story:
        if not more and "correct #" not in text:
            found.append((limits, text, calendar))
        raise _NotedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_limit_book, "tell", note)
        for name, test in vars(test_limit_book).copy().items():
            if name.startswith("test_") and not test.__code__.co_argcount:
                before = len(found)
                with contextlib.suppress(_NotedError, AssertionError):
                    test()
                found[before:] = [pytest.param(*one, id=name[5:]) for one in found[before:]]
    return found


class _NotedError(Exception):
    """The story is noted; the rest of its test is about the book alone."""


STORIES = told()


def test_most_stories_are_told_twice() -> None:
    assert len(STORIES) > 15


@pytest.mark.parametrize(("limits", "text", "calendar"), STORIES)
def test_a_story_comes_out_the_same_on_a_real_ledger(
    place: Place, limits: str, text: str, calendar: str
) -> None:
    story = LiveStory(plan_of(limits), calendar_of(calendar))
    story.live_at(place, limits, calendar).tell(text)
    assert story.tracker.verify().differences == []
