"""What a broker or a bot says happened: fills, logged trades, and lines that could not be read.

A fill's key names it for ever: the broker's execution id where there is one, else its content and
how often the same content stood before it in its file.
"""

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from tearsheet.trade.amount import ZERO, to_plain_string

Moment = Annotated[datetime, Meta(tz=True)]
Mode = Literal["PAPER", "LIVE"]


class Side(Enum):
    """Bought or sold."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The side that closes what this one opens."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Fill(Struct, frozen=True, gc=False, kw_only=True):
    """One execution. Quantity is positive, the side gives the sign; a commission is a cost,
    a rebate negative; the multiplier is money per point and unit, in `currency`.

    `rank` orders fills of one instrument at the same instant, as their source did.
    """

    account: str
    symbol: str
    time: datetime
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal = ZERO
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

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Where the fill stands among those of its account and instrument."""
        return (self.time, self.rank, self.key)


class FillRevision(Fill, frozen=True, gc=False, kw_only=True):
    """A later word on an execution, by its id: a correction takes its place, a bust takes it away."""

    kind: Literal["correction", "bust"]


class TradeRecord(Struct, frozen=True, gc=False, kw_only=True):
    """One line of a bot's trade log: its 27 fields, unknown ones ignored, optional ones null."""

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
        """Whether the record states the result of a closed position."""
        return self.outcome is not None and self.outcome != "open"

    @property
    def result_time(self) -> datetime:
        """When its result was realised."""
        return self.exit_timestamp or self.timestamp

    @property
    def account(self) -> str:
        """The account, `default` where the log names none."""
        return self.account_id or DEFAULT_ACCOUNT


DEFAULT_ACCOUNT = "default"


class Rejection(Struct, frozen=True, kw_only=True):
    """A line that could not be used: where it stands, what it says, why, and what to do.

    `since` and `until` bound the instants it may speak of; without them it may concern any window.
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


class UnmatchedClose(Struct, frozen=True):
    """So much of an instrument was closed, on this side, without having been opened; `at` and `line` are
    those of the first such fill."""

    account: str
    symbol: str
    side: str
    quantity: Decimal
    at: datetime
    line: int

    @property
    def message(self) -> str:
        """What is missing, in words."""
        opens = "sold" if self.side == "BUY" else "bought"
        return (
            f"line {self.line}: {self.account} {self.side} {to_plain_string(self.quantity)} {self.symbol} at "
            f"{self.at.isoformat()} closes what nothing opened: the fills that {opens} it are missing"
        )


#: What a rejection's code can be, and when it is given.
REJECTION_CODES = {
    "bad_json": "the line is no JSON object",
    "missing_field": "a required field is missing or empty",
    "bad_number": "a number is none, is not finite, or is too large or too fine to be money",
    "bad_time": "a time is none, has no zone, does not exist (DST gap), or lies outside 1970–2100",
    "bad_side": "the side is neither a buy nor a sell",
    "bad_quantity": "a quantity is zero or negative",
    "bad_value": "a field has a value outside the documented ones",
    "missing_result": "a closed outcome comes without its profit or loss",
    "unknown_instrument": "a futures contract whose multiplier nobody has stated",
    "ambiguous_instrument": "a bare futures root that may also be a stock",
    "conflicting_id": "an execution id came before with other content",
    "contradiction": "two columns of the row, or the row and what is known, do not agree",
    "foreign_fee": "the fee is in another currency than the trade",
    "unknown_row": "the row is neither a trade nor one that is known to be none",
    "extra_columns": "the row has more cells than the header",
    "bad_encoding": "the bytes are no text in the file's encoding",
    "unreadable_file": "a whole log file cannot be opened; it is tried again at the next sync",
    "line_too_long": "the line is longer than any record can be",
}


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
    """The key of a fill without an execution id: its content, and how many equal ones came before."""
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
    """The key of a fill that bears its broker's execution id; unique within its account."""
    return f"x:{fill_id}"


def digest(content: str) -> str:
    """A short stable name for a content: 64 bits in hexadecimal."""
    return blake2b(content.encode(), digest_size=8).hexdigest()
