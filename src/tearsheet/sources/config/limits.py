"""Limits under `limits:` of the targets file, by a table of what is allowed for each key."""

import difflib
import re
from collections.abc import Mapping
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tearsheet.errors import SettingsError
from tearsheet.rules.limit import LIMITS, STALE_AFTER, AccountLimits, Limit, Limits, TimeOfDayRange
from tearsheet.sources.config.yaml import load_with_lines
from tearsheet.trade.value_rule import (
    ISO_DATE,
    TIME_OF_DAY,
    InvalidValueError,
    ValueRule,
    either,
    meaning,
    number,
    text_rule,
)

_NULL = (None, "", "null", "~", "Null", "NULL")
_DURATION = re.compile(r"([1-9]\d{0,5})(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_Path = tuple[str, ...]


def limit_keys() -> dict[str, tuple[str, dict[str, str]]]:
    """Return for each limit the key of its short form, and what is allowed for each of its keys."""
    return {
        name: (short, {key: word.allowed for key, word in {**words, **_OPTION_KEYS}.items()})
        for name, (short, words) in _SHAPES.items()
    }


def option_keys() -> dict[str, str]:
    """Return what is allowed for each key that applies to all limits of an account."""
    return {key: word.allowed for key, word in {**_OPTION_KEYS, "stale_after": _DURATION_KEY}.items()}


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
        self._check_keys(block, (*LIMITS, *_OPTION_KEYS, "stale_after"), path)
        return {key: (value, (*path, key)) for key, value in block.items()}

    def _account(self, block: Mapping[str, tuple[Any, _Path]]) -> AccountLimits:
        terms = {
            key: self._parse_value(_OPTION_KEYS[key], *block[key]) for key in _OPTION_KEYS if key in block
        }
        limits = tuple(
            self._limit(name, *block[name], terms)
            for name in LIMITS
            if name in block and block[name][0] not in _NULL
        )
        stale: timedelta | None = STALE_AFTER
        if "stale_after" in block:
            value, path = block["stale_after"]
            stale = None if value in _NULL else self._parse_value(_DURATION_KEY, value, path)
        return AccountLimits(limits, stale, terms.get("on_unknown"))

    def _limit(self, name: str, value: Any, path: _Path, terms: dict[str, Any]) -> Limit:
        short, words = _SHAPES[name]
        if not isinstance(value, dict):
            value = {short: value}
            at = {short: path}
        else:
            self._check_keys(value, (*words, *_OPTION_KEYS), path)
            at = {key: (*path, key) for key in value}
        if short not in value:
            raise self._error(path, value, f"it needs {short}: {words[short].allowed}")
        known = {**words, **_OPTION_KEYS}
        read = {key: self._parse_value(known[key], item, at[key]) for key, item in value.items()}
        limit = Limit(name=name, **_fields(name, {**terms, **read}))  # type: ignore[arg-type]
        self._check_combination(limit, path, value)
        return limit

    def _check_combination(self, limit: Limit, path: _Path, value: Any) -> None:
        """Raise SettingsError for keys that exclude each other."""
        if limit.name == "max_drawdown" and not limit.trailing:
            if limit.lock_at is not None:
                raise self._error(path, value, "lock_at belongs to `kind: trailing`")
            if limit.basis == "end_of_day":
                raise self._error(path, value, "`basis: end_of_day` belongs to `kind: trailing`")
        if limit.lock_at is not None and limit.lock_at <= -limit.threshold:
            raise self._error(path, value, f"lock_at lies above -{limit.threshold:f}, where the floor begins")

    def _parse_value(self, rule: ValueRule[Any], value: Any, path: _Path) -> Any:
        try:
            return rule.parse(value)
        except InvalidValueError as error:
            raise self._error(path, value, str(error)) from None

    def _mapping(self, content: Any, path: _Path) -> dict[str, Any]:
        if content in _NULL:
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


def _fields(name: str, read: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a limit by the names of its struct."""
    fields = {_FIELDS.get(key, key): value for key, value in read.items()}
    if name == "trading_hours":
        fields["threshold"] = Decimal(1)
    return fields


def _percents(value: Any) -> tuple[Decimal, ...]:
    items = value if isinstance(value, list) else [] if value in _NULL else [value]
    marks = tuple(_PERCENTAGE.convert(item) for item in items)
    if list(marks) != sorted(set(marks)):
        raise ValueError
    return marks


def _range(text: str) -> TimeOfDayRange:
    start, _, end = text.partition("-")
    span = TimeOfDayRange(_clock(start.strip()), _clock(end.strip()))
    if span.start == span.end:
        raise ValueError
    return span


def _clock(text: str) -> time:
    return time(0) if text == "24:00" else TIME_OF_DAY.convert(text)


def _parse_ranges(value: Any) -> tuple[TimeOfDayRange, ...]:
    return tuple(_RANGE.convert(item) for item in (value if isinstance(value, list) else [value]))


def _parse_optional_ranges(value: Any) -> tuple[TimeOfDayRange, ...]:
    return () if value in _NULL else _parse_ranges(value)


def _parse_hours(value: Any) -> tuple[TimeOfDayRange, ...]:
    spans = _parse_ranges(value)
    if not spans:
        raise ValueError
    return spans


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


_PERCENTAGE = number("a percentage above 0 and up to 100", above="0", most="100")
_SMALL = number("a whole number not below 0", least="0", most="100000", whole=True)
_RANGE = text_rule("HH:MM-HH:MM", _range)
_SPANS = "HH:MM-HH:MM or a list, in the trading day's time zone"
_DURATION_KEY = text_rule("a duration such as 90s, 15m or 2h, or null", _duration)
_MONEY = number("an amount of money above 0, such as 500", above="0")
_COUNT = number("a whole number above 0", above="0", most="1000000", whole=True)
_LOSS_BASIS = either("closed", "open_pnl")

#: Keys that every limit may have; next to the limits they apply to all limits of an account.
_OPTION_KEYS: dict[str, ValueRule[Any]] = {
    "warn_at": ValueRule("an ascending list of percentages up to 100, for example [50, 75, 90]", _percents),
    "hysteresis": number("percentage points from 0 to 50", least="0", most="50"),
    "min_trades": text_rule(_SMALL.allowed, lambda text: int(_SMALL.convert(text))),
    "silence": ValueRule(_SPANS, _parse_optional_ranges),
    "on_unknown": either("hold", "breach"),
}

_LOSS: tuple[str, dict[str, ValueRule[Any]]] = ("amount", {"amount": _MONEY, "basis": _LOSS_BASIS})
#: For each limit: the key of its short form `name: value`, and the keys it may have.
_SHAPES: dict[str, tuple[str, dict[str, ValueRule[Any]]]] = {
    "daily_loss": _LOSS,
    "weekly_loss": _LOSS,
    "monthly_loss": _LOSS,
    "max_drawdown": (
        "amount",
        {
            "amount": _MONEY,
            "kind": meaning({"static": False, "trailing": True}),
            "basis": either("closed", "end_of_day", "open_pnl"),
            "lock_at": number("an amount above the starting equity (0 = the start)", above="-1E18"),
            "since": ISO_DATE,
        },
    ),
    "max_trades": ("number", {"number": _COUNT}),
    "max_losses_in_a_row": ("number", {"number": _COUNT}),
    "max_open_quantity": (
        "quantity",
        {
            "quantity": number("a quantity above 0", above="0"),
            "per": meaning({"account": False, "symbol": True}),
        },
    ),
    "profit_lock": (
        "give_back",
        {
            "give_back": _PERCENTAGE,
            "from": number("an amount of money not below 0", least="0"),
        },
    ),
    "trading_hours": ("hours", {"hours": ValueRule(_SPANS, _parse_hours)}),
}  # fmt: skip
_FIELDS = {
    "amount": "threshold",
    "number": "threshold",
    "quantity": "threshold",
    "give_back": "threshold",
    "kind": "trailing",
    "per": "per_symbol",
    "from": "armed_from",
    "silence": "mute_windows",
    "hours": "trading_hours",
}
