"""Fields of the limits form: what each key of a limit is called, what may be chosen, how it is entered."""

from typing import Literal

from msgspec import Struct
from werkzeug.datastructures import MultiDict

Widget = Literal["number", "choice", "percents", "ranges", "date", "text"]
#: How many warning levels and time spans the form offers at least.
_PERCENTS, _SPARE_RANGES = 3, 1


class LimitField(Struct, frozen=True):
    """A key of a limit as people enter it; a choice is a value of the file with its words."""

    label: str
    widget: Widget
    unit: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    default: str = ""


_UNKNOWN = (("hold", "Keep positions, and say so"), ("breach", "Treat as breached: positions must be closed"))
_AMOUNT = LimitField("Amount", "number", "money")
_MAXIMUM = LimitField("Maximum", "number")
_DAY_LEVELS = (
    ("day_balance", "The balance when the day began"),
    ("day_equity", "The equity when the day began"),
    ("day_higher", "The higher of both when the day began"),
)
#: By key, or by limit and key where a key means different things.
_FIELDS: dict[str, LimitField] = {
    "amount": _AMOUNT,
    "number": _MAXIMUM,
    "quantity": _MAXIMUM,
    "give_back": LimitField("Give-back", "number", "% of the day's peak"),
    "from": LimitField("Active once the day's profit reaches", "number", "money", default="0"),
    "basis": LimitField(
        "Based on",
        "choice",
        choices=(("closed", "Booked results"), ("open_pnl", "Booked results and open P&L")),
        default="booked results",
    ),
    "max_drawdown.basis": LimitField(
        "Based on",
        "choice",
        choices=(
            ("closed", "Booked results"),
            ("end_of_day", "The end of each day (trailing only)"),
            ("open_pnl", "Booked results and open P&L"),
        ),
        default="booked results",
    ),
    "kind": LimitField(
        "Drawdown type",
        "choice",
        choices=(("static", "Static: below the start"), ("trailing", "Trailing: below the highest equity")),
        default="static",
    ),
    "percent": LimitField("Or a percentage", "number", "% instead of an amount"),
    "of": LimitField(
        "Percentage of",
        "choice",
        choices=(("initial", "The starting balance"),),
        default="the starting balance",
    ),
    "daily_loss.of": LimitField(
        "Percentage of",
        "choice",
        choices=(("initial", "The starting balance"), *_DAY_LEVELS),
        default="the starting balance",
    ),
    "daily_loss.from": LimitField(
        "Taken off", "choice", choices=_DAY_LEVELS, default="the balance when the day began"
    ),
    "breaks": LimitField(
        "Breaks",
        "choice",
        choices=(("reached", "When it is reached"), ("below", "Only beyond it")),
        default="when it is reached; a quantity beyond it",
    ),
    "severity": LimitField(
        "A breach",
        "choice",
        choices=(("fail", "Fails the account"), ("pause", "Pauses it until the limit resets")),
        default="fails the account",
    ),
    "judged": LimitField(
        "Held against the floor",
        "choice",
        choices=(
            ("closed", "Booked results"),
            ("open_pnl", "Booked results and open P&L"),
            ("end_of_day", "The balance at the end of each day"),
        ),
        default="as the line above; the end of a day counts as booked results",
    ),
    "on_payout": LimitField(
        "After a payout the floor",
        "choice",
        choices=(
            ("follow", "Goes down with it"),
            ("keep", "Stays"),
            ("lock", "Is set to the start and moves no more"),
        ),
        default="goes down with it",
    ),
    "scale": LimitField("By the day's first profit", "text", "profit: quantity, …", default="0: 2, 1500: 3"),
    "symbols": LimitField("By root or symbol", "text", "root: quantity, …", default="ES: 5, MES: 50"),
    "weights": LimitField("One counts as", "text", "root: share, …", default="MES: 0.1"),
    "calendar": LimitField("File of the news", "text", "CSV with at, symbols and title"),
    "before": LimitField("From so long before", "text", default="0"),
    "after": LimitField("Until so long after", "text", default="0"),
    "days": LimitField("Maximum", "number", "days"),
    "lock_at": LimitField("Stop trailing at", "number", "money, 0 is the start"),
    "since": LimitField("Start date", "date"),
    "per": LimitField(
        "Count per", "choice", choices=(("account", "Account"), ("symbol", "Symbol")), default="account"
    ),
    "hours": LimitField("Trading hours", "ranges"),
    "warn_at": LimitField("Warn at", "percents", "% of the limit", default="50, 75, 90"),
    "hysteresis": LimitField("Clear a warning below", "number", "percentage points", default="5"),
    "min_trades": LimitField("No warnings before", "number", "closed trades of the day", default="0"),
    "silence": LimitField("Mute warnings between", "ranges"),
    "on_unknown": LimitField(
        "If the status is unknown", "choice", choices=_UNKNOWN, default="keep positions"
    ),
    "stale_after": LimitField(
        "Data is stale after",
        "choice",
        choices=(
            ("1m", "1 minute"),
            ("5m", "5 minutes"),
            ("15m", "15 minutes"),
            ("30m", "30 minutes"),
            ("1h", "1 hour"),
            ("4h", "4 hours"),
            ("24h", "24 hours"),
            ("null", "Never: silence is normal"),
        ),
        default="15 minutes",
    ),
}


def limit_field(limit: str, key: str) -> LimitField:
    """Return how a key is entered, of a limit or of all limits of an account."""
    return _FIELDS.get(f"{limit}.{key}") or _FIELDS[key]


def percents_of(value: str) -> list[str]:
    """Return the inputs of warning levels: those of the file, and empty ones up to three."""
    found = _items(value)
    return found + [""] * max(0, _PERCENTS - len(found))


def ranges_of(value: str) -> list[tuple[str, str]]:
    """Return the inputs of time spans: those of the file, and an empty one."""
    spans = [tuple(part.strip() for part in item.partition("-")[::2]) for item in _items(value)]
    return [(start, "00:00" if end == "24:00" else end) for start, end in spans] + [("", "")] * _SPARE_RANGES


def submitted_limits(form: MultiDict[str, str]) -> dict[str, str]:
    """Return the values of a submitted form as the texts of the file: levels by commas, spans as `start-end`."""
    values = {name: ", ".join(filter(None, map(str.strip, form.getlist(name)))) for name in form}
    for name in [name.removesuffix(".from") for name in form if name.endswith(".from")]:
        spans = zip(form.getlist(f"{name}.from"), form.getlist(f"{name}.to"), strict=False)
        values[name] = ", ".join(f"{start}-{end}" for start, end in spans if start or end)
    return values


def _items(value: str) -> list[str]:
    return [one for one in (part.strip().strip("'\"") for part in value.strip("[]").split(",")) if one]
