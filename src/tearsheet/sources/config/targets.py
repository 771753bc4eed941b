"""Targets file: YAML with exact numbers; every value out of range is an error."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from tearsheet.errors import SettingsError
from tearsheet.rules import DEFAULT_TARGETS, Targets
from tearsheet.trade.amount import parse_amount
from tearsheet.trade.value_rule import InvalidValueError, number, text_rule


def _percentage(text: str) -> Decimal:
    """Return 0 or a percentage from 1: 0.6 is far more likely a ratio by mistake than 0.6 %."""
    value = parse_amount(text)
    if value != 0 and not 1 <= value <= 100:
        raise ValueError
    return value


_RULES = {
    "win_rate_target": text_rule("a percentage, 0 or 1 to 100 (60 means 60%)", _percentage),
    "daily_pl_target": number("an amount; negative = floor"),
    "trades_per_day_target": number("a number not below 0", least="0"),
    "max_drawdown_target": number("an amount of money not above 0, such as -500", most="0"),
    "avg_risk_reward_target": number("a number not below 0", least="0"),
}
_NULL = ("", "null", "~", "Null", "NULL")


def load_targets(path: Path) -> tuple[Targets, bool]:
    """Return the targets of a file and whether it exists; without a file, the defaults.

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
    """Parse the targets of a YAML text, at its top or under `targets:`; check its `limits:` and `objectives:` too."""
    from tearsheet.sources.config.yaml import load_mapping  # a YAML parser, only for files that are new

    content = load_mapping(text, file)
    rules = [content.pop(key, None) for key in ("limits", "objectives")]
    if any(one is not None for one in rules):
        from tearsheet.sources.config.limits import parse_limits

        parse_limits(text, file)
    if set(content) == {"targets"}:
        content = content["targets"] or {}
        if not isinstance(content, dict):
            raise SettingsError(f"{file}: targets is {content!r}", "use one key per target")
    values = {}
    for key, value in content.items():
        if key not in _RULES:
            import difflib  # only for this hint

            near = difflib.get_close_matches(key, _RULES, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_RULES)}"
            raise SettingsError(f"{file}: unknown target {key}", hint, (key,))
        values[key] = _value(file, key, value)
    return Targets(**values)


def _value(file: str, key: str, value: Any) -> Decimal | None:
    if value in _NULL:
        return None
    try:
        return _RULES[key].parse(value)
    except InvalidValueError as error:
        raise SettingsError(f"{file}: {key} is {value!r}", f"{error}, or null", (key,)) from None
