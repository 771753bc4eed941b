"""Fills, trade-log records and rejected lines.

A fill's key is permanent: the broker's execution id, else a hash of its content plus the number of
fills with equal content before it in the file.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from itertools import repeat
from operator import attrgetter
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.session import is_ahead, possible_instants

#: Commission that nobody stated: it counts as 0 and is stored as "-0", unlike a stated 0.
NO_FEE = Decimal("-0")
#: How the keys of sides of round trips begin.
_LEG_KEYS = ("t:", "td:")
Moment = Annotated[datetime, Meta(tz=True)]
Mode = Literal["PAPER", "LIVE"]


class Side(Enum):
    """Side of a fill."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """Return the side that closes a position opened on this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Fill(Struct, frozen=True, gc=False):
    """One execution. `quantity` is positive; `commission` is a cost, a rebate is negative.

    Python builds a dict for a call with more than 15 keywords, so bulk readers pass the values by position.

    `multiplier` is money per point and unit, in `currency`. `rank` preserves the source's order of fills
    with the same time. `position_side` is long or short in an
    account that holds both at once, else None. `closes` is true where the broker marks the fill as closing: it
    never opens a position. `reported` is then the result after the fees of both sides that the broker states, if any.
    """

    account: str
    symbol: str
    time: datetime
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal
    multiplier: Decimal
    currency: str
    key: str
    rank: int = 0
    fill_id: str | None = None
    order_id: str | None = None
    strategy: str | None = None
    stop_loss: Decimal | None = None
    target: Decimal | None = None
    mode: Mode | None = None
    position_side: str | None = None
    closes: bool = False
    reported: Decimal | None = None

    @property
    def states_fee(self) -> bool:
        """Return whether the source states the commission, even if it is 0; see `NO_FEE`."""
        return bool(self.commission) or not self.commission.is_signed()

    @property
    def is_leg(self) -> bool:
        """Return whether the fill is a side of a round trip, and not an execution that a broker listed."""
        return self.key.startswith(_LEG_KEYS)

    @property
    def has_day_only(self) -> bool:
        """Return whether the fill is a side of a round trip of which only the day is known."""
        return self.key.startswith("td:")

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Return the sort key among the fills of an account and instrument."""
        return (self.time, self.rank, self.key)


class FillRevision(Fill, frozen=True, gc=False, kw_only=True):
    """A correction that replaces an execution by its id, or a bust that cancels it."""

    kind: Literal["correction", "bust"]


class TradeRecord(Struct, frozen=True, gc=False, kw_only=True):
    """One line of a bot's trade log; unknown fields are ignored."""

    timestamp: Moment
    symbol: str
    action: Side
    quantity: Decimal
    price: Decimal
    total_value: Decimal | None = None
    order_id: str | None = None
    execution_mode: Mode | None = None
    account_id: str | None = None
    strategy_name: str | None = None
    entry_type: str | None = None
    stop_loss: Decimal | None = None
    target: Decimal | None = None
    decision_reasoning: str | None = None
    indicators_used: Any = None
    risk_reward_ratio: Decimal | None = None
    outcome: Literal["win", "loss", "breakeven", "open"] | None = None
    profit_loss: Decimal | None = None
    hold_duration_seconds: Decimal | None = None
    exit_timestamp: Moment | None = None
    exit_reasoning: str | None = None
    slippage: Decimal | None = None
    commission: Decimal | None = None
    net_profit_loss: Decimal | None = None
    session_id: str | None = None
    bot_version: str | None = None
    config_hash: str | None = None

    @property
    def is_closed(self) -> bool:
        """Return whether the record has the result of a closed position."""
        return self.outcome is not None and self.outcome != "open"

    @property
    def result_time(self) -> datetime:
        """Return the time when the result was realized."""
        return self.exit_timestamp or self.timestamp

    @property
    def last_time(self) -> datetime:
        """Return the later of its times."""
        leaving = self.exit_timestamp
        return self.timestamp if leaving is None or leaving < self.timestamp else leaving

    @property
    def short_text(self) -> str:
        """Return what was ordered, for messages."""
        return f"{self.symbol} {self.action.value} {self.quantity} @ {self.price}"

    @property
    def account(self) -> str:
        """Return the account, `default` without one."""
        return self.account_id or DEFAULT_ACCOUNT


DEFAULT_ACCOUNT = "default"


class Rejection(Struct, frozen=True, kw_only=True):
    """A line that could not be imported: position, text, reason and hint.

    `since` and `until` bound the times it may belong to; without them it may affect any window.
    """

    file: str
    line: int
    text: str
    code: str
    reason: str
    hint: str = ""
    account: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class ConflictRejection(Rejection, frozen=True, kw_only=True):
    """Rejection of a line whose fill is stored with other content; `fill_key` is the key of that fill."""

    fill_key: str


