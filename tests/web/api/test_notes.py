"""Notes over the API: written upon the version that was read, found by tag, and of no account to numbers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tearsheet.app.analysis.notes import TradeNotes
from tearsheet.web.http.auth import Tokens
from tests.support.api import Api, fill


def put(api: Api, path: str, content: Any, **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.client.put(path, json=content, headers=named)


def note(text: str = "", *tags: str, version: int = 0) -> dict[str, Any]:
    return {"text": text, "tags": list(tags), "version": version}


@pytest.fixture
def position(api: Api) -> str:
    """The newest of two closed positions; a third is open."""
    api.fills(fill(1), fill(2, "SELL", 103), fill(3), fill(4, "SELL", 99), fill(5))
    return str(api.get("/api/positions")["data"][0]["id"])


def test_a_note_is_written_shown_everywhere_and_found_by_its_tag(api: Api, position: str) -> None:
    (empty,) = api.get(f"/api/positions/{position}/notes")["data"]
    assert (empty["version"], empty["text"], empty["by"]) == (0, "", None)
    answer = put(api, f"/api/positions/{position}/notes", note("chased", "FOMO", "#gap up"))
    kept = json.loads(answer.text)["data"]
    assert (answer.status_code, kept["tags"], kept["version"]) == (200, ["fomo", "gap up"], 1)
    assert kept["by"] == "somebody at this machine"
    assert api.get(f"/api/positions/{position}/notes")["data"] == [kept]
    assert api.get(f"/api/positions/{position}")["data"]["position"]["note"] == "chased"
    for path in ("/api/positions?", "/api/performance/trades?window=all&"):
        found = api.get(f"{path}tag=Fomo")["data"]
        assert [(p["id"], p["note"], p["tags"]) for p in found] == [(position, "chased", ["fomo", "gap up"])]
        assert api.get(f"{path}tag=other")["data"] == []
        assert len(api.get(path)["data"]) == 2
    assert api.get("/api/positions?state=open&tag=fomo")["data"] == []
    assert api.get("/api/tags")["data"] == [{"tag": "fomo", "notes": 1}, {"tag": "gap up", "notes": 1}]


def test_of_two_writers_the_second_is_told_of_the_first(api: Api, position: str) -> None:
    path = f"/api/positions/{position}/notes"
    assert put(api, path, note("mine")).status_code == 200
    assert put(api, path, note("mine")).status_code == 200  # a repeated request
    refused = put(api, path, note("yours"))
    problem = json.loads(refused.text)["error"]
    assert (refused.status_code, problem["type"]) == (409, "conflict")
    assert "somebody at this machine wrote version 1 at" in problem["message"]
    (kept,) = api.get(path)["data"]
    assert kept["text"] == "mine"
    assert put(api, path, note("yours", version=1)).status_code == 200
    versions = api.get(f"/api/notes/{kept['id']}/versions")["data"]
    assert [(v["version"], v["text"]) for v in versions] == [(1, "mine"), (2, "yours")]
    assert put(api, f"/api/notes/{kept['id']}", note(version=2)).status_code == 200
    assert api.get(f"/api/positions/{position}")["data"]["position"]["note"] is None


def test_a_note_makes_lists_new_and_leaves_numbers_as_they_are(api: Api, position: str) -> None:
    numbers = (
        "/api/performance/daily",
        "/api/performance/summary?window=all",
        "/api/performance/equity?window=all",
        "/api/performance/breakdown?window=all",
        "/api/fills",
        "/api/accounts",
    )
    lists = (
        "/api/positions",
        "/api/performance/trades?window=all",
        f"/api/positions/{position}",
        f"/api/positions/{position}/notes",
        "/api/tags",
    )
    tags = {path: api.ask("GET", path).headers["ETag"] for path in (*numbers, *lists)}
    before = api.get("/api/performance/daily")["metadata"]["revision"]
    assert put(api, f"/api/positions/{position}/notes", note("x", "t")).status_code == 200
    for path in numbers:
        assert api.ask("GET", path, If_None_Match=tags[path]).status_code == 304
    for path in lists:
        assert api.ask("GET", path, If_None_Match=tags[path]).status_code == 200
    assert api.get("/api/performance/daily")["metadata"]["revision"] == before
    # and a list of before the fill is not taken for one after it
    tag = api.ask("GET", "/api/positions").headers["ETag"]
    api.fills(fill(6, "SELL", 101))
    assert api.ask("GET", "/api/positions", If_None_Match=tag).status_code == 200
    assert len(api.get("/api/positions")["data"]) == 3


def test_results_are_grouped_by_tag(api: Api, position: str) -> None:
    path = "/api/performance/breakdown?window=all&by="
    first, second = (p["id"] for p in api.get("/api/positions")["data"])
    api.fills(fill(6, "SELL", 101))
    put(api, f"/api/positions/{first}/notes", note("", "a", "b"))
    put(api, f"/api/positions/{second}/notes", note("", "a"))
    tag = api.ask("GET", path + "tag").headers["ETag"]
    found = api.get(path + "tag")["data"]
    assert [(g["label"], g["trades"], g["closed_pnl"]) for g in found] == [
        ("a", 2, 2),
        ("no tag", 1, 1),
        ("b", 1, -1),
    ]
    put(api, f"/api/positions/{second}/notes", note("", "b", version=1))
    assert api.ask("GET", path + "tag", If_None_Match=tag).status_code == 200
    assert [g["label"] for g in api.get(path + "tag")["data"]] == ["b", "no tag", "a"]
    assert [g["trades"] for g in api.get(path + "side")["data"]] == [3]


def test_the_note_of_an_undone_import_is_listed_and_written_on(api: Api, position: str) -> None:
    put(api, f"/api/positions/{position}/notes", note("keep me", "t"))
    assert api.client.post("/api/imports/1/undo").status_code == 200
    assert api.get(f"/api/positions/{position}/notes", 404)["error"]["message"].startswith("no position")
    (orphan,) = api.get("/api/orphaned-notes")["data"]
    assert (orphan["position"], orphan["text"], orphan["symbol"]) == (None, "keep me", "MSFT")
    assert api.get(f"/api/orphaned-notes?after={orphan['id']}")["data"] == []
    assert api.get("/api/positions?tag=t")["data"] == []
    assert put(api, f"/api/notes/{orphan['id']}", note("kept", version=1)).status_code == 200


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        ([], 400, "the body must be a JSON object"),
        ({"text": "x"}, 422, "the body needs `text` and `tags`"),
        ({"text": 1, "tags": [], "version": 0}, 422, "the body needs `text` and `tags`"),
        ({"text": "x", "tags": [1], "version": 0}, 422, "the body needs `text` and `tags`"),
        ({"text": "x", "tags": [], "version": "1"}, 422, "the version is '1', not a whole number"),
        ({"text": "x", "tags": [], "version": True}, 422, "the version is 'True'"),
        ({"text": "x", "tags": [], "version": -1}, 422, "the version is '-1'"),
        ({"text": "x", "tags": [], "version": 0, "who": "me"}, 422, "'who' is no field"),
        (note("a\0b"), 422, "the note contains the character U+0000"),
        (note("x" * 4001), 422, "the note has 4,001 characters"),
        (note("", "a,b"), 422, "contains a comma"),
        (note("", "\u202eevil"), 422, "contains the character U+202E"),
        (note("", *map(str, range(21))), 422, "a note has 21 tags"),
        (note("x", version=7), 409, "there is no note yet (version 0)"),
    ],
)
def test_what_cannot_be_said_is_refused(
    api: Api, position: str, content: Any, status: int, words: str
) -> None:
    answer = put(api, f"/api/positions/{position}/notes", content)
    assert (answer.status_code, answer.mimetype) == (status, "application/json"), answer.text
    problem = json.loads(answer.text)["error"]
    assert words in problem["message"]
    assert problem["hint"]
    assert api.get(f"/api/positions/{position}/notes")["data"][0]["version"] == 0


def test_writing_needs_a_token_that_may_and_bears_its_name(make_api: Callable[..., Api]) -> None:
    api = make_api()
    api.fills(fill(1), fill(2, "SELL", 103))
    tokens = Tokens(api.place.settings().tokens_file)
    reader, writer = (
        f"Bearer {tokens.add(name, right, api.place.now)}"  # type: ignore[arg-type]
        for name, right in (("looks", "read"), ("desk", "write"))
    )
    position = api.get("/api/positions", Authorization=reader)["data"][0]["id"]
    path = f"/api/positions/{position}/notes"
    assert put(api, path, note("x")).status_code == 401
    assert put(api, path, note("x"), Authorization=reader).status_code == 403
    assert put(api, path, note("x"), Authorization=writer, Origin="http://evil.example").status_code == 403
    written = put(api, path, note("x"), Authorization=writer)
    assert json.loads(written.text)["data"]["by"] == "desk"
    with api.place.tracker() as tracker:
        assert TradeNotes(tracker).for_trade(position)[0].by == "desk"
