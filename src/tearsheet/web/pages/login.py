"""Signing in: a browser gives a token once and carries it in a cookie that no script can read."""

from flask import Response, redirect, request

from tearsheet.web.http import parameters
from tearsheet.web.http.auth import COOKIE
from tearsheet.web.http.errors import Refused
from tearsheet.web.pages.frame import Page, Pages

_MONTH_S = 30 * 86_400
_NEXT = parameters.text_of("next", "The page to go on to.")


def add_entrance(pages: Pages) -> None:
    """Add signing in and out."""
    pages.add(Page("/login", "open", (_NEXT,)), lambda next: _ask(pages, _safe_redirect(next)))
    pages.add(Page("/login", "open", (_NEXT,), "POST"), lambda next: _log_in(pages, _safe_redirect(next)))
    pages.add(Page("/logout", "open", method="POST"), _log_out)


def _ask(pages: Pages, onward: str, *, refused: bool = False) -> Response:
    return pages.shown(
        "login.html",
        401 if refused else 200,
        title="Sign in",
        next=onward,
        refused=refused,
        accounts=(),
        given={},
    )


def _log_in(pages: Pages, onward: str) -> Response:
    token = request.form.get("token", "").strip()
    if len(token) > 200 or pages.served.access.right_of(token) is None:
        return _ask(pages, onward, refused=True)
    response = _to(onward)
    response.set_cookie(
        COOKIE, token, max_age=_MONTH_S, httponly=True, samesite="Strict", secure=request.is_secure, path="/"
    )
    return response


def _log_out() -> Response:
    response = _to("/login")
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
    return response


def _to(address: str) -> Response:
    response = redirect(address, 303)
    if not isinstance(response, Response):
        raise Refused(500, "the page to go on to is not known")
    return response


def _safe_redirect(address: str | None) -> str:
    """A page of this dashboard, never another site: one slash, then a plain path."""
    if address is None or not address.startswith("/") or address.startswith(("//", "/\\")):
        return "/"
    return address
