"""Objectives under `objectives:` of the targets file."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from tearsheet.rules.objective import OBJECTIVES, Objective
from tearsheet.sources.config.block_parser import BlockParser, Place
from tearsheet.sources.config.limit_keys import COUNT, MONEY, NULL, PERCENTAGE
from tearsheet.trade.value_rule import ISO_DATE, ValueRule, either, meaning, number, text_rule

_LAST_PAYOUT = "last_payout"
_BOOL = meaning({"true": True, "false": False})


def _since(text: str) -> date | str:
    return text if text == _LAST_PAYOUT else ISO_DATE.convert(text)


_SINCE = text_rule(f"a date such as 2026-11-02, or {_LAST_PAYOUT}", _since)
_TERMS: dict[str, ValueRule[Any]] = {"since": _SINCE, "by": ISO_DATE}
#: Keys beside the objectives, which hold for all of an account.
_OPTIONS: dict[str, ValueRule[Any]] = {**_TERMS, "restart_on_payout": _BOOL}
#: For each objective: the key of its short form, its keys, and those of which one must stand there.
_SHAPES: dict[str, tuple[str, dict[str, ValueRule[Any]], tuple[str, ...]]] = {
    "profit_target": (
        "amount",
        {"amount": MONEY, "percent": PERCENTAGE, "of": either("initial"), **_TERMS},
        ("amount", "percent"),
    ),
    "min_trading_days": ("number", {"number": COUNT, **_TERMS}, ("number",)),
    "winning_days": (
        "number",
        {
            "number": COUNT,
            "at_least": number("an amount of money not below 0", least="0"),
            "percent": PERCENTAGE,
            "of": either("initial"),
            "measure": either("closed", "equity"),
            **_TERMS,
        },
        ("number",),
    ),
    "consistency": (
        "best_day_percent",
        {
            "best_day_percent": PERCENTAGE,
            "of": either("profit", "positive_days", "target"),
            "strict": _BOOL,
            "variant": either("cap"),
            "best": either("day", "trade"),
            **_TERMS,
        },
        ("best_day_percent",),
    ),
}
#: Keys of an account's block.
OBJECTIVE_KEYS = (*OBJECTIVES, *_OPTIONS)
Block = Mapping[str, tuple[Any, Place]]


class ObjectivesParser(BlockParser):
    """Parser of the objectives of one file."""

    def block(self, content: Any, path: Place) -> dict[str, tuple[Any, Place]]:
        """Return the keys of an account, each with its value and place."""
        found = self.mapping(content, path)
        self.check_keys(found, OBJECTIVE_KEYS, path)
        return {key: (value, (*path, key)) for key, value in found.items()}

    def objectives(self, block: Block) -> tuple[Objective, ...]:
        """Return the objectives of an account."""
        terms = {key: self.parse_value(rule, *block[key]) for key, rule in _OPTIONS.items() if key in block}
        found = tuple(
            self._objective(name, *block[name], terms)
            for name in OBJECTIVES
            if name in block and block[name][0] not in NULL
        )
        names = {one.name for one in found}
        for one in found:
            if (
                one.name == "consistency"
                and (one.is_cap or one.of == "target")
                and "profit_target" not in names
            ):
                value, path = block["consistency"]
                raise self.error(path, value, "it is a share of the target: state a profit_target beside it")
        return found

    def _objective(self, name: Any, value: Any, path: Place, terms: dict[str, Any]) -> Objective:
        short, known, one_of = _SHAPES[name]
        read = self.parse_block(value, path, short, known, one_of)
        if "percent" in read and (other := {"amount", "at_least"} & read.keys()):
            raise self.error(path, value, f"{other.pop()} and percent exclude each other: state one of them")
        return Objective(name=name, **_fields(name, {**terms, **read}))


def _fields(name: str, read: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an objective by the names of its struct."""
    since = read.get("since")
    fields: dict[str, Any] = {
        "since": since if isinstance(since, date) else None,
        "since_payout": since == _LAST_PAYOUT or (since is None and read.get("restart_on_payout", False)),
        "by": read.get("by"),
    }
    if name == "profit_target":
        fields |= {"threshold": read.get("percent", read.get("amount")), "is_percent": "percent" in read}
    elif name == "consistency":
        fields |= {
            "threshold": read["best_day_percent"],
            "of": read.get("of", "profit"),
            "is_strict": read.get("strict", False),
            "is_cap": "variant" in read,
            "best": read.get("best", "day"),
        }
    else:
        fields["threshold"] = read["number"]
    if name == "winning_days":
        fields |= {
            "at_least": read.get("percent", read.get("at_least", Decimal(0))),
            "is_share_of_start": "percent" in read,
            "measure": read.get("measure", "closed"),
        }
    return fields
