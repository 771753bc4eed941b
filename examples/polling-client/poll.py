#!/usr/bin/env python3
"""A client that asks Tearsheet for the day's P&L and trusts no answer that it has not checked.

Standard library only. One line a decision:

    2026-11-20T14:30:00Z OK daily_pnl=-250.75 trades=8 revision=412
    2026-11-20T14:30:30Z OK (unchanged) daily_pnl=-250.75 trades=8 revision=412
    2026-11-20T14:31:00Z LOSS daily_pnl=-1020.00 is below -1000
    2026-11-20T14:31:30Z STALE the answer is 93 s old
    2026-11-20T14:32:00Z UNREACHABLE connection refused (1 of 3)

It ends with 2 when the loss limit is passed, 3 when the service cannot be reached (or refuses, or says
that it cannot answer) so many times in a row, 4 at once when an answer must not be trusted: of another
day, too old, partial, or of an earlier state than one seen before. Whoever starts it acts on that.
"""

import argparse
import http.client
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

LOSS, UNREACHABLE, STALE = 2, 3, 4
PATH = "/api/performance/daily"


class StaleError(Exception):
    """An answer came, and it must not be trusted."""


class UnreachableError(Exception):
    """No answer came."""


@dataclass(frozen=True)
class Answer:
    """What the service says of the day, as far as a risk manager needs it."""

    pnl: Decimal
    trades: int
    revision: int
    starts_at: datetime
    ends_at: datetime
    partial: str
    last_fill_at: datetime | None
    etag: str


class Client:
    """Asks, keeps the last answer with its ETag, and checks each."""

    def __init__(self, options: argparse.Namespace, now: Callable[[], datetime]) -> None:
        self._options = options
        self._now = now
        self._held: Answer | None = None

    def ask(self) -> tuple[Answer, bool]:
        """The checked answer, and whether it is the one held. Raises StaleError, UnreachableError."""
        status, headers, body = self._request()
        if status == 304 and self._held is not None:
            answer, same = self._held, True
        elif status == 200:
            answer, same = _read(body, headers.get("ETag", "")), False
        else:
            raise UnreachableError(f"status {status}: {_message(body)}")
        self._check(answer, headers)
        self._held = answer
        return answer, same

    def _request(self) -> tuple[int, http.client.HTTPMessage, bytes]:
        url = urlsplit(self._options.url)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=self._options.timeout)
        account = self._options.account
        path = url.path.rstrip("/") + PATH + (f"?account={quote(account)}" if account else "")
        try:
            connection.request("GET", path, headers=self._headers())
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(str(error) or type(error).__name__) from error
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "tearsheet-polling-client"}
        if self._options.token_file:  # read each time, so that a new token needs no restart
            try:
                token = Path(self._options.token_file).read_text().strip()
            except OSError as error:
                raise UnreachableError(f"no token: {error}") from error
            headers["Authorization"] = f"Bearer {token}"
        if self._held is not None:
            headers["If-None-Match"] = self._held.etag
        return headers

    def _check(self, answer: Answer, headers: http.client.HTTPMessage) -> None:
        now = self._now()
        try:
            age = (now - parsedate_to_datetime(headers["Date"])).total_seconds()
        except (TypeError, ValueError) as error:
            raise StaleError("the answer bears no date") from error
        if abs(age) > self._options.max_age:
            raise StaleError(f"the answer is {age:.0f} s old by this clock")
        if not answer.starts_at <= now < answer.ends_at:
            raise StaleError(f"it is of the day {answer.starts_at} to {answer.ends_at}, not of now")
        if self._held is not None and answer.revision < self._held.revision:
            raise StaleError(f"revision {answer.revision} after {self._held.revision}")
        if answer.partial:
            raise StaleError(f"the answer may lack something: {answer.partial}")
        limit = self._options.max_data_age
        if limit and (answer.last_fill_at is None or (now - answer.last_fill_at).total_seconds() > limit):
            raise StaleError(f"the last fill is of {answer.last_fill_at}")


def _read(body: bytes, etag: str) -> Answer:
    """Money stays a Decimal: JSON's digits are exact."""
    try:
        whole = json.loads(body, parse_float=Decimal)
        data, metadata = whole["data"], whole["metadata"]
        last = metadata["last_fill_at"]
        return Answer(
            pnl=Decimal(data["daily_pnl"]),
            trades=data["total_trades"],
            revision=metadata["revision"],
            starts_at=_time(metadata["starts_at"]),
            ends_at=_time(metadata["ends_at"]),
            partial=", ".join(_words(reason) for reason in metadata["partial_reasons"])
            or ("partial" if metadata["partial"] else ""),
            last_fill_at=_time(last) if last else None,
            etag=etag,
        )
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise StaleError(f"the answer is not understood: {error!r}") from error


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _words(reason: Any) -> str:
    return str(reason.get("code", reason)) if isinstance(reason, dict) else str(reason)


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body[:100].decode(errors="replace")


def run(options: argparse.Namespace, now: Callable[[], datetime]) -> int:
    """Poll until something is wrong; the exit code says what."""
    client = Client(options, now)
    failures = 0
    while True:
        began = time.monotonic()
        try:
            answer, same = client.ask()
        except StaleError as error:
            say(now(), "STALE", str(error))
            return STALE
        except UnreachableError as error:
            failures += 1
            say(now(), "UNREACHABLE", f"{error} ({failures} of {options.patience})")
            if failures >= options.patience:
                return UNREACHABLE
        else:
            failures = 0
            if options.max_loss is not None and answer.pnl < -options.max_loss:
                say(now(), "LOSS", f"daily_pnl={answer.pnl} is below {-options.max_loss}")
                return LOSS
            told = f"daily_pnl={answer.pnl} trades={answer.trades} revision={answer.revision}"
            say(now(), "OK", f"(unchanged) {told}" if same else told)
            if options.once:
                return 0
        time.sleep(max(0.0, options.every - (time.monotonic() - began)))


def say(at: datetime, decision: str, words: str) -> None:
    """One line a decision."""
    print(f"{at:%Y-%m-%dT%H:%M:%SZ} {decision} {words}", flush=True)


def options_of(arguments: list[str]) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:5000", help="where Tearsheet listens")
    parser.add_argument("--token-file", help="a file with a token that may read")
    parser.add_argument("--account", help="one account only")
    parser.add_argument("--every", type=float, default=30, help="seconds between two questions")
    parser.add_argument("--timeout", type=float, default=5, help="seconds to wait for an answer")
    parser.add_argument("--patience", type=int, default=3, help="failures in a row before it ends")
    parser.add_argument("--max-age", type=float, default=10, help="seconds an answer may be old")
    parser.add_argument("--max-data-age", type=float, help="seconds since the last fill")
    parser.add_argument("--max-loss", type=Decimal, help="money that the day may lose")
    parser.add_argument("--once", action="store_true", help="end after the first good answer")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run(options_of(sys.argv[1:]), lambda: datetime.now(UTC)))
