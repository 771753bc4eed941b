"""Request bodies with money of accounts: JSON with exact numbers, as events."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from tearsheet.sources.api_body import (
    FIELD_RULES,
    JsonField,
    PostedRow,
    field_texts,
    posted_rows,
    rejection_of,
)
from tearsheet.sources.statements.raw_fill import RawEvent
from tearsheet.sources.text.problem import RowError, RowProblem
from tearsheet.sources.text.stated_money import REFUND_WORD, check_stated_money
from tearsheet.trade.event import CARRY, CASH, MONEY_KINDS, NO_TERMS, EventTerms
from tearsheet.trade.instrument import Instruments
from tearsheet.trade.value_rule import one_of

_NAME, _AMOUNT, _TIME, _DAY, _CURRENCY, _ID = (
    FIELD_RULES[name] for name in ("name", "amount", "time", "day", "currency", "id")
)
_KINDS, _LEGS, _REFUND = one_of(*MONEY_KINDS), one_of("long", "short"), one_of(REFUND_WORD)

CASH_FIELDS = {
    "account": JsonField("Whose money it is.", *_NAME),
    "time": JsonField("When it moved in the broker's books.", *_TIME),
    "kind": JsonField("What it is.", {"type": "string", "enum": list(MONEY_KINDS)}, _KINDS.parse),
    "amount": JsonField("As it moved the balance: what was paid is below 0.", *_AMOUNT),
    "currency": JsonField("Without one, that of the account.", *_CURRENCY, False),
    "symbol": JsonField("The instrument that caused it; carry and fees of trades need it.", *_NAME, False),
    "leg": JsonField("The side that bore it, in hedge mode.", {"type": "string", "enum": ["long", "short"]}, _LEGS.parse, False),
    "ex_date": JsonField("The day that decides which position bears it.", *_DAY, False),
    "id": JsonField("The broker's id, unique within account and kind.", *_ID, False),
    "note": JsonField("What is to be remembered of it.", *_NAME, False),
    "refund": JsonField("Of a cost or tax that came back: its amount is above 0.", {"type": "string", "enum": [REFUND_WORD]}, _REFUND.parse, False),
    "to_currency": JsonField("Of a conversion: the other currency.", *_CURRENCY, False),
    "to_amount": JsonField("Of a conversion: what came of it.", *_AMOUNT, False),
}  # fmt: skip
_TWICE = RowProblem("conflicting_id", "the same event stands twice in this request", "send it once")


def parse_cash(
    objects: Iterable[dict[str, Any]], name: str, instruments: Instruments, currency_of: Callable[[str], str]
) -> list[PostedRow]:
    """Parse the money of a request, or reject it."""
    parser = posted_rows(name, instruments)
    made: list[PostedRow] = []
    for line, content in enumerate(objects, 1):
        try:
            texts = dict(zip(CASH_FIELDS, field_texts(content, CASH_FIELDS, tuple(CASH_FIELDS)), strict=True))
            raw = _raw_event(texts, currency_of)
        except RowError as bad:
            made.append((line, rejection_of(bad, content, name, line)))
            continue
        shown = [str(content)]
        for leg in filter(None, (raw, raw.second_leg())):
            made.append((line, parser.parse_event(leg, line, shown) or parser.reject(line, shown, _TWICE)))
    return made


def _raw_event(texts: dict[str, str], currency_of: Callable[[str], str]) -> RawEvent:
    """Return the event that the fields state. Raises RowError."""
    kind = next(one for one in MONEY_KINDS if one == texts["kind"])
    if kind not in CASH and not texts["symbol"]:
        needs = "the instrument that was held" if kind in CARRY else "the instrument that was traded"
        raise RowError("missing_field", f"symbol is missing, and {kind} needs it", f"name {needs}")
    received = None
    if texts["to_amount"] or texts["to_currency"]:
        if kind != "conversion" or not (texts["to_amount"] and texts["to_currency"]):
            raise RowError(
                "bad_value",
                "to_currency and to_amount do not fit",
                "a conversion states both, nothing else does",
            )
        received = Decimal(texts["to_amount"]), texts["to_currency"]
    currency = texts["currency"] or (currency_of(texts["account"]) if kind in CASH else "")
    amount = Decimal(texts["amount"])
    check_stated_money(kind, amount, currency, received, texts["refund"])
    return RawEvent(
        kind=kind,
        amount=amount,
        terms=EventTerms(note=texts["note"]) if texts["note"] else NO_TERMS,
        account=texts["account"],
        symbol=texts["symbol"],
        time=texts["time"],
        currency=currency,
        event_id=texts["id"],
        position_side=texts["leg"],
        held_on=texts["ex_date"],
        received=received,
    )
