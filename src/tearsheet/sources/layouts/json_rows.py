"""Rows of a JSON Lines file of fills; numbers keep their digits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tearsheet.sources.layouts.layout import FIELDS
from tearsheet.sources.text.lines import Lines, is_text
from tearsheet.sources.text.problem import MOST_COLUMNS, NOT_TEXT, RowError, RowProblem

#: The header of `JsonLines`: the line itself has no name.
JSON_HEADER = (*FIELDS, "")
_HINT = "one JSON object a line"
_TOO_LONG = RowProblem("line_too_long", "the line is too long", "one fill a line")
_PROGRESS_EVERY = 1000


class JsonLines:
    """The rows of a JSON Lines file: the fields of each line in the order of `FIELDS`, then the line itself."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        self.line = self.last_line = self.resume_after = 0
        self.bytes_read = 0

    def objects(self) -> Iterator[dict[str, Any]]:
        """Yield the objects that can be parsed, with lower-case keys."""
        for line in self._lines():
            if not isinstance(line, RowProblem):
                try:
                    yield _json_object(line)
                except RowError:
                    continue

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """Yield the fields of every line, and what is wrong with it."""
        for line in self._lines():
            if isinstance(line, RowProblem):
                yield [""], line
                continue
            try:
                content = _json_object(line)
                # Only an escape can put into a string what the line itself may not have.
                is_plain = "\\" not in line
                values = map(content.get, FIELDS)
                cells = [value if is_plain and type(value) is str else _text(value) for value in values]
            except RowError as bad:
                yield [line], bad.problem
            else:
                cells.append(line)
                yield cells, None
        self.bytes_read = self._path.stat().st_size

    def _lines(self) -> Iterator[str | RowProblem]:
        with Lines(self._path, self._encoding) as lines:
            for number, line in enumerate(lines, 1):
                self.line = self.last_line = number
                if number % _PROGRESS_EVERY == 0:
                    self.bytes_read = lines.position()
                if lines.has_invalid or lines.has_truncated:
                    yield _TOO_LONG if lines.has_truncated else NOT_TEXT
                    lines.has_invalid = lines.has_truncated = False
                elif bare := line.strip():
                    yield bare


def _json_object(line: str) -> dict[str, Any]:
    """Return the object of a line, with numbers as text and keys in lower case. Raises RowError."""
    try:
        content = json.loads(
            line, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_reject_duplicate_keys
        )
    except (ValueError, RecursionError) as error:
        raise RowError("bad_json", f"the line is no JSON object: {error}", _HINT) from None
    if not isinstance(content, dict):
        raise RowError("bad_json", "the line is no JSON object", _HINT)
    folded = {key.casefold(): value for key, value in content.items()}
    if len(folded) < len(content):
        key = _find_duplicate([key.casefold() for key in content])
        raise RowError("bad_json", f"the line is no JSON object: key {key!r} stands twice", _HINT)
    return folded


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    if not is_text(text):
        raise RowError(NOT_TEXT.code, NOT_TEXT.reason, NOT_TEXT.hint)
    return text


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MOST_COLUMNS:
        raise ValueError(f"it has more than {MOST_COLUMNS:,} keys")
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError(f"key {_find_duplicate([key for key, _ in pairs])!r} stands twice")
    return content


def _find_duplicate(keys: list[str]) -> str:
    return next(key for key in keys if keys.count(key) > 1)
