"""What each key of a limit may say: value rules by limit and key, and the fields that they fill."""

import re
from datetime import time, timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct

from tearsheet.rules.limit import Limit, ScaleStep, TimeOfDayRange
from tearsheet.trade.value_rule import ISO_DATE, TIME_OF_DAY, ValueRule, either, meaning, number, text_rule

#: Texts that stand for no value.
NULL = (None, "", "null", "~", "Null", "NULL")
_DURATION = re.compile(r"([1-9]\d{0,5})(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_MAX_STEPS = 100


class LimitShape(Struct, frozen=True):
    """Keys of a limit: that of its short form `name: value`, those of which one must stand there, and all."""

    short: str
    keys: dict[str, ValueRule[Any]]
    one_of: tuple[str, ...]


def _percents(value: Any) -> tuple[Decimal, ...]:
    items = value if isinstance(value, list) else [] if value in NULL else [value]
    marks = tuple(PERCENTAGE.convert(item) for item in items)
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
    return () if value in NULL else _parse_ranges(value)


def _parse_hours(value: Any) -> tuple[TimeOfDayRange, ...]:
    spans = _parse_ranges(value)
    if not spans:
        raise ValueError
    return spans


def _members(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise ValueError
    if len(value) < 2 or len(set(value)) != len(value):
        raise ValueError
    return tuple(value)


def _file_name(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise ValueError
    return text.strip()


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def _pairs(value: Any) -> dict[str, Any]:
    """Return a mapping, or its short text such as `ES: 5, MES: 50`."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise ValueError
    pairs = [part.split(":") for part in value.split(",")]
    found = {name.strip(): number_.strip() for name, number_ in pairs}
    if len(found) != len(pairs):
        raise ValueError
    return found


def _by_root(value: Any) -> dict[str, Decimal]:
    found = {name.strip().upper(): QUANTITY.convert(item) for name, item in _pairs(value).items()}
    if not found or "" in found or len(found) > _MAX_STEPS:
        raise ValueError
    return found


def _scale(value: Any) -> tuple[ScaleStep, ...]:
    if isinstance(value, list):
        if not all(isinstance(one, dict) and one.keys() == {"from", "quantity"} for one in value):
            raise ValueError
        steps = tuple(
            ScaleStep(_ANY.convert(one["from"]), QUANTITY.convert(one["quantity"])) for one in value
        )
    else:
        pairs = _pairs(value).items()
        steps = tuple(ScaleStep(_ANY.convert(profit), QUANTITY.convert(item)) for profit, item in pairs)
    profits = [step.profit for step in steps]
    if not steps or profits != sorted(set(profits)) or len(steps) > _MAX_STEPS:
        raise ValueError
    return steps


PERCENTAGE = number("a percentage above 0 and up to 100", above="0", most="100")
_SMALL = number("a whole number not below 0", least="0", most="100000", whole=True)
_RANGE = text_rule("HH:MM-HH:MM", _range)
_SPANS = "HH:MM-HH:MM or a list, in the trading day's time zone"
DURATION = text_rule("a duration such as 90s, 15m or 2h, or null", _duration)
_MARGIN = text_rule(
    "a duration such as 90s, 2m or 1h, or 0", lambda text: timedelta(0) if text == "0" else _duration(text)
)
MONEY = number("an amount of money above 0, such as 500", above="0")
_ANY = number("an amount of money", least="-1E15", most="1E15")
QUANTITY = number("a quantity above 0", above="0")
COUNT = number("a whole number above 0", above="0", most="1000000", whole=True)
_LOSS_BASIS = either("closed", "open_pnl")
_LEVELS = ("day_balance", "day_equity", "day_higher")
_BREAKS = either("reached", "below")
_SEVERITY = either("fail", "pause")

#: Keys that every limit may have; next to the limits they apply to all limits of an account.
OPTION_KEYS: dict[str, ValueRule[Any]] = {
    "warn_at": ValueRule("an ascending list of percentages up to 100, for example [50, 75, 90]", _percents),
    "hysteresis": number("percentage points from 0 to 50", least="0", most="50"),
    "min_trades": text_rule(_SMALL.allowed, lambda text: int(_SMALL.convert(text))),
    "silence": ValueRule(_SPANS, _parse_optional_ranges),
    "on_unknown": either("hold", "breach"),
}

_MONEY_KEYS: dict[str, ValueRule[Any]] = {"amount": MONEY, "percent": PERCENTAGE}
_OF_INITIAL = {"of": either("initial")}
_ENDS = {"breaks": _BREAKS, "severity": _SEVERITY}
_LOSS = LimitShape(
    "amount", {**_MONEY_KEYS, **_OF_INITIAL, "basis": _LOSS_BASIS, **_ENDS}, ("amount", "percent")
)
#: For each limit: the key of its short form `name: value`, and the keys it may have.
SHAPES: dict[str, LimitShape] = {
    "daily_loss": LimitShape(
        "amount",
        {
            **_MONEY_KEYS,
            "of": either("initial", *_LEVELS),
            "from": either(*_LEVELS),
            "basis": _LOSS_BASIS,
            **_ENDS,
        },
        ("amount", "percent"),
    ),
    "weekly_loss": _LOSS,
    "monthly_loss": _LOSS,
    "max_drawdown": LimitShape(
        "amount",
        {
            **_MONEY_KEYS,
            **_OF_INITIAL,
            "kind": meaning({"static": False, "trailing": True}),
            "basis": either("closed", "end_of_day", "open_pnl"),
            "judged": either("closed", "open_pnl", "end_of_day"),
            "lock_at": number("an amount above the starting equity (0 = the start)", above="-1E18"),
            "on_payout": either("follow", "keep", "lock"),
            "since": ISO_DATE,
            **_ENDS,
        },
        ("amount", "percent"),
    ),
    "max_trades": LimitShape("number", {"number": COUNT, "severity": _SEVERITY}, ("number",)),
    "max_losses_in_a_row": LimitShape("number", {"number": COUNT, "severity": _SEVERITY}, ("number",)),
    "max_open_quantity": LimitShape(
        "quantity",
        {
            "quantity": QUANTITY,
            "per": meaning({"account": False, "symbol": True}),
            "scale": ValueRule(
                "a list such as [{from: 0, quantity: 2}, {from: 1500, quantity: 3}] with rising profits",
                _scale,
            ),
            "symbols": ValueRule("quantities by root or symbol, such as {ES: 5, MES: 50}", _by_root),
            "weights": ValueRule("what one of a root or symbol counts, such as {MES: 0.1}", _by_root),
            **_ENDS,
        },
        ("quantity", "scale", "symbols"),
    ),
    "profit_lock": LimitShape(
        "give_back",
        {
            "give_back": PERCENTAGE,
            "from": number("an amount of money not below 0", least="0"),
            "severity": _SEVERITY,
        },
        ("give_back",),
    ),
    "trading_hours": LimitShape(
        "hours", {"hours": ValueRule(_SPANS, _parse_hours), "severity": _SEVERITY}, ("hours",)
    ),
    "no_trading": LimitShape(
        "calendar",
        {
            "calendar": text_rule("a CSV file with the columns at, symbols and title", _file_name),
            "before": _MARGIN,
            "after": _MARGIN,
            "severity": _SEVERITY,
        },
        ("calendar",),
    ),
    "inactivity": LimitShape("days", {"days": COUNT, "severity": _SEVERITY}, ("days",)),
}
#: Limits of a group beside `hedged`.
GROUP_KEYS = (
    "daily_loss",
    "weekly_loss",
    "monthly_loss",
    "max_drawdown",
    "max_trades",
    "max_open_quantity",
    "hedged",
)
MEMBERS = ValueRule("a list of two accounts or more, such as [A1, A2]", _members)
HEDGED = meaning({"breach": Limit(name="hedged", threshold=Decimal(1))})
#: Fields of `Limit` that keys of another name fill; `from` of a daily loss is a level.
_FIELDS = {
    "amount": "threshold",
    "percent": "threshold",
    "number": "threshold",
    "quantity": "threshold",
    "give_back": "threshold",
    "days": "threshold",
    "of": "percent_of",
    "kind": "trailing",
    "per": "per_symbol",
    "from": "armed_from",
    "silence": "mute_windows",
    "hours": "trading_hours",
}


def limit_fields(name: str, read: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a limit by the names of its struct."""
    own = {**_FIELDS, "from": "day_from"} if name == "daily_loss" else _FIELDS
    fields = {own.get(key, key): value for key, value in read.items()}
    if "percent" in read:
        fields.setdefault("percent_of", "initial")
    if name in ("trading_hours", "no_trading"):
        fields["threshold"] = Decimal(1)
    if name == "max_open_quantity":
        # 0: no quantity for all together; the scale or the named roots decide
        fields.setdefault("threshold", Decimal(0))
    return fields


def combination_problem(name: str, read: dict[str, Any]) -> str | None:
    """Return why the keys of a limit exclude each other, or None."""
    for one, other in (("amount", "percent"), ("quantity", "scale")):
        if one in read and other in read:
            return f"{one} and {other} exclude each other: state one of them"
    if "of" in read and "percent" not in read:
        return "`of` says what a `percent` is of"
    if "weights" in read and not {"quantity", "scale"} & read.keys():
        return "`weights` belong to a `quantity` or `scale`"
    return _drawdown_problem(read) if name == "max_drawdown" else None


def _drawdown_problem(read: dict[str, Any]) -> str | None:
    locks = read.get("on_payout") == "lock"
    if not read.get("kind", False):
        if "lock_at" in read and not locks:
            return "lock_at belongs to `kind: trailing`"
        if read.get("basis") == "end_of_day":
            return "`basis: end_of_day` belongs to `kind: trailing`"
    lock_at, amount = read.get("lock_at"), read.get("amount")
    if lock_at is not None and amount is not None and lock_at <= -amount:
        return f"lock_at lies above -{amount:f}, where the floor begins"
    return None
