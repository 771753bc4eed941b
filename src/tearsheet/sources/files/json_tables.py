"""Tables in JSON: the lists of objects in a document, or one object per line."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tearsheet.errors import FormatError, InputError
from tearsheet.sources.files import freqtrade
from tearsheet.sources.files.records import LARGEST, RecordTable
from tearsheet.sources.text.problem import MOST_COLUMNS

_DEEPEST = 6
_KEY = "key"
#: Keys beside a list with the kind of all its objects.
_OF_ALL = ("category",)


def read_json_tables(path: Path, encoding: str) -> Sequence[RecordTable]:
    """Return a table for each list of objects in the file. Raises InputError and FormatError."""
    tables, backtests = [], 0
    for items in _lists(_document(path, encoding), 0):
        records = [_flatten(record) for record in items if isinstance(record, dict)]
        if freqtrade.is_trades(records):
            records = freqtrade.records_of_trades(items)
            backtests += 1
        tables.append(RecordTable(records))
    if backtests > 1:
        raise FormatError(
            f"{path}: it holds the trades of {backtests} strategies, each of which has an account of its own",
            "export one strategy a file, and import each with its own --account",
        )
    if not tables:
        raise FormatError(
            f"{path}: no layout fits its keys: it holds no list of objects",
            "use a JSON list of fills or one object per line",
        )
    return tables


def _document(path: Path, encoding: str) -> Any:
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} is larger than {LARGEST >> 20} MB", "split it, or use CSV")
        text = path.read_text(encoding)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", "check the path and permissions"
        ) from None
    except UnicodeError:
        raise FormatError(f"{path}: the file is not a text file", "save it as UTF-8") from None
    try:
        return _parse_json(text)
    except (ValueError, RecursionError) as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [_parse_json(line) for line in lines]
        except (ValueError, RecursionError):
            raise FormatError(f"{path}: it is no JSON: {error}", "export the file again") from None


def _parse_json(text: str) -> Any:
    return json.loads(
        text.lstrip("\ufeff"),
        parse_float=str,
        parse_int=str,
        parse_constant=str,
        object_pairs_hook=_reject_duplicates,
    )


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MOST_COLUMNS:
        raise ValueError(f"an object has more than {MOST_COLUMNS:,} keys")
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return content


def _lists(value: Any, depth: int) -> Iterator[list[Any]]:
    """Yield the lists of objects, outer ones first. A single object is a list of one; an object whose
    values are all objects is a list, too."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        if any(isinstance(one, dict) for one in value):
            yield value
        return
    if isinstance(value, dict):
        kind = {key: value[key] for key in _OF_ALL if isinstance(value.get(key), str)}
        for inner in value.values():
            for records in _lists(inner, depth + 1):
                yield (
                    [{**kind, **one} if isinstance(one, dict) else one for one in records]
                    if kind
                    else records
                )
        if depth and all(isinstance(inner, dict) for inner in value.values()):
            yield [{_KEY: key, **inner} for key, inner in value.items()]
        if not depth:
            yield [value]


def _flatten(record: Mapping[str, Any], before: str = "", depth: int = 0) -> dict[str, str]:
    """Return texts by key; keys of nested objects are joined by points, lists are left out."""
    texts: dict[str, str] = {}
    for key, value in record.items():
        if isinstance(value, dict) and depth < _DEEPEST:
            texts |= _flatten(value, f"{before}{key}.", depth + 1)
        elif isinstance(value, bool):
            texts[before + key] = "true" if value else "false"
        elif isinstance(value, str):
            texts[before + key] = value
    return texts
