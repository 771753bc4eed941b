"""Events: what changes a position or an account without a trade.

An event stands in one order with the fills of its account and instrument. `CARRY` are amounts that holding
an instrument costs or pays; they belong to the position that was held. `CHANGES` change what is held.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args

from msgspec import Struct

from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.fill import Fill, digest

Carry = Literal[
    "funding",
    "swap",
    "dividend",
    "payment_in_lieu",
    "borrow_fee",
    "coupon",
    "accrued_interest",
    "rebate",
    "commission_adjustment",
    "return_of_capital",
    "option_adjustment",
]
#: A fee that has a row of its own; a foreign one is in another currency than the trade, and nobody states its rate.
FeeRow = Literal["trade_fee", "foreign_fee"]
#: Money that settles an option: a result of the position, beside the row that removes it.
Settlement = Literal["cash_settlement"]
#: A fill that the broker took back: it never was, but for what its fee and the cancellation's leave.
Cancel = Literal["cancel"]
#: What changes a position: its quantity, its instrument, or its end.
Change = Literal[
    "split",
    "rename",
    "merger",
    "spin_off",
    "settle",
    "transfer_in",
    "transfer_out",
    "opening",
    "opening_from_reported",
]
#: Money of the account that no instrument causes, by what it counts as.
Income = Literal["credit_interest", "lending_income", "staking", "bonus", "referral", "courtesy"]
Cost = Literal[
    "margin_interest",
    "platform_fee",
    "data_fee",
    "account_fee",
    "advisor_fee",
    "transfer_fee",
    "conversion_fee",
]
Tax = Literal["withholding_tax", "tax"]
Flow = Literal["deposit", "withdrawal", "payout", "transfer", "adjustment_flow"]
#: An adjustment is income or a cost by its sign, `adjustment_flow` one that somebody calls a flow. A conversion moves
#: money between currencies, and a credit that may not be withdrawn counts as nothing.
Cash = Literal[Income, Cost, Tax, Flow, "adjustment", "conversion", "credit"]
#: What money of an account counts as, beside the parts of trading: gross, fees and carry.
AccountPart = Literal["income", "costs", "tax", "flows", "converted"]
ACCOUNT_PARTS: tuple[AccountPart, ...] = get_args(AccountPart)
#: Flows that may come from another account of one's own, or go to one.
TRANSFERS: frozenset[str] = frozenset(("transfer", "transfer_in", "transfer_out"))
#: Parts of what an account made; the others came and went without being made.
RESULT_PARTS: frozenset[AccountPart] = frozenset(("income", "costs", "tax"))
#: Parts that are stated as what was paid.
_PAID: frozenset[AccountPart] = frozenset(("costs", "tax"))
EventKind = Literal[Carry, FeeRow, Settlement, Cancel, Change, Cash]
CARRY: frozenset[str] = frozenset(get_args(Carry))
CHANGES: frozenset[str] = frozenset((*get_args(Change), *get_args(Cancel)))
CASH: frozenset[str] = frozenset(get_args(Cash))
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)
#: Kinds whose money somebody can state.
MONEY_KINDS: tuple[EventKind, ...] = (*get_args(Cash), *get_args(Carry), "trade_fee")
_PART_OF: dict[str, AccountPart] = {
    **dict.fromkeys(get_args(Income), "income"),
    **dict.fromkeys(get_args(Cost), "costs"),
    **dict.fromkeys(get_args(Tax), "tax"),
    **dict.fromkeys((*get_args(Flow), "transfer_in", "transfer_out"), "flows"),
    "conversion": "converted",
}
#: Changes that link two instruments or accounts, which are booked together.
LINKS = ("rename", "merger", "spin_off", "transfer_out")
Ratio = tuple[Decimal, Decimal]


#: Codes of what books may lack; `PARTIAL_CODES` describes them.
GapCode = Literal[
    "unmatched_closes",
    "unknown_cost",
    "contradiction",
    "allocation_unknown",
    "foreign_fee",
    "opening_from_reported",
    "executions_missing",
]


class EventTerms(Struct, frozen=True, omit_defaults=True):
    """Terms of an event besides its amount.

    `held_at` is the instant at which the affected position was held, such as the beginning of an ex-date;
    without one it is the time of the event. `ratio` is new for old. `to` and `to_account` are where a position
    goes. `to_quantity` is the whole quantity that came of it, and `in_lieu` the cash for the fraction. `delta`
    is the quantity that came or went. `cost` is what shares that came had cost, None if unknown. `cost_share`
    is the share of the cost that goes with a spin-off. `how` is the way in which a position ended, `price` the
    price of that. `base_rate` is the rate into the account's currency that the row states, `note` what somebody wrote
    beside it.
    """

    held_at: datetime | None = None
    ratio: Ratio | None = None
    to: str | None = None
    to_account: str | None = None
    to_quantity: Decimal | None = None
    in_lieu: Decimal | None = None
    delta: Decimal | None = None
    cost: Decimal | None = None
    cost_share: Ratio | None = None
    how: str | None = None
    price: Decimal | None = None
    base_rate: Decimal | None = None
    note: str | None = None


NO_TERMS = EventTerms()


class Gap(Struct, frozen=True):
    """What the books of an instrument lack at a fill or event: a code, and words about it."""

    account: str
    symbol: str
    time: datetime
    rank: int
    key: str
    code: GapCode
    detail: str


class Event(Fill, frozen=True, gc=False, kw_only=True):
    """One event. `amount` is signed money in `currency`: below 0 was paid; None for a change without money.

    `quantity` is that of a change, 0 where it states none; its price is in `terms`.
    """

    kind: EventKind
    amount: Decimal | None = None
    terms: EventTerms = NO_TERMS

    @property
    def link(self) -> tuple[str, str] | None:
        """Return the account and symbol that the event links with its own."""
        if self.kind not in LINKS or not (self.terms.to or self.terms.to_account):
            return None
        return self.terms.to_account or self.account, self.terms.to or self.symbol


def account_part(kind: str, moved: Decimal) -> tuple[AccountPart, Decimal] | None:
    """Return what money that moved an account's balance counts as, and by how much; None for what counts as nothing."""
    part = _PART_OF.get(kind)
    if part is None and kind == "adjustment":
        part = "income" if moved > 0 else "costs"
    if part is None:
        return None
    return part, -moved if part in _PAID else moved


