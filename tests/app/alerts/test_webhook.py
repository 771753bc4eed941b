"""Alerts reach a real receiver: signed, in order, at least once, and never in anybody's way."""

import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tearsheet.app.alerts.webhook import WebhookQueue, open_queue
from tearsheet.errors import SettingsError
from tearsheet.settings import Settings
from tests.support.place import NOON, Place
from tests.support.redis_server import free_port

SECRET = "a secret of the risk desk"


@dataclass
class Receiver:
    """A server that notes what it is sent, and answers as it is told."""

    port: int = field(default_factory=free_port)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    server: ThreadingHTTPServer | None = None
    may_answer: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Listen."""
        receiver = self
        self.may_answer.set()

        class Post(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.heard.append((dict(self.headers), body))
                receiver.may_answer.wait(20)
                status = receiver.answers.pop(0) if receiver.answers else 204
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.end_headers()

            def log_message(self, *words: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Post)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Go away."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    @property
    def ids(self) -> list[str]:
        """The ids of what was heard."""
        return [headers["Tearsheet-Event-Id"] for headers, _ in self.heard]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that listens."""
    found = Receiver()
    found.start()
    yield found
    found.stop()


def settings(place: Place, receiver: Receiver) -> Settings:
    place.write("secret", SECRET + "\n")
    return place.settings(
        TEARSHEET_WEBHOOK_URL=f"http://127.0.0.1:{receiver.port}/hook/T0K3N",
        TEARSHEET_WEBHOOK_SECRET_FILE="secret",
    )


def deliverer(place: Place, receiver: Receiver) -> WebhookQueue:
    found = open_queue(settings(place, receiver), lambda: NOON)
    assert found is not None
    return found


def alerts(place: Place, *numbers: int) -> None:
    with (place.folder / "logs/performance-alerts.jsonl").open("a") as file:
        file.writelines(json.dumps({"event": "performance.alert", "n": n}) + "\n" for n in numbers)


def told(receiver: Receiver) -> list[int]:
    return [json.loads(body)["n"] for _, body in receiver.heard]


def begun(place: Place, receiver: Receiver) -> WebhookQueue:
    """A deliverer that has begun: what was before it is not news."""
    place.write("logs/performance-alerts.jsonl", "")
    alerts(place, -1)
    found = deliverer(place, receiver)
    assert found.deliver_pending() == 0
    assert receiver.heard == []
    return found


def test_each_alert_is_posted_once_signed_and_in_order(place: Place, receiver: Receiver) -> None:
    deliveries = begun(place, receiver)
    alerts(place, 1, 2, 3)
    assert deliveries.deliver_pending() == 0
    assert deliveries.deliver_pending() == 0
    assert told(receiver) == [1, 2, 3]
    assert len(set(receiver.ids)) == 3
    headers, body = receiver.heard[0]
    signed = f"{headers['Tearsheet-Timestamp']}.".encode() + body
    wanted = hmac.new(SECRET.encode(), signed, sha256).hexdigest()
    assert headers["Tearsheet-Signature"] == f"v1={wanted}"
    assert headers["Tearsheet-Timestamp"] == str(int(NOON.timestamp()))


def test_what_fails_is_tried_again_with_the_same_id_and_nothing_overtakes_it(
    place: Place, receiver: Receiver
) -> None:
    deliveries = begun(place, receiver)
    alerts(place, 1, 2)
    receiver.answers = [500, 302]
    waits = []
    for left in (2, 2, 0):
        assert deliveries.deliver_pending() == left
        waits.append(deliveries.retry_delay_s())
    assert told(receiver) == [1, 1, 1, 2]
    assert len(set(receiver.ids[:3])) == 1
    assert waits == [2.0, 4.0, 1.0]
    log = (place.folder / "logs/alert-deliveries.jsonl").read_text()
    assert [json.loads(line)["state"] for line in log.splitlines()] == [
        "began",
        "failed",
        "failed",
        "delivered",
        "delivered",
    ]
    assert "T0K3N" not in log
    assert SECRET not in log


