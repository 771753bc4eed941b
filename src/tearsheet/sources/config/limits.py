"""Limits under `limits:` of the targets file, by a table of what is allowed for each key."""

import difflib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from tearsheet.errors import SettingsError
from tearsheet.rules.limit import LIMITS, STALE_AFTER, AccountLimits, Limit, Limits
from tearsheet.sources.config.limit_keys import (
    DURATION,
    NULL,
    OPTION_KEYS,
    SHAPES,
    combination_problem,
    limit_fields,
)
from tearsheet.sources.config.yaml import load_with_lines
from tearsheet.trade.value_rule import InvalidValueError, ValueRule

_Path = tuple[str, ...]


class LimitKeys(Struct, frozen=True):
    """Keys of a limit: that of its short form, those of which one must stand there, and what is allowed for each."""

    short: str
    one_of: tuple[str, ...]
    allowed: dict[str, str]


def limit_keys() -> dict[str, LimitKeys]:
    """Return the keys of each limit, the options that every limit may have included."""
    return {
        name: LimitKeys(
            shape.short,
            shape.one_of,
            {key: rule.allowed for key, rule in {**shape.keys, **OPTION_KEYS}.items()},
        )
        for name, shape in SHAPES.items()
    }


def option_keys() -> dict[str, str]:
    """Return what is allowed for each key that applies to all limits of an account."""
    return {key: rule.allowed for key, rule in {**OPTION_KEYS, "stale_after": DURATION}.items()}


def load_limits(path: Path) -> Limits:
    """Load the limits of a file. Raises SettingsError if it is missing, unreadable, wrong, or has none."""
    limits = limits_in(path)
    if limits is None:
        raise SettingsError(f"{path} has no limits", "they stand under `limits:`; see docs/limits.md")
    return limits


def limits_in(path: Path) -> Limits | None:
    """Load the limits of a file; None if it has none. Raises SettingsError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{path} cannot be read: {reason}", "docs/limits.md shows such a file") from None
    return parse_limits(text, str(path))


def parse_limits(text: str, file: str) -> Limits | None:
    """Parse the limits of a YAML text; None if it has no key `limits`.

    Raises SettingsError naming file, line, key, value and what is allowed.
    """
    content, lines = load_with_lines(text, file)
    return _LimitsParser(file, lines).parse(content["limits"]) if "limits" in content else None


class _LimitsParser:
    """Parser of one file; errors have the line of their key."""

    def __init__(self, file: str, lines: Mapping[_Path, int]) -> None:
        self._file = file
        self._lines = lines

    def parse(self, content: Any) -> Limits:
        top: _Path = ("limits",)
        blocks = self._mapping(content, top)
        self._check_keys(blocks, ("default", "accounts"), top)
        default = self._block(blocks.get("default"), (*top, "default"))
        named = self._mapping(blocks.get("accounts"), (*top, "accounts"))
        accounts = {}
        for account, block in named.items():
            own = self._block(block, (*top, "accounts", account))
            accounts[account] = self._account({**default, **own})
        return Limits(self._account(default), accounts)

    def _block(self, content: Any, path: _Path) -> dict[str, tuple[Any, _Path]]:
        """Return the keys of an account, each with its value and path."""
        block = self._mapping(content, path)
        self._check_keys(block, (*LIMITS, *OPTION_KEYS, "stale_after"), path)
        return {key: (value, (*path, key)) for key, value in block.items()}

    def _account(self, block: Mapping[str, tuple[Any, _Path]]) -> AccountLimits:
        terms = {key: self._parse_value(OPTION_KEYS[key], *block[key]) for key in OPTION_KEYS if key in block}
        limits = tuple(
            self._limit(name, *block[name], terms)
            for name in LIMITS
            if name in block and block[name][0] not in NULL
        )
        stale: timedelta | None = STALE_AFTER
        if "stale_after" in block:
            value, path = block["stale_after"]
            stale = None if value in NULL else self._parse_value(DURATION, value, path)
        return AccountLimits(limits, stale, terms.get("on_unknown"))

    def _limit(self, name: str, value: Any, path: _Path, terms: dict[str, Any]) -> Limit:
        shape = SHAPES[name]
        if not isinstance(value, dict):
            value = {shape.short: value}
            at = {shape.short: path}
        else:
            self._check_keys(value, (*shape.keys, *OPTION_KEYS), path)
            at = {key: (*path, key) for key in value}
        if not any(key in value for key in shape.one_of):
            needed = " or ".join(f"{key}: {shape.keys[key].allowed}" for key in shape.one_of)
            raise self._error(path, value, f"it needs {needed}")
        known = {**shape.keys, **OPTION_KEYS}
        read = {key: self._parse_value(known[key], item, at[key]) for key, item in value.items()}
        problem = combination_problem(name, read)
        if problem is not None:
            raise self._error(path, value, problem)
        return Limit(name=name, **limit_fields(name, {**terms, **read}))  # type: ignore[arg-type]

    def _parse_value(self, rule: ValueRule[Any], value: Any, path: _Path) -> Any:
        try:
            return rule.parse(value)
        except InvalidValueError as error:
            raise self._error(path, value, str(error)) from None

    def _mapping(self, content: Any, path: _Path) -> dict[str, Any]:
        if content in NULL:
            return {}
        if not isinstance(content, dict):
            raise self._error(path, content, "allowed is a mapping of `key: value` lines")
        return content

    def _check_keys(self, content: Mapping[str, Any], known: tuple[str, ...], path: _Path) -> None:
        for key in content:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                where = self._where((*path, key))
                raise SettingsError(f"{where}: {'.'.join((*path, key))} is no key", hint, path)

    def _error(self, path: _Path, value: Any, hint: str) -> SettingsError:
        shown = f"{{{', '.join(value)}}}" if isinstance(value, dict) else repr(value)
        return SettingsError(f"{self._where(path)}: {'.'.join(path)} is {shown}", hint, path)

    def _where(self, path: _Path) -> str:
        line = self._lines.get(path)
        return f"{self._file}:{line}" if line else self._file