def event_key(event_id: str, kind: str) -> str:
    """Return the key of an event with an id of the broker, which is unique within its kind."""
    return f"e:{kind}:{event_id}"


def event_content_key(
    *, account: str, symbol: str, time: datetime, kind: str, amount: str, occurrence: int
) -> str:
    """Return the key of an event without an id: content hash and number of equal events before."""
    content = "\0".join((account, symbol, time.isoformat(), kind, amount))
    return f"e:{digest(content)}:{occurrence}"


def gap_at(fill: Fill, code: GapCode, detail: str) -> Gap:
    """Return what the books lack at a fill or event."""
    return Gap(fill.account, fill.symbol, fill.time, fill.rank, fill.key, code, detail)


def unmatched_gap(fill: Fill) -> Gap:
    """Return that a fill closes what nothing opened."""
    quantity, price = to_plain_string(fill.quantity), to_plain_string(fill.price)
    what = f"{fill.account} {fill.side.value} {quantity} {fill.symbol} @ {price}"
    detail = f"{what} at {fill.time.isoformat()} closes what nothing opened"
    return gap_at(fill, "unmatched_closes", detail)


def unlike_gap(fill: Fill, multiplier: Decimal, currency: str) -> Gap:
    """Return that a fill is of another multiplier or currency than its position, by whose it is booked."""
    own = f"{to_plain_string(fill.multiplier)} {fill.currency}"
    its = f"{to_plain_string(multiplier)} {currency}"
    what = f"{fill.account} {fill.symbol} at {fill.time.isoformat()}"
    detail = f"{what}: a point is {own}, and {its} in the open position"
    return gap_at(fill, "contradiction", detail)