def test_what_was_not_delivered_is_delivered_after_a_restart(place: Place, receiver: Receiver) -> None:
    begun(place, receiver)
    receiver.stop()
    alerts(place, 1, 2)
    assert deliverer(place, receiver).deliver_pending() == 2
    with (place.folder / "logs/alert-deliveries.jsonl").open("a") as log:
        log.write('{"at":"2026-11')  # a crash in the middle of a note
    receiver.start()
    assert deliverer(place, receiver).deliver_pending() == 0
    assert told(receiver) == [1, 2]


def test_half_a_line_waits_and_a_replaced_file_is_delivered_whole(place: Place, receiver: Receiver) -> None:
    deliveries = begun(place, receiver)
    with (place.folder / "logs/performance-alerts.jsonl").open("a") as file:
        file.write('{"event": "perf')
    assert deliveries.deliver_pending() == 0
    place.write("logs/performance-alerts.jsonl", '{"n": 7}\n')
    assert deliveries.deliver_pending() == 0
    assert told(receiver) == [7]


def test_two_processes_deliver_once(place: Place, receiver: Receiver) -> None:
    begun(place, receiver)
    alerts(place, *range(40))
    both = [deliverer(place, receiver) for _ in range(4)]
    threads = [threading.Thread(target=one.deliver_pending) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert both[0].deliver_pending() == 0
    assert told(receiver) == list(range(40))


@pytest.mark.parametrize(
    ("env", "secret", "words"),
    [
        ({}, "", "WEBHOOK_SECRET_FILE is not"),
        ({"TEARSHEET_WEBHOOK_SECRET_FILE": "none"}, "", "cannot be read"),
        ({"TEARSHEET_WEBHOOK_SECRET_FILE": "secret"}, "short", "holds 5 bytes"),
    ],
)
def test_a_webhook_without_a_good_secret_is_an_error(
    place: Place, env: dict[str, str], secret: str, words: str
) -> None:
    place.write("secret", secret)
    found = place.settings(TEARSHEET_WEBHOOK_URL="https://example.com/T0K3N?a=b", **env)
    with pytest.raises(SettingsError, match=words):
        open_queue(found, lambda: NOON)
    assert "T0K3N" not in repr(found)
    with pytest.raises(SettingsError, match="WEBHOOK_URL"):
        place.settings(TEARSHEET_WEBHOOK_URL="file:///etc/passwd")
    assert open_queue(place.settings(), lambda: NOON) is None


def test_a_receiver_that_hangs_delays_no_verdict_and_gets_its_alert_in_the_end(
    place: Place, receiver: Receiver
) -> None:
    """The whole way: a posted fill breaks a limit, the API answers at once, the webhook hears of it."""
    from tearsheet.web import create_app

    place.write("config/dashboard-targets.yaml", "limits: {default: {daily_loss: 100}}")
    place.write("logs/performance-alerts.jsonl", "")
    app = create_app(settings(place, receiver), lambda: NOON)
    client = app.test_client()
    client.get("/healthz")
    deadline = time.monotonic() + 60
    log = place.folder / "logs/alert-deliveries.jsonl"
    while not log.exists() or not log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    fills = [
        {
            "account": "A",
            "symbol": "MSFT",
            "time": (NOON - timedelta(minutes=2 - n)).isoformat(),
            "side": side,
            "quantity": 1,
            "price": price,
            "fill_id": f"F{n}",
        }
        for n, side, price in ((0, "BUY", 1000), (1, "SELL", 800))
    ]
    receiver.may_answer.clear()
    assert client.post("/api/fills", json=fills).status_code == 201
    while not receiver.heard:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    answer = client.get("/api/risk/verdict?account=A")
    assert json.loads(answer.text)["data"]["state"] == "breach"
    assert '"delivered"' not in log.read_text(), "the receiver has not answered yet"
    receiver.may_answer.set()
    while '"delivered"' not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    alert = json.loads(receiver.heard[0][1])
    assert (alert["state"], alert["rule"], alert["actual"]) == ("escalated", "daily_loss", 200)
