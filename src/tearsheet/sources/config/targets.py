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
    # 0.6 is far more likely a ratio by mistake than a promise of 0.6 %
    "win_rate_target": (
        "a percentage, 0 or from 1 to 100 (60 means 60 %)",
        lambda v: v == 0 or 1 <= v <= 100,
    ),
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
    """The targets that a YAML text states, at its top or under `targets:`, beside its `limits:`."""
    from tearsheet.sources.config.yaml import load_mapping  # a YAML parser, only for files that are new

    content = load_mapping(text, file)
    if content.pop("limits", None) is not None:
        from tearsheet.sources.config.limits import parse_limits

        parse_limits(text, file)
    if set(content) == {"targets"}:
        content = content["targets"] or {}
        if not isinstance(content, dict):
            raise SettingsError(f"{file}: targets is {content!r}", "it holds a key for each target")
    values = {}
    for key, value in content.items():
        if key not in _ALLOWED:
            near = difflib.get_close_matches(key, _ALLOWED, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_ALLOWED)}"
            raise SettingsError(f"{file}: {key} is no target", hint, (key,))
        values[key] = _number(file, key, value)
    return Targets(**values)


def _number(file: str, key: str, value: Any) -> Decimal | None:
    allowed, fits = _ALLOWED[key]
    error = SettingsError(f"{file}: {key} is {value!r}", f"allowed is {allowed}, or null", (key,))
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
