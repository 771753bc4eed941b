"""Templates and routes are compiled once for all applications of a process; for each anew took half of a page's test."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule

_compile_builder = Rule._compile_builder
_builders: dict[Any, Callable[..., tuple[str, str]]] = {}


class _Templates(BytecodeCache):
    def __init__(self) -> None:
        self._code: dict[str, Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get(bucket.key + bucket.checksum)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key + bucket.checksum] = bucket.code


def _compile_once(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    key = (rule.rule, tuple(rule._trace), repr(rule.defaults), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


Rule._compile_builder = _compile_once  # type: ignore[method-assign]
_templates = _Templates()


def share_templates(app: Flask) -> Flask:
    """Return the application with the templates that others have compiled."""
    app.jinja_env.bytecode_cache = _templates
    return app