class UnmatchedClose(Struct, frozen=True):
    """Quantity that was closed on a side without an opening fill; `at` and `line` of the first such fill."""

    account: str
    symbol: str
    side: str
    quantity: Decimal
    at: datetime
    line: int

    @property
    def message(self) -> str:
        """Return a sentence about the missing fills."""
        opened = "sold" if self.side == "BUY" else "bought"
        return (
            f"line {self.line}: {self.account} {self.side} {to_plain_string(self.quantity)} {self.symbol} at "
            f"{self.at.isoformat()} closes what nothing opened: the fills that {opened} it are missing"
        )


#: Codes of rejections, with their condition.
REJECTION_CODES = {
    "bad_json": "the line is no JSON object",
    "missing_field": "a required field is missing or empty",
    "bad_number": "a number is invalid, infinite, or has too many digits",
    "bad_time": "a time is invalid, has no time zone, falls into a daylight-saving gap, or is outside 1970–2100",
    "ahead_of_clock": "a log line's time has not come yet: the line is held, and counts from then on",
    "future_time": "a time lies more than a minute in the future, so the clock or the time zone is wrong",
    "bad_side": "the side is not recognized as buy or sell",
    "bad_quantity": "a quantity is zero or negative",
    "bad_value": "a field has an unsupported value",
    "missing_result": "a closed trade has no profit or loss",
    "unknown_instrument": "the contract multiplier is unknown",
    "ambiguous_instrument": "a futures root without a contract month could also be a stock symbol",
    "repeated_key": "a key stands twice in one object of a log; the line counts with the last value",
    "wrong_outcome": "the outcome of a log line is not that of its net result, which counts; nothing is partial",
    "conflicting_order": "a log uses an order id again on the same day, with another time; the later line counts",
    "conflicting_id": "this execution ID was already used for a different fill",
    "contradiction": "two values in the row contradict each other or the instrument data",
    "foreign_fee": "the fee is in a different currency than the trade",
    "unknown_row": "the row type is not recognized",
    "extra_columns": "the row has more columns than the header",
    "bad_encoding": "the row is not valid text in the file's encoding",
    "unreadable_file": "a log file cannot be opened; it is retried at the next sync",
    "line_too_long": "the line exceeds the maximum record length",
}


def future_fill(fill: Fill, file: str, line: int, now: datetime) -> Rejection | None:
    """Return the rejection of a fill beyond the clock tolerance in the future, else None."""
    if not is_ahead(fill.time, now):
        return None
    quantity, price = to_plain_string(fill.quantity), to_plain_string(fill.price)
    return future_time(
        file, line, f"{fill.symbol} {fill.side.value} {quantity} @ {price}", fill.time, now, fill.account
    )


def future_time(
    file: str, line: int, text: str, at: datetime, now: datetime, account: str | None = None
) -> Rejection:
    """Return the rejection of what is stated to happen in the future."""
    since, until = possible_instants(at, now)
    return Rejection(
        file=file,
        line=line,
        text=f"{text} at {at.isoformat()}",
        code="future_time",
        reason=f"{at.isoformat()} is in the future; the clock shows {now.isoformat(timespec='seconds')}",
        hint="check the time zone of the source, and this machine's clock",
        account=account,
        since=since,
        until=until,
    )


def content_key(
    *,
    account: str,
    symbol: str,
    time: datetime,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    commission: Decimal,
    occurrence: int,
) -> str:
    """Return the key of a fill without an execution id: content hash and number of equal fills before."""
    content = "\0".join(
        (
            account,
            symbol,
            time.astimezone(UTC).isoformat(),
            side.value,
            to_plain_string(quantity),
            to_plain_string(price),
            to_plain_string(commission),
        )
    )
    return f"c:{digest(content)}:{occurrence}"


def execution_key(fill_id: str) -> str:
    """Return the key of a fill with an execution id; unique within its account."""
    return f"x:{fill_id}"


def has_leg(fills: Iterable[Fill]) -> bool:
    """Return whether a fill is a side of a round trip; without a call of Python for each, as imports ask it of all."""
    return any(map(str.startswith, map(attrgetter("key"), fills), repeat(_LEG_KEYS)))


def leg_key(name: str, *, has_day_only: bool) -> str:
    """Return the key of a side of a round trip: by its id, or else by its content and number."""
    return f"td:{name}" if has_day_only else f"t:{name}"


def digest(content: str) -> str:
    """Return a stable 64-bit hash in hexadecimal."""
    return blake2b(content.encode(), digest_size=8).hexdigest()
