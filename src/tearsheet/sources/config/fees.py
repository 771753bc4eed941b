"""The fee schedule: the list `fees` of the instruments file."""

from collections.abc import Mapping
from typing import Any

from tearsheet.errors import SettingsError
from tearsheet.trade.fee_schedule import FeeRule
from tearsheet.trade.instrument import ASSET_CLASSES
from tearsheet.trade.value_rule import ISO_DATE, InvalidValueError, ValueRule, number, one_of, text_rule

#: Key of the list in the instruments file.
FEES = "fees"
_AMOUNT = number("an amount not below 0", least="0")
_NAME = text_rule("a name", str)
#: Amounts of a rule.
FEE_AMOUNTS = ("per_contract", "per_share", "per_unit", "round_turn", "per_order", "percent", "minimum")
#: What a rule may name, and from which day it holds.
FEE_SCOPE = ("account", "venue", "root", "symbol", "asset_class", "from")
_RULES: dict[str, ValueRule[Any]] = {
    "account": _NAME,
    "venue": text_rule("an exchange, such as CME", str.upper),
    "root": text_rule("the root of a future, such as MNQ", str.upper),
    "symbol": _NAME,
    "asset_class": one_of(*ASSET_CLASSES),
    "from": ISO_DATE,
    **dict.fromkeys(FEE_AMOUNTS, _AMOUNT),
}
#: Other names of `per_unit`, and the field of the word `from`.
_FIELDS = {"per_contract": "per_unit", "per_share": "per_unit", "from": "since"}


def fees_in(text: str, file: str) -> tuple[FeeRule, ...]:
    """Return the fee rules of the text of an instruments file. Raises SettingsError."""
    if FEES not in text:
        return ()
    from tearsheet.sources.config.yaml import load_mapping  # a YAML parser, only where there are fees

    return parse_fees(load_mapping(text, file).get(FEES), file)


def parse_fees(content: Any, file: str) -> tuple[FeeRule, ...]:
    """Return the rules of a list. Raises SettingsError naming file, rule, key, value and what is allowed."""
    if content is None:
        return ()
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise SettingsError(
            f"{file}: {FEES} is {content!r}", "it is a list, such as - {root: MNQ, per_contract: 0.52}"
        )
    return tuple(_rule(one, f"{file}: {FEES}, rule {place}") for place, one in enumerate(content, 1))


def _rule(fields: Mapping[str, Any], where: str) -> FeeRule:
    values: dict[str, Any] = {}
    for key, value in fields.items():
        if key not in _RULES:
            raise SettingsError(f"{where}: {key} is unknown", f"known are {', '.join(_RULES)}")
        field = _FIELDS.get(key, key)
        if field in values:
            raise SettingsError(
                f"{where}: {key} stands twice, by two names", "state one amount for each unit"
            )
        try:
            values[field] = _RULES[key].parse(value)
        except InvalidValueError as error:
            raise SettingsError(f"{where}: {key} is {value!r}", str(error)) from None
    if not any(key in fields for key in FEE_AMOUNTS):
        raise SettingsError(f"{where} has no amount", f"it has one of {', '.join(FEE_AMOUNTS)}")
    return FeeRule(**values)
