"""Answers below Flask: a GET that was answered once is answered again without routing, request and response objects.

What is remembered of an address is only how its parameters were read. Rights, state and content are asked for each
time, by the same functions as above.
"""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Request, Response
from msgspec import Struct

from tearsheet.web.http.environ_keys import ROUTE

Environ = dict[str, Any]
_MOST = 1000
_PHRASES = {200: "200 OK", 304: "304 NOT MODIFIED"}


class PlainAnswer(Struct, frozen=True):
    """Status and JSON of an answer; 304 has no content."""

    status: int
    body: bytes = b""

    def response(self) -> Response:
        """Return it as Flask's response."""
        return Response(self.body, self.status, mimetype="application/json")


#: Answers a request by its environment and the values of its parameters.
PlainView = Callable[..., PlainAnswer]


class _Remembered(Struct, frozen=True):
    route: str
    guard: Callable[[Request], None]
    view: PlainView
    values: dict[str, Any]


class PlainAnswers:
    """The addresses that were answered, and a WSGI layer that answers them again; everything else goes to Flask.

    A request with a cookie does, too, and one that is refused or fails: Flask says why.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Remembered] = {}

    def remember(
        self, environ: Environ, guard: Callable[[Request], None], view: PlainView, values: dict[str, Any]
    ) -> None:
        """Remember how the parameters of an address were read."""
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[_address(environ)] = _Remembered(environ[ROUTE], guard, view, values)

    def below(
        self, inner: Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
    ) -> Callable[[Environ, Callable[..., Any]], Iterable[bytes]]:
        """Return the layer around an application."""

        def answer(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
            known = self._known.get(_address(environ))
            if known is None or environ["REQUEST_METHOD"] != "GET" or "HTTP_COOKIE" in environ:
                return inner(environ, start_response)
            try:
                environ[ROUTE] = known.route
                known.guard(Request(environ))
                made = known.view(environ, **known.values)
            except Exception:  # noqa: BLE001 - Flask asks again, and its error handlers answer
                return inner(environ, start_response)
            headers = []
            if made.status == 200:
                headers += [("Content-Type", "application/json"), ("Content-Length", str(len(made.body)))]
            start_response(_PHRASES[made.status], headers)
            return [made.body]

        return answer


def _address(environ: Environ) -> tuple[str, str]:
    return environ["PATH_INFO"], environ.get("QUERY_STRING", "")
