"""Access control: bearer tokens, stored as hashes; without tokens only loopback requests are allowed."""

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec
from flask import Request
from msgspec import Struct

from tearsheet.errors import NotFoundError, SettingsError, UsageError
from tearsheet.export.files import json_bytes, replace_file
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import AccessLevel

#: What a token allows; each includes those before it. Risk: release breaches, loosen limits, change settings.
Permission = Literal["read", "write", "risk"]
_RANKS = {"open": 0, "read": 1, "write": 2, "risk": 3}
#: Permission "risk" as the tokens file stores it: earlier versions read this word only; this one reads both.
_STORED_RISK: Literal["desk"] = "desk"
_PREFIX = "ts_"
#: Cookie of a signed-in browser: HttpOnly, SameSite=Strict.
COOKIE = "tearsheet_token"
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")
_PORT = re.compile(r":\d+$")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]", "::1")


class Token(Struct, frozen=True, forbid_unknown_fields=True):
    """Token in the tokens file: its SHA-256, never the token itself. Tokens have 256 random bits."""

    name: str
    right: Literal["read", "write", "risk", "desk"]
    sha256: str
    made_at: datetime

    @property
    def permission(self) -> Permission:
        """What the token allows."""
        return "risk" if self.right == "desk" else self.right


class Tokens:
    """Tokens of a file, which is read again when it changes."""

    #: files that had tokens, for every worker that is forked later
    _known: ClassVar[set[Path]] = set()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file_state: tuple[int, int, int] | None = None
        self._tokens: tuple[Token, ...] = ()

    def all(self) -> tuple[Token, ...]:
        """Return every token, or an empty tuple without a file.

        Raises SettingsError for an invalid file, and for one that had tokens and is gone: who comes without one
        would then be let in.
        """
        try:
            info = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            if self._path in self._known:
                raise SettingsError(
                    f"the tokens file {self._path} is gone",
                    "restore it; or start the service again, and it answers this machine only",
                ) from None
            self._file_state, self._tokens = None, ()
            return ()
        file_state = (info.st_ino, info.st_size, info.st_mtime_ns)
        if file_state != self._file_state:
            self._tokens, self._file_state = self._read(), file_state
            if self._tokens:
                self._known.add(self._path)
        return self._tokens

    def permission_of(self, presented: str) -> Permission | None:
        """Return the permission of a token, or None if it is unknown."""
        digest = _digest(presented)
        permission: Permission | None = None
        # constant-time comparison with every stored token: the response time must not depend on the match
        for token in self.all():
            if hmac.compare_digest(token.sha256, digest):
                permission = token.permission
        return permission

    def add(self, name: str, permission: Permission, now: datetime) -> str:
        """Create a token, save its hash, and return the token, shown only once. Raises UsageError."""
        if any(token.name == name for token in self.all()):
            raise UsageError(f"there is a token {name!r}", "revoke it first, or choose another name")
        secret = _PREFIX + secrets.token_urlsafe(32)
        stored = _STORED_RISK if permission == "risk" else permission
        self._write((*self.all(), Token(name, stored, _digest(secret), now)))
        return secret

    def revoke(self, name: str) -> None:
        """Delete a token; it is rejected from the next request on. Raises NotFoundError."""
        remaining = tuple(token for token in self.all() if token.name != name)
        if len(remaining) == len(self.all()):
            names = ", ".join(token.name for token in remaining) or "none"
            raise NotFoundError(f"no token {name!r}", f"known: {names}")
        self._write(remaining)

    def _read(self) -> tuple[Token, ...]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=tuple[Token, ...])
        except (OSError, msgspec.MsgspecError) as error:
            raise SettingsError(
                f"the tokens file {self._path} cannot be used: {error}",
                "`tearsheet tokens` writes it; restore it, or remove it and make new tokens",
            ) from None

    def _write(self, tokens: tuple[Token, ...]) -> None:
        replace_file(self._path, json_bytes(list(tokens)), mode=0o600)
        self._file_state = None


