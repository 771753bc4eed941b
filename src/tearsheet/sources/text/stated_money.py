"""Signs that money stated by hand has: statements of brokers are read as they are written."""

from decimal import Decimal
from typing import get_args

from tearsheet.sources.text.problem import RowError
from tearsheet.trade.event import Cost, Tax

#: Kinds that are paid; what came back of one is a refund.
_PAID: frozenset[str] = frozenset((*get_args(Cost), *get_args(Tax)))
REFUND_WORD = "yes"


def check_stated_money(
    kind: str, amount: Decimal | None, currency: str, received: tuple[Decimal, str] | None, refund: str
) -> None:
    """Refuse money whose sign contradicts its kind, and a conversion without two opposite legs. Raises RowError."""
    if refund and (refund != REFUND_WORD or kind not in _PAID or amount is None or amount < 0):
        hint = f"refund is {REFUND_WORD} or empty, beside a cost or tax whose amount is above 0"
        raise RowError("bad_value", f"refund {refund[:20]!r} does not fit", hint)
    if kind == "conversion":
        _check_conversion(amount, currency, received)
    if amount is None:
        return
    if kind == "deposit" and amount < 0:
        raise _sign_error(kind, amount, "below", "state what left the account as a withdrawal")
    if kind in ("withdrawal", "payout") and amount > 0:
        raise _sign_error(kind, amount, "above", "what left the account is below 0; a deposit is above 0")
    if kind in _PAID and amount > 0 and not refund:
        raise _sign_error(
            kind, amount, "above", f"what was paid is below 0; state what came back as refund {REFUND_WORD}"
        )


def _check_conversion(amount: Decimal | None, currency: str, received: tuple[Decimal, str] | None) -> None:
    hint = "state amount with currency and to_amount with to_currency: one below 0, one above 0, in two currencies"
    if received is None or amount is None or not currency:
        raise RowError("missing_field", "the conversion does not state both legs", hint)
    if not (amount < 0 < received[0] or received[0] < 0 < amount):
        raise RowError(
            "bad_value", f"amount {amount:f} and to_amount {received[0]:f} are not of opposite signs", hint
        )
    if currency.upper() == received[1].upper():
        raise RowError("bad_value", f"the conversion is from {currency} to itself", hint)


def _sign_error(kind: str, amount: Decimal, side: str, hint: str) -> RowError:
    return RowError("bad_value", f"the amount of a {kind} is {amount:f}, {side} 0", hint)
