"""Exported files against the schemas that the package ships."""

import json
from functools import cache
from pathlib import Path

import jsonschema

from tearsheet.export.files import schema


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema(name), format_checker=jsonschema.FormatChecker())


def summary_validator() -> jsonschema.Draft202012Validator:
    """The validator of summaries."""
    return _validator("performance-summary")


def validate_exports(folder: Path) -> None:
    """Validate every exported summary, and every line of an alerts file. Raises ValidationError."""
    for path in folder.rglob("*-summary-*.json"):
        if path.is_file():
            _validator("performance-summary").validate(json.loads(path.read_bytes()))
    for path in filter(Path.is_file, folder.rglob("performance-alerts.jsonl")):
        for line in path.read_text("utf-8", "replace").splitlines():
            content = _json(line)
            # lines of earlier versions have no kind
            if (
                isinstance(content, dict)
                and content.get("event") == "performance.alert"
                and "kind" in content
            ):
                _validator("performance-alert").validate(content)


def _json(line: str) -> object:
    """A line as JSON; what a test wrote broken on purpose is None."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
