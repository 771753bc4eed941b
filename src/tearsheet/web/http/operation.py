"""Operations of the API: a typed layer over a Flask blueprint.

An `Operation` names its parameters, body, response type and access level. `Api.add` registers a view
that parses the parameters strictly: unknown, repeated and invalid ones are rejected. The OpenAPI
document (`openapi.py`) is generated from the same operations, so both always agree.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from flask import Blueprint, Request, Response, request
from msgspec import Struct
from werkzeug.datastructures import MultiDict

from tearsheet.web.http.environ_keys import ROUTE
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.plain_answers import PlainAnswers, PlainView

Json = dict[str, Any]
AccessLevel = Literal["open", "read", "write", "risk"]
View = Callable[..., Response]


class Parameter(Struct, frozen=True):
    """A parameter of a query or a path; `read` parses its value or raises ValueError."""

    name: str
    description: str
    schema: Mapping[str, Any]
    read: Callable[[str], Any]
    default: Any = None
    required: bool = False


class Body(Struct, frozen=True):
    """A request body: media types, JSON Schema, and an example."""

    media: tuple[str, ...]
    schema: Mapping[str, Any]
    example: Any = None


class Operation(Struct, frozen=True, kw_only=True):
    """A method and path of the API; `response_type` is a type or a tuple of alternatives."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    tag: str
    title: str
    description: str = ""
    level: AccessLevel = "read"
    parameters: tuple[Parameter, ...] = ()
    in_path: tuple[Parameter, ...] = ()
    body: Body | None = None
    response_type: Any = None
    media: str = "application/json"
    statuses: tuple[int, ...] = ()
    aliases: tuple[str, ...] = ()


class Api:
    """Operations of one blueprint. `guard` is called with the request and the operation before its view."""

    def __init__(
        self, name: str, guard: Callable[[Request, Operation], None], plain: PlainAnswers | None = None
    ) -> None:
        self.blueprint = Blueprint(name, __name__)
        self.operations: list[Operation] = []
        self._guard = guard
        self._plain = plain or PlainAnswers()

    def add_plain(self, operation: Operation, view: PlainView) -> None:
        """Register a view of a GET without path parameters that needs the environment of the request only."""

        def guard(asked: Request) -> None:
            self._guard(asked, operation)

        def answer(**values: Any) -> Response:
            made = view(request.environ, **values)
            self._plain.remember(request.environ, guard, view, values)
            return made.response()

        self.add(operation, answer)

    def add(self, operation: Operation, view: View) -> None:
        """Register a view of an operation and its aliases; its parameters are keyword arguments."""
        self.operations.append(operation)

        defaults = parse_parameters(operation.parameters, MultiDict()) if _is_optional(operation) else None

        def answer(**in_path: str) -> Response:
            request.environ[ROUTE] = operation.path
            self._guard(request, operation)
            if defaults is not None and not request.environ.get("QUERY_STRING"):
                values = defaults
            else:
                values = parse_parameters(operation.parameters, request.args)
            path_values = {p.name: _parse(p, in_path[p.name]) for p in operation.in_path}
            return view(**path_values, **values)

        for path in (operation.path, *operation.aliases):
            rule = path.replace("{", "<").replace("}", ">")
            self.blueprint.add_url_rule(
                rule, f"{operation.method} {path}".replace(".", "_"), answer, methods=[operation.method]
            )


def _is_optional(operation: Operation) -> bool:
    return not any(parameter.required for parameter in operation.parameters)


def parse_parameters(parameters: Sequence[Parameter], args: MultiDict[str, str]) -> Json:
    """Return the value of every parameter by name. Raises HttpError."""
    names = [parameter.name for parameter in parameters]
    for name, texts in args.lists():
        if name not in names:
            known = ", ".join(names) or "none"
            raise HttpError(400, f"no parameter {name!r} is known here", f"known are: {known}")
        if len(texts) > 1:
            raise HttpError(400, f"parameter {name!r} is given {len(texts)} times", "give it once")
    return {p.name: _value(p, args.get(p.name)) for p in parameters}


def _value(parameter: Parameter, text: str | None) -> Any:
    if text is not None:
        return _parse(parameter, text)
    if parameter.required:
        raise HttpError(422, f"parameter {parameter.name!r} is missing", parameter.description)
    return parameter.default


def _parse(parameter: Parameter, text: str) -> Any:
    try:
        return parameter.read(text)
    except ValueError as error:
        shown = text if len(text) <= 100 else f"{text[:100]}…"
        raise HttpError(422, f"parameter {parameter.name!r} is {shown!r}", str(error)) from None
