"""Fees of fills whose source states none, by rules of the operator."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.trade.amount import ZERO, exact, trade_value
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill
from tearsheet.trade.instrument import Instrument, Instruments

_HUNDRED, _TWO = Decimal(100), Decimal(2)


class FeeRule(Struct, frozen=True, kw_only=True):
    """What a fill costs, in the currency of its instrument: the sum of the amounts, `minimum` at least.

    `per_unit` is for each contract, share or coin, `round_turn` for entry and exit of one together, `per_order` for the
    first fill of an order, `percent` of the value. It holds for the fills that have all it names, from `since` on.
    """

    account: str | None = None
    venue: str | None = None
    root: str | None = None
    symbol: str | None = None
    asset_class: str | None = None
    since: date | None = None
    per_unit: Decimal = ZERO
    round_turn: Decimal = ZERO
    per_order: Decimal = ZERO
    percent: Decimal = ZERO
    minimum: Decimal = ZERO

    @property
    def named(self) -> tuple[str | None, ...]:
        """Return what it names, without the date."""
        return self.account, self.venue, self.root, self.symbol, self.asset_class


class FeeSchedule:
    """Rules of fees; of those that hold for a fill the one that names most counts, then the latest."""

    def __init__(self, rules: Sequence[FeeRule], instruments: Instruments) -> None:
        self._rules = rules
        self._instruments = instruments

    @property
    def is_empty(self) -> bool:
        """Return whether there are no rules."""
        return not self._rules

    def priced(self, fill: Fill, continues_order: Callable[[Fill], bool]) -> Fill:
        """Return a fill with the fee of its rule, if its source states none and there is one.

        `continues_order` tells whether an earlier fill is of the same order.
        """
        if fill.states_fee or isinstance(fill, Event):
            return fill
        instrument = self._instruments.resolve(fill.symbol, fill.time.date())
        rule = self._rule(fill, instrument if isinstance(instrument, Instrument) else None)
        if rule is None:
            return fill
        with exact():
            fee = fill.quantity * (rule.per_unit + rule.round_turn / _TWO)
            fee += abs(trade_value(fill.quantity, fill.price, fill.multiplier)) * rule.percent / _HUNDRED
            if rule.per_order and not continues_order(fill):
                fee += rule.per_order
            return replace(fill, commission=max(fee, rule.minimum) + ZERO)

    def _rule(self, fill: Fill, instrument: Instrument | None) -> FeeRule | None:
        root = instrument.root if instrument else None
        row = self._instruments.futures.get(root) if root else None
        mine = (
            fill.account,
            row.exchange if row else None,
            root,
            fill.symbol,
            instrument.asset_class if instrument else None,
        )
        day = fill.time.date()
        holding = [
            (sum(name is not None for name in rule.named), rule.since or date.min, number)
            for number, rule in enumerate(self._rules)
            if (rule.since is None or rule.since <= day)
            and all(name in (None, own) for name, own in zip(rule.named, mine, strict=True))
        ]
        return self._rules[max(holding)[2]] if holding else None
