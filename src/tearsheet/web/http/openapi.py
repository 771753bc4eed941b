"""The OpenAPI 3.1 document, generated from the operations that the views are registered with."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, get_args, get_origin

import msgspec

from tearsheet import __version__
from tearsheet.web.http.operation import Json, Operation, Parameter
from tearsheet.web.schemas.answer import ErrorAnswer

_REF = "#/components/schemas/"
_MEANINGS = {
    200: "Done.", 201: "Kept.", 304: "`If-None-Match` names this very answer.",
    400: "The body is no JSON, or a parameter is unknown or given twice.",
    401: "A token is needed, or is not known.", 403: "The token, or the page, may not do this.",
    404: "There is no such thing.", 409: "It contradicts what is known.",
    411: "The length of the body is not said.", 413: "The body is too large.",
    415: "The body has the wrong media type.",
    422: "A value is not allowed.", 500: "A fault of ours; the log tells more under the error's id.",
    503: "The ledger cannot be used now; ask again after `Retry-After` seconds.",
}  # fmt: skip
_DESCRIPTION = """Trading performance, limits and alerts from your broker statements and bot logs.

Every number in JSON has all its digits. `ETag` names the state that an answer is of: send it back
in `If-None-Match` and get 304 until a fill, a mark, a setting or the day changes it. Writes take an
`Idempotency-Key`: the same request with the same key is carried out once.

If no tokens exist, requests from this machine (loopback) need no token."""


def document(operations: Sequence[Operation]) -> Json:
    """Return the OpenAPI document of these operations."""
    shapes = [shape for o in operations for shape in _response_types(o)]
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tearsheet",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(o.tag for o in operations)],
        "paths": paths,
        "components": {
            "schemas": _components([shape for shape in shapes if shape not in (None, str, dict)]),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(o: Operation) -> Json:
    content: Json = {
        "operationId": "_".join([o.method.lower(), *re.findall(r"\w+", o.path)]),
        "tags": [o.tag],
        "summary": o.title,
        "parameters": [
            *(_parameter(p, "path") for p in o.in_path),
            *(_parameter(p, "query") for p in o.parameters),
        ],
        "responses": _responses(o),
    }
    words = [o.description] if o.description else []
    words += [f"Also at `{alias}`." for alias in o.aliases]
    if words:
        content["description"] = " ".join(words)
    if o.level != "open":
        content["security"] = [{"bearer": []}]
    if o.body is not None:
        if o.method == "POST":
            content["parameters"].append(_IDEMPOTENCY)
        content["requestBody"] = {
            "required": True,
            "content": {
                media: {"schema": o.body.schema} | ({"example": o.body.example} if o.body.example else {})
                for media in o.body.media
            },
        }
    if o.media == "text/event-stream":
        content["parameters"].append(_LAST_EVENT_ID)
    return content


_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Names the request, so that it is carried out once however often it is sent.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}
_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The `id` of the last event that the client has; what came since follows.",
    "schema": {"type": "string"},
}


def _parameter(parameter: Parameter, place: str) -> Json:
    return {
        "name": parameter.name,
        "in": place,
        "required": parameter.required or place == "path",
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }


def _responses(o: Operation) -> Json:
    successes = (200, 201) if o.method == "POST" and o.body is not None and 409 in o.statuses else (200,)
    errors: Iterable[int] = {*o.statuses, 500}
    if o.parameters or not o.body:
        errors = {*errors, 400}
    if o.level != "open":
        errors = {*errors, 401, 403, 503}
    responses = {str(status): _success_response(o, status) for status in successes}
    for status in sorted(errors):
        responses[str(status)] = (
            {"description": _MEANINGS[304]} if status == 304 else _error_response(o, status)
        )
    return responses


def _success_response(o: Operation, status: int) -> Json:
    schema: Json = {"type": "string"} if o.response_type is str else _schema(o.response_type)
    return {"description": _MEANINGS[status], "content": {o.media: {"schema": schema}}}


def _error_response(o: Operation, status: int) -> Json:
    # health checks have the same response type when they fail
    shape = o.response_type if status == 503 and o.level == "open" else ErrorAnswer
    response: Json = {
        "description": _MEANINGS[status],
        "content": {"application/json": {"schema": _schema(shape)}},
    }
    if status == 503:
        response["headers"] = {
            "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}
        }
    return response


def _components(shapes: Iterable[Any]) -> Json:
    """Return the schemas of these types, and of the types within them, by component name."""
    types = dict.fromkeys([*shapes, ErrorAnswer])
    refs, components = msgspec.json.schema_components(types, ref_template=_REF + "{name}")
    for shape, ref in zip(types, refs, strict=True):
        name = component_name(shape)
        components[name] = components.pop(ref["$ref"].removeprefix(_REF)) | {"title": name}
    for schema in components.values():
        _require_defaults(schema)
    return {name: allow_exact_numbers(schema) for name, schema in sorted(components.items())}


def component_name(shape: Any) -> str:
    """Return the name of a type: `FillPageAnswer` for `PageAnswer[Fill]`, plural for a tuple."""
    if not (inner := get_args(shape)):
        return getattr(shape, "__name__", "")
    name, origin = component_name(inner[0]), get_origin(shape)
    return name[:1].upper() + name[1:] + ("s" if origin is tuple else origin.__name__)


def _require_defaults(schema: Json) -> None:
    """Require fields that have a default: every answer contains them; one that may be absent is UNSET."""
    for name, field in schema.get("properties", {}).items():
        if "default" in field:
            del field["default"]
            schema["required"].append(name)


def _response_types(o: Operation) -> tuple[Any, ...]:
    return o.response_type if isinstance(o.response_type, tuple) else (o.response_type,)


def _schema(answer: Any) -> Json:
    if isinstance(answer, tuple):
        return {"anyOf": [_schema(one) for one in answer]}
    if answer is dict:
        return {"type": "object"}
    return {"$ref": _REF + component_name(answer)}


def allow_exact_numbers(schema: Any) -> Any:
    """Return a schema in which decimals are JSON numbers, with all their digits."""
    if isinstance(schema, list):
        return [allow_exact_numbers(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "decimal":
        return {"type": "number"}
    return {key: allow_exact_numbers(value) for key, value in schema.items()}