class Access:
    """Authorization of requests.

    A request with a token has the token's permission. A request without one may read if anonymous reading is
    allowed. Without any tokens, a request over loopback and not through a proxy may do everything. The peer
    address decides, not the listening address, so any WSGI server is as restricted as `tearsheet serve`.
    """

    def __init__(self, tokens: Tokens, *, anonymous_read: bool) -> None:
        self._tokens = tokens
        self._anonymous_read = anonymous_read

    def authorize(self, request: Request, level: AccessLevel) -> None:
        """Raise HttpError (401, 403) if a request is not allowed this level."""
        if level in ("write", "risk"):
            _reject_cross_site(request)
        if level == "open":
            return
        presented = request.environ.get("HTTP_AUTHORIZATION", "") or self._cookie_header(request)
        if presented:
            self._check_token(presented, level)
        elif not (level == "read" and self._anonymous_read) and not self._is_private(request.environ):
            raise HttpError(401, f"this operation requires a {level} token", _HINT, headers=_BEARER)

    def is_allowed(self, request: Request, level: AccessLevel) -> bool:
        """Return whether an authorized request would also be allowed this level."""
        presented = request.environ.get("HTTP_AUTHORIZATION", "") or self._cookie_header(request)
        if not presented:
            return level == "read" or self._is_private(request.environ)
        permission = self._tokens.permission_of(presented.partition(" ")[2].strip())
        return permission is not None and _RANKS[permission] >= _RANKS[level]

    def client_name(self, request: Request) -> str:
        """Return the name of an authorized request's token, for the audit log."""
        presented = request.environ.get("HTTP_AUTHORIZATION", "") or self._cookie_header(request)
        _, _, secret = presented.partition(" ")
        digest = _digest(secret.strip())
        names = [token.name for token in self._tokens.all() if token.sha256 == digest]
        return names[0] if names else "somebody at this machine"

    def cookie(self, request: Request) -> str | None:
        """Return the token in a browser's cookie, or None while there are no tokens."""
        return request.cookies.get(COOKIE) if self._tokens.all() else None

    def permission_of(self, secret: str) -> Permission | None:
        """Return the permission of a token, or None if it is unknown."""
        return self._tokens.permission_of(secret)

    def _cookie_header(self, request: Request) -> str:
        secret = self.cookie(request)
        return f"Bearer {secret}" if secret else ""

    def _check_token(self, presented: str, level: AccessLevel) -> None:
        scheme, _, secret = presented.partition(" ")
        permission = self._tokens.permission_of(secret.strip()) if scheme.lower() == "bearer" else None
        if permission is None:
            raise HttpError(401, "invalid token", _HINT, headers=_BEARER)
        if _RANKS[permission] < _RANKS[level]:
            raise insufficient_permission(permission, level)

    def _is_private(self, environ: Mapping[str, Any]) -> bool:
        """Return whether there are no tokens and the request is a direct one over loopback, to a loopback name."""
        return (
            not self._tokens.all()
            and is_loopback(environ.get("REMOTE_ADDR") or "")
            and _PORT.sub("", environ.get("HTTP_HOST", "")) in _LOCAL_NAMES
            and not any(name in environ for name in _FORWARDED)
        )


def check_bind_address(host: str, tokens: Tokens, *, anonymous_read: bool) -> None:
    """Raise UsageError for an address beyond loopback while there are no tokens."""
    if is_loopback(host) or tokens.all() or anonymous_read:
        return
    raise UsageError(
        f"listening at {host} lets every machine that reaches it ask",
        "make a token with `tearsheet tokens add NAME`, or say --allow-anonymous-read in a network "
        "that you trust; writing needs a token there in any case",
    )


@lru_cache(1000)
def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def insufficient_permission(permission: Permission, level: AccessLevel, message: str = "") -> HttpError:
    """Return the 403 error for a token whose permission is too low."""
    allowed = {"read": "read only", "write": "read and write, not to lift breaches or change settings"}.get(
        permission, ""
    )
    return HttpError(403, message or f"this token allows to {allowed}", f"use a token made with --{level}")


_HINT = "send `Authorization: Bearer …`; `tearsheet tokens add NAME` makes a token"
_BEARER = {"WWW-Authenticate": 'Bearer realm="tearsheet"'}


def _reject_cross_site(request: Request) -> None:
    # CSRF: a page of another site, open in a browser here, must not write. Browsers send Origin with every
    # form; without a token in the page, pages can be compressed and answered with 304.
    origin = request.headers.get("Origin")
    is_foreign = origin is not None and origin.partition("://")[2] != request.host
    if is_foreign or request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        raise HttpError(
            403, "cross-site request blocked", "send the request from your own origin or without a browser"
        )


def _digest(secret: str) -> str:
    return hashlib.sha256(os.fsencode(secret)).hexdigest()
