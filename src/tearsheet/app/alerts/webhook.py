"""Webhook delivery of alerts: signed, in order, at least once, and never inside an evaluation.

The alerts file is the outbox: its lines after the last offset in the delivery log are pending, also after a
crash. One process at a time delivers, under a file lock; other processes retry later.
"""

import hmac
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b, sha256
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from tearsheet.errors import InputError, SettingsError
from tearsheet.export.files import json_line
from tearsheet.settings import Settings
from tearsheet.shared_files import append_lines, exclusive_lock, file_size, read_last_lines, read_lines

SHORTEST_SECRET = 16
_TIMEOUT_S = 10.0
_LONGEST_WAIT_S = 300.0


class Delivery(Struct, frozen=True, kw_only=True):
    """A line of the delivery log: an attempt, its result, and the delivered offset of the alerts file (`reached`)."""

    at: datetime
    state: str
    reached: int
    event_id: str | None = None
    attempt: int = 0
    status: int | None = None
    error: str | None = None


class Webhook(Struct, frozen=True):
    """URL of the receiver, and the secret of the HMAC signature."""

    url: str
    secret: bytes

    def headers(self, event_id: str, body: bytes, at: datetime) -> dict[str, str]:
        """Return the headers of a request; the signature is the HMAC-SHA256 of `timestamp.body`."""
        stamp = str(int(at.timestamp()))
        signed = hmac.new(self.secret, f"{stamp}.".encode() + body, sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "User-Agent": "tearsheet",
            "Tearsheet-Event-Id": event_id,
            "Tearsheet-Timestamp": stamp,
            "Tearsheet-Signature": f"v1={signed}",
        }


def webhook_from(settings: Settings) -> Webhook | None:
    """Return the webhook of the settings; None if it is off. Raises SettingsError."""
    if settings.webhook_url is None:
        return None
    file = settings.webhook_secret_file
    if file is None:
        raise SettingsError(
            "TEARSHEET_WEBHOOK_URL is set, but TEARSHEET_WEBHOOK_SECRET_FILE is not",
            "create a secret of 16 bytes or more; it signs every delivery",
        )
    try:
        secret = file.read_bytes().strip()
    except OSError as error:
        raise SettingsError(
            f"TEARSHEET_WEBHOOK_SECRET_FILE {file} cannot be read: {error.strerror or error}",
            "check the path and its permissions",
        ) from None
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(
            f"TEARSHEET_WEBHOOK_SECRET_FILE {file} holds {len(secret)} bytes",
            f"allowed are {SHORTEST_SECRET} or more, such as those of `openssl rand -hex 32`",
        )
    return Webhook(settings.webhook_url, secret)


def webhook_problem(settings: Settings) -> SettingsError | None:
    """Return why alerts cannot be delivered by the settings; None if they can, or no webhook is configured."""
    try:
        webhook_from(settings)
    except SettingsError as error:
        return error
    return None


class WebhookQueue:
    """Queue of the alerts after the last delivered offset."""

    def __init__(
        self, webhook: Webhook, alerts_file: Path, log_file: Path, clock: Callable[[], datetime]
    ) -> None:
        self._webhook, self._clock = webhook, clock
        self._alerts_file, self._log_file = alerts_file, log_file
        self._failures = 0

    def deliver_pending(self) -> int:
        """Deliver the pending alerts in order, up to the first failure; return how many remain.

        While another process holds the lock, only count them. Raises InputError for files that cannot be used.
        """
        try:
            self._log_file.parent.mkdir(parents=True, exist_ok=True)
            with exclusive_lock(self._log_file) as is_mine:
                if not is_mine:
                    return len(list(self._pending(self._delivered_offset())))
                return self._deliver()
        except OSError as error:
            raise InputError(
                f"{error.filename or self._log_file} cannot be used: {error.strerror or error}",
                "check the path, its permissions and the free disk space",
            ) from error

    def retry_delay_s(self) -> float:
        """Return the delay before the next attempt: 1 s, doubled after each failure in a row, at most 300 s."""
        return min(_LONGEST_WAIT_S, 2.0 ** min(self._failures, 16))

    def _deliver(self) -> int:
        reached = self._delivered_offset()
        if reached is None:  # alerts older than the webhook are not sent
            end = file_size(self._alerts_file)
            self._append_log(Delivery(at=self._clock(), state="began", reached=end))
            return 0
        outstanding = list(self._pending(reached))
        for number, (line, end) in enumerate(outstanding):
            if not self._send(line, end, reached):
                return len(outstanding) - number
            reached = end
        return 0

    def _send(self, line: bytes, end: int, reached: int) -> bool:
        event_id = blake2b(line, digest_size=8).hexdigest()
        status, error = self._post(event_id, line)
        delivered = status is not None and 200 <= status < 300
        self._failures = 0 if delivered else self._failures + 1
        self._append_log(
            Delivery(
                at=self._clock(),
                state="delivered" if delivered else "failed",
                reached=end if delivered else reached,
                event_id=event_id,
                attempt=self._failures,
                status=status,
                error=error,
            )
        )
        return delivered

    def _post(self, event_id: str, body: bytes) -> tuple[int | None, str | None]:
        """Return the HTTP status or the error; the error never contains the URL, which may be secret."""
        headers = self._webhook.headers(event_id, body, self._clock())
        request = urllib.request.Request(self._webhook.url, body, headers, method="POST")
        try:
            with _OPENER.open(request, timeout=_TIMEOUT_S) as response:
                return response.status, None
        except urllib.error.HTTPError as error:
            return error.code, f"answered {error.code}"
        except urllib.error.URLError as error:
            return None, f"not reached: {type(error.reason).__name__}"
        except (OSError, HTTPException, ValueError) as error:
            return None, f"not reached: {type(error).__name__}"

    def _pending(self, reached: int | None) -> Iterator[tuple[bytes, int]]:
        """Yield the lines after an offset, each with the offset of its end; if the file was replaced, all lines."""
        if reached is not None:
            for line, end in read_lines(self._alerts_file, reached):
                if line.strip():
                    yield line.strip(), end

    def _delivered_offset(self) -> int | None:
        """Return the offset up to which alerts were delivered; None if the delivery log is empty."""
        for line in read_last_lines(self._log_file):
            with suppress(msgspec.MsgspecError, RecursionError):  # a partial line, left by a crash
                return msgspec.json.decode(line, type=Delivery).reached
        return None

    def _append_log(self, delivery: Delivery) -> None:
        append_lines(self._log_file, [json_line(delivery)])


def open_queue(settings: Settings, clock: Callable[[], datetime]) -> WebhookQueue | None:
    """Return the delivery queue of the settings; None if the webhook is off. Raises SettingsError."""
    webhook = webhook_from(settings)
    if webhook is None:
        return None
    return WebhookQueue(webhook, settings.alerts_file, settings.webhook_log, clock)


def run_delivery_loop(deliveries: WebhookQueue, on_trouble: Callable[[InputError], None]) -> None:
    """Start a daemon thread that delivers pending alerts until the process ends."""

    def work() -> None:
        while True:
            try:
                deliveries.deliver_pending()
            except InputError as error:
                on_trouble(error)
            time.sleep(deliveries.retry_delay_s())

    threading.Thread(target=work, name="tearsheet-webhook", daemon=True).start()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Handler that follows no redirect, so that a signed request is sent to no other URL."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Any:
        """Follow no redirect."""
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)
