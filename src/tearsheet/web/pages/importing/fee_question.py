"""The question for fees that an imported file does not state: a rule of the fee schedule, by a form."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from tearsheet.app.config.edit_fees import FeesEditor
from tearsheet.app.imports.uploads import UploadResult
from tearsheet.errors import SettingsError, UsageError
from tearsheet.tracker import PerformanceTracker

#: Amounts of a rule, with their labels.
FEE_UNITS = {
    "per_unit": "per contract or share, each side",
    "round_turn": "per contract or share, both sides",
    "per_order": "per order",
    "percent": "percent of the value",
}
_FUTURE = re.compile(r"([A-Z0-9]{1,4}?)[FGHJKMNQUVXZ]\d{1,2}")
_MOST = 12


class FeeScope(Struct, frozen=True):
    """Fills that a rule is for: those of an account, or of one of its futures."""

    account: str
    root: str = ""

    @property
    def label(self) -> str:
        """Return the name of the choice."""
        return f"{self.root} in {self.account}" if self.root else f"all of {self.account}"


def fee_scopes(result: UploadResult | None) -> Sequence[FeeScope]:
    """Return the accounts of an upload's trades, each with its futures; those with trades without fees first."""
    trades = () if result is None else result.trades
    without = {trade.account for trade in trades if not trade.fees}
    accounts = sorted({trade.account for trade in trades}, key=lambda name: (name not in without, name))
    roots = sorted(
        {(trade.account, match[1]) for trade in trades if (match := _FUTURE.fullmatch(trade.symbol))}
    )
    return [
        scope
        for account in accounts
        for scope in (
            FeeScope(account),
            *(FeeScope(owner, root) for owner, root in roots if owner == account),
        )
    ][:_MOST]


def save_fee(
    tracker: PerformanceTracker, scopes: Sequence[FeeScope], sent: Mapping[str, str], client: str
) -> str:
    """Save a rule of the fee schedule and rebuild the books; return why it was refused, "" if it was not."""
    number, unit, amount = (sent.get(name, "").strip() for name in ("scope", "unit", "amount"))
    if not (number.isdecimal() and len(number) < 5 and int(number) < len(scopes)) or unit not in FEE_UNITS:
        return "choose what the fee is for, and by what it is counted"
    if not amount:
        return "write an amount, such as 0.62"
    scope = scopes[int(number)]
    rule: dict[str, Any] = {"account": scope.account, unit: amount}
    try:
        FeesEditor(tracker).set_rule(rule | ({"root": scope.root} if scope.root else {}), client)
    except (SettingsError, UsageError) as error:
        return f"{error.message}; {error.hint}" if error.hint else error.message
    return ""
