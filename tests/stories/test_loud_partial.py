"""Whatever may be missing is said on every page, in the log, by the commands and the API, with a way out.

Kind of fault: a number that may lack something, shown somewhere without saying so, or a page that says so and
whose only way out is a command of a terminal.
"""

import html
import logging
import re
from datetime import timedelta

import pytest

from tearsheet.cli import main
from tests.support.api import Api
from tests.support.place import NOON, Place, record

PAGES = (
    "/",
    "/day",
    "/calendar",
    "/performance?window=daily",
    "/trades",
    "/trades?account=EQ-1",
    "/alerts",
    "/explain?metric=net_pnl&window=daily",
)


@pytest.fixture
def partial(place: Place, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A day with a line that cannot be read, a missing day before, and records that vanish."""
    monkeypatch.chdir(place.folder)
    monkeypatch.setattr("tearsheet.tracker.PerformanceTracker.now", property(lambda tracker: place.now))
    place.write("config/dashboard-targets.yaml", "limits: {default: {daily_loss: 5000, stale_after: null}}")
    place.log("2026-11-18", record(at=NOON - timedelta(days=2), order_id="0"))
    at = NOON - timedelta(hours=1)
    place.log("2026-11-20", record(at=at, order_id="1"), record(at=at, order_id="2"), "{broken")
    api = Api(place, TEARSHEET_SYNC_EVERY_S="0")
    api.get("/api/performance/daily")
    place.log("2026-11-20", record(at=at, order_id="1"), "{broken")
    return api


def boxes(text: str) -> str:
    return "".join(re.findall(r'<section class="partial".*?</section>', text, re.DOTALL))


@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_so_and_links_to_the_rows(partial: Api, path: str) -> None:
    text = html.unescape(partial.ask("GET", path).text)
    box = boxes(text)
    assert "could not be read" in box
    assert 'href="/import#rejected-title"' in box
    assert "`" not in box
    assert "tearsheet " not in re.sub("<[^>]*>", "", box)
    assert "--mode" not in box
    if "alerts" not in path or "day" in path:
        assert 'href="/settings#sources-title"' in box


def test_the_links_lead_to_the_rows(partial: Api) -> None:
    assert 'id="rejected-title"' in partial.ask("GET", "/import").text
    assert 'id="sources-title"' in partial.ask("GET", "/settings").text
    assert 'id="settings-title"' in partial.ask("GET", "/settings").text


def test_no_reason_of_a_verdict_needs_a_terminal(partial: Api) -> None:
    card = partial.ask("GET", "/day").text.partition('id="limits-EQ-1"')[2].partition("</section>")[0]
    assert 'data-state="unknown"' in card
    assert "<code>tearsheet" not in card
    assert 'href="/settings#sources-title"' in card


@pytest.mark.parametrize(("decision", "net"), [("keep", 297), ("accept", 198)])
def test_a_source_in_doubt_is_decided_on_the_page(partial: Api, decision: str, net: int) -> None:
    headers = {"Origin": "http://localhost"}
    form = {"source": "2026-11-20.jsonl", "decision": decision}
    assert partial.client.post("/settings/sources", data=form, headers=headers).status_code == 303
    codes = [one["code"] for one in partial.get("/api/performance/daily")["metadata"]["partial_reasons"]]
    assert "records_vanished" not in codes
    assert partial.get("/api/performance/summary?window=all")["data"]["metrics"]["net_pnl"]["value"] == net
    text = partial.ask("GET", "/settings").text
    assert "2026-11-20.jsonl" in text.partition("Change history")[2]
    again = partial.client.post("/settings/sources", data=form, headers=headers)
    assert again.status_code == 422
    assert "is not in doubt" in html.unescape(again.text)
    form["decision"] = "burn"
    assert partial.client.post("/settings/sources", data=form, headers=headers).status_code == 422


def test_it_is_logged_once_a_state_and_said_by_commands_and_api(
    partial: Api, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.WARNING)
    caplog.clear()
    for _ in range(3):
        answer = partial.get("/api/performance/daily")
    logged = [one for one in caplog.records if one.getMessage() == "tearsheet.partial"]
    assert len(logged) == 1
    assert logged[0].levelno == logging.WARNING
    codes = {one["code"] for one in answer["metadata"]["partial_reasons"]}
    assert codes >= {"rejected_lines", "records_vanished"}
    assert answer["data"]["state"] == "unknown"
    for command in (["check"], ["summary"]):
        capsys.readouterr()
        assert main(command) == 75
        assert "rejected_lines" in capsys.readouterr().out
