"""Symbol, asset class and currency of an instrument, from the parts that a row states."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from tearsheet.sources.layouts.layout import Layout
from tearsheet.sources.text.contracts import coin_pair, option_symbol, spelled_contract
from tearsheet.sources.text.lines import truncate
from tearsheet.sources.text.problem import RowError
from tearsheet.trade.amount import ONE
from tearsheet.trade.contract_name import inverse_contract

_SHOWN = 300


class ContractTerms(Struct, frozen=True):
    """Multiplier of a contract, below 0 for an inverse one, and its currency."""

    multiplier: Decimal
    currency: str


class InstrumentNaming:
    """Rules of a layout by which an instrument gets its name."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._asset_classes: dict[str, str] = {}
        for word, kind in layout.asset_classes.items():
            self._asset_classes.setdefault(word.casefold(), kind)

    def instrument(self, values: Mapping[str, str]) -> tuple[str, str, str, str]:
        """Return symbol, asset class, base and currency. Raises RowError."""
        layout, symbol = self._layout, values.get("symbol", "")
        base, currency = values.get("base", ""), values.get("currency", "")
        named, asset_class = symbol, self._asset_class(values.get("asset_class", ""))
        if values.get("right") and layout.options == "spelled":
            named = spelled_contract(values, layout.expiries)
            asset_class = "future" if named.endswith(" FUT") else "option"
        elif values.get("right"):
            named, asset_class = option_symbol(values, layout.expiries), "option"
        elif not symbol:
            named = f"{base}/{currency}" if base and currency else values.get("underlying", "")
        if layout.quotes and (inverse := inverse_contract(named.upper())):
            return named, asset_class, "", inverse.coin
        if layout.quotes:
            base, currency = coin_pair(named, layout.quotes)
            if not base:
                raise RowError(
                    "unknown_instrument",
                    f"{symbol!r} is no pair of coins that is known here",
                    f"pairs end in one of {', '.join(layout.quotes)}",
                )
            base, currency = (layout.coin_names.get(coin, coin) for coin in (base, currency))
            named = f"{base}/{currency}"
        return named, asset_class, base, layout.coin_names.get(currency, currency)

    def _asset_class(self, word: str) -> str:
        if not self._asset_classes:
            return word
        kind = self._asset_classes.get(word.casefold())
        if kind is None:
            raise RowError(
                "unknown_row",
                f"unknown instrument type {truncate(word, _SHOWN)!r}",
                f"known are {', '.join(self._layout.asset_classes)}",
            )
        return kind

    def coin(self, name: str) -> str:
        """Return the usual name of a coin."""
        return self._layout.coin_names.get(name, name)

    def contract(self, values: Mapping[str, str], currency: str, base: str) -> ContractTerms | None:
        """Return the terms that the layout knows of a contract, or None."""
        layout = self._layout
        if worth := layout.inverse.get(currency):
            return ContractTerms(-worth, self.coin(base))
        if size := layout.contract_sizes.get(values.get("underlying", "")):
            is_contracts = values.get("unit", "cont").casefold().startswith("cont")
            return ContractTerms(Decimal(size) if is_contracts else ONE, currency)
        return ContractTerms(Decimal(layout.pair_lot), currency) if layout.pair_lot and base else None
