"""Login page: the browser keeps a token in an HttpOnly cookie."""

from flask import Response, request

from tearsheet.web.http import parameters
from tearsheet.web.http.auth import COOKIE
from tearsheet.web.pages.frame import PageRoute, Pages, redirect_to

_MONTH_S = 30 * 86_400
_NEXT = parameters.text_of("next", "The page to go on to.")


def add_login(pages: Pages) -> None:
    """Add the login page, login and logout."""
    pages.add(PageRoute("/login", "open", (_NEXT,)), lambda next: _login_page(pages, _safe_path(next)))
    pages.add(PageRoute("/login", "open", (_NEXT,), "POST"), lambda next: _log_in(pages, _safe_path(next)))
    pages.add(PageRoute("/logout", "open", method="POST"), _log_out)


def _login_page(pages: Pages, next_path: str, *, refused: bool = False) -> Response:
    return pages.render(
        "login.html", 401 if refused else 200, title="Sign in", next=next_path, refused=refused
    )


def _log_in(pages: Pages, next_path: str) -> Response:
    token = request.form.get("token", "").strip()
    if len(token) > 200 or pages.app_context.access.permission_of(token) is None:
        return _login_page(pages, next_path, refused=True)
    response = redirect_to(next_path)
    # a proxy that ends TLS says so; whoever forges the header only restricts their own cookie
    secure = request.is_secure or request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
    response.set_cookie(
        COOKIE, token, max_age=_MONTH_S, httponly=True, samesite="Strict", secure=secure, path="/"
    )
    return response


def _log_out() -> Response:
    response = redirect_to("/login")
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
    return response


def _safe_path(path: str | None) -> str:
    """Return a path on this dashboard, `/` for anything that could lead to another site."""
    if path is None or not path.startswith("/") or path.startswith(("//", "/\\")):
        return "/"
    return path
