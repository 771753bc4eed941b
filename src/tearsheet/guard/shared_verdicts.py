"""Verdicts of all accounts in one request, shared by the guards of a process."""

import json
import threading
import time
from collections.abc import Mapping

from tearsheet.guard.client import ApiUrl, Response, TokenFile, VerdictClient
from tearsheet.guard.verdict import UntrustedResponseError

#: An answer that is not older than this serves other guards too; a slow service is asked less often.
_SHARED_S, _SHARED_DURATIONS = 1.0, 4.0
_MAX_BYTES = 64_000_000


class SharedVerdicts:
    """Latest verdicts of all accounts; one thread asks, the others wait for its answer or its error."""

    def __init__(self, address: ApiUrl, token: TokenFile, timeout_s: float) -> None:
        self._client = VerdictClient(address, token, None, timeout_s, _MAX_BYTES)
        self._lock = threading.Lock()
        self._wanted = 0
        self._answered = -1
        self._answered_at, self._shared_s = 0.0, 0.0
        self._verdicts: Mapping[str, Response] | None = None
        self._error = UntrustedResponseError("no_answer", "not asked yet")

    def expire(self) -> None:
        """Make the next `get` ask again: something happened since the last answer was asked for."""
        self._wanted += 1

    def get(self) -> Mapping[str, Response]:
        """Return the verdict of each account that the service judges. Raises UntrustedResponseError."""
        with self._lock:
            age = time.monotonic() - self._answered_at
            if self._answered != self._wanted or age > self._shared_s:
                self._ask()
            if self._verdicts is None:
                raise self._error
            return self._verdicts

    def _ask(self) -> None:
        wanted, began = self._wanted, time.monotonic()
        try:
            self._verdicts = split_verdicts(self._client.fetch())
        except UntrustedResponseError as error:
            self._verdicts, self._error = None, error
        self._answered, self._answered_at = wanted, time.monotonic()
        self._shared_s = max(_SHARED_S, _SHARED_DURATIONS * (self._answered_at - began))


class SharedVerdictSource:
    """Source of one account's verdict among the shared ones, for its guard."""

    def __init__(self, shared: SharedVerdicts, account: str) -> None:
        self._shared, self._account = shared, account

    def fetch(self) -> Response:
        """Return the account's verdict as its own request would. Raises UntrustedResponseError."""
        found = self._shared.get().get(self._account)
        if found is None:
            raise UntrustedResponseError("not_answered", f"the service judges no account {self._account!r}")
        return found


def split_verdicts(response: Response) -> dict[str, Response]:
    """Return the response of each account. Raises UntrustedResponseError for another shape."""
    try:
        content = json.loads(response.body, parse_float=str)
        if content["status"] != "success":
            raise ValueError(f"status {content['status']!r}")
        verdicts = {str(one["account"]): one for one in content["data"]["accounts"]}
        if len(verdicts) != len(content["data"]["accounts"]):
            raise ValueError("an account appears more than once")
    except RecursionError as error:
        raise UntrustedResponseError("no_json", str(error)) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise UntrustedResponseError("wrong_shape", f"{type(error).__name__}: {error}") from None
    except ValueError as error:
        code = "no_json" if isinstance(error, json.JSONDecodeError) else "wrong_shape"
        raise UntrustedResponseError(code, str(error)) from None
    return {
        account: Response(json.dumps({"status": "success", "data": one}).encode(), response.etag)
        for account, one in verdicts.items()
    }
