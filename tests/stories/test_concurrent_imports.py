"""Of imports at once under one new idempotency key exactly one runs; every other is told what became of it.

Kind of fault: a key is looked up in one transaction and saved in another, so that two requests find none.
"""

import http.client
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from tests.support.place import Place, fills_csv
from tests.support.web_server import Server

pytestmark = pytest.mark.both_databases
AT_ONCE, ROWS = 5, 400


def statement(price: int) -> str:
    """Round trips of one contract; the last line cannot be read, so that the same file is read again."""
    good = [
        f"A,MSFT,2026-11-20T10:{n // 60:02}:{n % 60:02}Z,{side},1,{price + (side == 'sell')},0,{price}-{n}{side}"
        for n in range(ROWS // 2)
        for side in ("buy", "sell")
    ]
    return fills_csv([*good, f"A,MSFT,not a time,buy,1,{price},0,last"])


def send(server: Server, text: str, key: str, start: Callable[[], object]) -> tuple[int, Any]:
    """Post a statement when all others are about to; ask again while the ledger is busy."""
    body = f'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n{text}\r\n--b--\r\n'
    start()
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        headers = {"Content-Type": "multipart/form-data; boundary=b", "Idempotency-Key": key}
        connection.request("POST", "/api/import", body.encode(), headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        connection.close()
        if answer.status != 503:
            return answer.status, content


def at_once(server: Server, texts: Sequence[str], key: str) -> list[tuple[int, Any]]:
    """The answers to statements that are posted at once."""
    barrier = Barrier(len(texts))
    with ThreadPoolExecutor(len(texts)) as pool:
        return list(pool.map(lambda text: send(server, text, key, barrier.wait), texts))


def test_one_of_many_requests_with_one_key_imports(place: Place) -> None:
    with Server(place, workers=3, **place.env) as server:
        same = at_once(server, [statement(100)] * AT_ONCE, "k")
        assert sorted(status for status, _ in same) == [200] * (AT_ONCE - 1) + [201]
        assert {content["data"]["repeated"] for status, content in same if status == 200} == {True}
        assert {content["data"]["new"] for _, content in same} == {ROWS}
        others = at_once(server, [statement(200 + n) for n in range(AT_ONCE)], "j")
        assert sorted(status for status, _ in others) == [201] + [409] * (AT_ONCE - 1)
        assert len(server.get("/api/imports")[1]["data"]) == 2
        day = server.get("/api/performance/daily?account=A&date=2026-11-20")[1]["data"]
        assert day["daily_pnl"] == ROWS  # of two files, half a dollar a row each
