"""The API on PostgreSQL: the same answers, 503 while the server is away, and no restart needed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Api, fill
from tests.support.place import Place

PATHS = (
    "/api/performance/daily",
    "/api/performance/weekly",
    "/api/performance/daily?account=A",
    "/api/positions?state=closed",
    "/api/fills?limit=3",
)


@pytest.fixture
def place(tmp_path: Path, postgres: Any) -> Iterator[Place]:
    """A place whose ledger is in PostgreSQL."""
    url = postgres.database()
    yield Place(tmp_path, {"DATABASE_URL": url})
    postgres.drop(url)


def asked(api: Api, path: str) -> Any:
    answer = api.get(path)
    answer.pop("timestamp")
    return answer


def test_while_the_server_is_away_it_is_503_and_then_200_without_a_restart(
    place: Place, postgres: Any
) -> None:
    api = Api(place)
    api.fills(fill(1), fill(2, "SELL", "110.25"))
    before = [asked(api, path) for path in PATHS]
    assert before[0]["data"]["daily_pnl"] == 10.25
    postgres.stop()
    try:
        for path in PATHS:
            response = api.ask("GET", path)
            assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
            assert "3cr" not in response.text
        refused = api.fills(fill(3), status=503)
        assert refused["error"]["type"] == "store_unavailable"
        assert api.get("/api/performance/health", 503)["checks"]["store"]["status"] == "down"
    finally:
        postgres.start()
    assert [asked(api, path) for path in PATHS] == before
    api.fills(fill(3), fill(4, "SELL", "101"))
    assert api.get(PATHS[0])["data"]["daily_pnl"] == 11.25


def test_it_answers_as_on_sqlite(place: Place, tmp_path: Path) -> None:
    given = []
    for api in (Api(place), Api(Place(tmp_path / "file", {}))):
        api.fills(*(fill(n, "SELL" if n % 2 else "BUY", 100 + n % 7) for n in range(40)))
        api.fills(*(fill(n, account="B", symbol="AAPL", fill_id=f"B{n}") for n in range(5)))
        given.append([asked(api, path) for path in PATHS])
        # the freshness of an answer bears the instant of asking, which stands still here
    assert given[0] == given[1]
