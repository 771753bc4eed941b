"""Reads the targets file: YAML, exact numbers, and an error for every value that makes no sense."""

import difflib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from tearsheet.errors import SettingsError
from tearsheet.rules import DEFAULT_TARGETS, Targets
from tearsheet.trade.amount import parse_amount

_ALLOWED: dict[str, tuple[str, Callable[[Decimal], bool]]] = {
    "win_rate_target": ("a percentage from 0 to 100", lambda v: 0 <= v <= 100),
    "daily_pl_target": ("an amount of money; a negative one is a floor", lambda v: True),
    "trades_per_day_target": ("a number not below 0", lambda v: v >= 0),
    "max_drawdown_target": ("an amount of money not above 0, such as -500", lambda v: v <= 0),
    "avg_risk_reward_target": ("a number not below 0", lambda v: v >= 0),
}
_NULL = ("", "null", "~", "Null", "NULL")


def load_targets(path: Path) -> tuple[Targets, bool]:
    """The targets of a file, and whether it exists; without one nothing is judged but risk-reward.

    Raises SettingsError naming file, key, value and what is allowed.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return DEFAULT_TARGETS, False
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{path} cannot be read: {reason}", "it is a YAML file") from None
    return parse_targets(text, str(path)), True


def parse_targets(text: str, file: str) -> Targets:
    """The targets that a YAML text states, at its top or under `targets:`."""
    content = yaml_mapping(text, file)
    if set(content) == {"targets"}:
        content = content["targets"]
        if not isinstance(content, dict):
            raise SettingsError(f"{file}: targets is {content!r}", "it holds a key for each target")
    values = {}
    for key, value in content.items():
        if key not in _ALLOWED:
            near = difflib.get_close_matches(key, _ALLOWED, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_ALLOWED)}"
            raise SettingsError(f"{file}: {key} is no target", hint)
        values[key] = _number(file, key, value)
    return Targets(**values)


def _number(file: str, key: str, value: Any) -> Decimal | None:
    allowed, fits = _ALLOWED[key]
    error = SettingsError(f"{file}: {key} is {value!r}", f"allowed is {allowed}, or null")
    if not isinstance(value, str):
        raise error
    if value in _NULL:
        return None
    try:
        number = parse_amount(value)
    except ValueError:
        raise error from None
    if not fits(number):
        raise error
    return number


def yaml_mapping(text: str, file: str) -> dict[str, Any]:
    """A YAML text as a mapping whose scalars are all text, so that numbers stay exact.

    PyYAML is imported here because it takes 25 ms, which a start without such a file is spared.
    """
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
        _refuse_doubles(root, file)
        content = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        problem = getattr(error, "problem", None) or str(error)
        raise SettingsError(f"{where} is no YAML: {problem}", "write `key: value` lines") from None
    if content in (None, ""):
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{file} holds {content!r}", "write `key: value` lines")
    return content


def _refuse_doubles(root: Any, file: str) -> None:
    """YAML takes the last of equal keys in silence; here they are an error."""
    for pairs in (root.value,) if getattr(root, "id", "") == "mapping" else ():
        seen = set()
        for key, value in pairs:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise SettingsError(f"{file}:{line}: {key.value} stands twice", "keep one of them")
            seen.add(key.value)
            _refuse_doubles(value, file)
