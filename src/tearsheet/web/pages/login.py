"""Signing in: a browser gives a token once and carries it in a cookie that no script can read."""

from flask import Response, redirect, request

from tearsheet.web.http import parameters
from tearsheet.web.http.auth import COOKIE
from tearsheet.web.http.errors import HttpError
from tearsheet.web.pages.frame import PageRoute, Pages

_MONTH_S = 30 * 86_400
_NEXT = parameters.text_of("next", "The page to go on to.")


def add_login(pages: Pages) -> None:
    """Add signing in and out."""
    pages.add(PageRoute("/login", "open", (_NEXT,)), lambda next: _login_page(pages, _safe_redirect(next)))
    pages.add(
        PageRoute("/login", "open", (_NEXT,), "POST"), lambda next: _log_in(pages, _safe_redirect(next))
    )
    pages.add(PageRoute("/logout", "open", method="POST"), _log_out)


def _login_page(pages: Pages, onward: str, *, refused: bool = False) -> Response:
    return pages.render(
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
    if len(token) > 200 or pages.served.access.permission_of(token) is None:
        return _login_page(pages, onward, refused=True)
    response = _redirect(onward)
    response.set_cookie(
        COOKIE, token, max_age=_MONTH_S, httponly=True, samesite="Strict", secure=request.is_secure, path="/"
    )
    return response


def _log_out() -> Response:
    response = _redirect("/login")
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
    return response


def _redirect(address: str) -> Response:
    response = redirect(address, 303)
    if not isinstance(response, Response):
        raise HttpError(500, "the page to go on to is not known")
    return response


def _safe_redirect(address: str | None) -> str:
    """A page of this dashboard, never another site: one slash, then a plain path."""
    if address is None or not address.startswith("/") or address.startswith(("//", "/\\")):
        return "/"
    return address
