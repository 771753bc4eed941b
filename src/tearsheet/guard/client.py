"""HTTP client for the verdict API: TLS verification, no redirects, one timeout for the whole response."""

import http.client
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

from tearsheet.errors import SettingsError, UsageError
from tearsheet.guard.verdict import UntrustedResponseError

TOKEN_VARIABLE = "TEARSHEET_TOKEN"
_MAX_BYTES = 2_000_000


@dataclass(frozen=True)
class Response:
    """Body and ETag of a 200 response."""

    body: bytes
    etag: str | None


class TokenFile:
    """Access token, read again for every request so that it can be rotated; never logged."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def headers(self) -> dict[str, str]:
        """Return the Authorization header, empty without a token. Raises SettingsError if the file is unusable."""
        if self._file is None:
            token = os.environ.get(TOKEN_VARIABLE, "").strip()
        else:
            try:
                token = self._file.read_text("ascii").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(
                    f"the token file {self._file} cannot be read: {type(error).__name__}",
                    "the file must contain only the token",
                ) from None
            if not token:
                raise SettingsError(
                    f"the token file {self._file} is empty", "the file must contain only the token"
                )
        if not token.isprintable() or " " in token:
            raise SettingsError("invalid token", "`tearsheet tokens add NAME` prints one")
        return {"Authorization": f"Bearer {token}"} if token else {}


class ApiUrl:
    """Base URL of the API. Redirects are not followed: they could send the token to another host."""

    def __init__(self, url: str, ca_file: Path | None, *, allow_http: bool) -> None:
        parts = urlsplit(url)
        try:
            self._port = parts.port
        except ValueError:
            raise UsageError(f"--url {url!r} has no port that can be", _URL_HINT) from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise UsageError(f"--url {url!r} is no address of a service", _URL_HINT)
        if parts.username is not None:
            raise UsageError("--url contains a user or password", "tokens go into --token-file")
        self._host, self._prefix = parts.hostname, parts.path.rstrip("/")
        self._tls = _tls_context(ca_file) if parts.scheme == "https" else None
        if self._tls is None and not allow_http and not _is_loopback(self._host):
            raise UsageError(
                f"--url {url} would send the token, and take orders, in the clear",
                "use https://, or say --allow-http in a network that you trust",
            )

    def connect(self, timeout_s: float) -> http.client.HTTPConnection:
        """Return a connection that is not opened yet."""
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        return http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=self._tls)

    def path(self, path: str, account: str | None) -> str:
        """Return the request path of an endpoint for an account, or for all."""
        query = "" if account is None else f"?account={quote(account, safe='')}"
        return f"{self._prefix}{path}{query}"


class VerdictSource(Protocol):
    """Where a guard gets the verdict of its account from."""

    def fetch(self) -> Response:
        """Return the response. Raises UntrustedResponseError."""


class VerdictClient:
    """Fetches the verdict of one account, or with `account` None those of all."""

    def __init__(
        self,
        address: ApiUrl,
        token: TokenFile,
        account: str | None,
        timeout_s: float,
        max_bytes: int = _MAX_BYTES,
    ) -> None:
        self._address, self._token, self._max_bytes = address, token, max_bytes
        self._path = address.path("/api/risk/verdict", account)
        self._timeout_s = timeout_s
        self._pending: _RequestThread | None = None

    def fetch(self) -> Response:
        """Return the response within the timeout. Raises UntrustedResponseError."""
        if self._pending is not None and self._pending.is_alive():
            raise UntrustedResponseError("no_answer", "a previous request is still running")
        connection = self._address.connect(self._timeout_s)
        self._pending = _RequestThread(lambda: self._request(connection))
        self._pending.start()
        self._pending.join(self._timeout_s)
        if self._pending.is_alive():
            _shut_down(connection)
            raise UntrustedResponseError("no_answer", f"not whole after {self._timeout_s:g} s")
        return self._pending.result()

    def _request(self, connection: http.client.HTTPConnection) -> Response:
        headers = {"Accept": "application/json", "Cache-Control": "no-cache", "Connection": "close"}
        try:
            connection.request("GET", self._path, headers=headers | self._token.headers())
            response = connection.getresponse()
            body = response.read(self._max_bytes + 1)
        except SettingsError as error:
            raise UntrustedResponseError("no_token", error.message) from None
        except ssl.SSLError as error:
            raise UntrustedResponseError("not_verified", str(error)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UntrustedResponseError("no_answer", f"{type(error).__name__}: {error}") from None
        finally:
            connection.close()
        if response.status != 200:
            raise UntrustedResponseError("not_answered", f"status {response.status}: {body[:120]!r}")
        length = response.headers.get("Content-Length")
        if len(body) > self._max_bytes or (length is not None and length != str(len(body))):
            raise UntrustedResponseError("not_whole", f"{len(body)} bytes of {length}")
        return Response(body, response.headers.get("ETag"))


class _RequestThread(threading.Thread):
    """Background thread for one request, because a DNS lookup has no timeout of its own."""

    def __init__(self, request: Callable[[], Response]) -> None:
        super().__init__(name="verdict-request", daemon=True)
        self._request = request
        self._response: Response | None = None
        self._error = UntrustedResponseError("no_answer", "connection closed")

    def run(self) -> None:
        """Send the request and store the response or its error."""
        try:
            self._response = self._request()
        except UntrustedResponseError as error:
            self._error = error

    def result(self) -> Response:
        """Return the response. Raises UntrustedResponseError."""
        if self._response is None:
            raise self._error
        return self._response


def _shut_down(connection: http.client.HTTPConnection) -> None:
    """Close the socket, which ends the blocked read in the request thread."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"--ca-file {ca_file} cannot be used: {error}", "it holds certificates in PEM form"
        ) from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_URL_HINT = "write it like https://tearsheet.example or http://127.0.0.1:5000"
