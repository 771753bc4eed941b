"""Side of a row by its words and by the sign of its quantity."""

from collections.abc import Mapping
from decimal import Decimal

from tearsheet.sources.layouts.layout import Layout
from tearsheet.sources.text.lines import truncate
from tearsheet.sources.text.problem import RowError
from tearsheet.trade.amount import ZERO, to_plain_string
from tearsheet.trade.fill import Side

_SHOWN = 300


class SideRules:
    """Words for buy and sell of a layout, and what the sign of a quantity means."""

    def __init__(self, layout: Layout) -> None:
        self._words = layout.side_words(Side.BUY, Side.SELL)
        self._quantity = layout.quantity
        self._layout = layout

    def signed(self, word: str, quantity: Decimal | None) -> str:
        """Return the word for the side; sign and word must not contradict each other."""
        if quantity is None or (self._quantity == "unsigned" and quantity >= ZERO):
            return word
        if self._quantity == "unsigned":
            raise RowError(
                "bad_quantity",
                f"quantity must be positive, was {to_plain_string(quantity)}",
                "the side gives the sign",
            )
        if not word:
            return "SELL" if quantity < ZERO else "BUY"
        if quantity < ZERO and self._words.get(word.casefold()) is Side.BUY:
            raise RowError(
                "contradiction",
                f"side {word!r} contradicts quantity {to_plain_string(quantity)}",
                "check the row with your broker",
            )
        return word

    def order_side(self, values: Mapping[str, str], quantity: Decimal | None) -> str:
        """Return the word for the side of the order, which of one that closes is not that of the position."""
        word = self.signed(values.get("side", ""), quantity)
        if word.casefold() not in self._layout.position_words:
            return word
        side = self.side(word)
        closes = self._layout.effect(values.get("effect", ""), side) == "close"
        return side.opposite.value if closes else word

    def side(self, word: str) -> Side:
        side = self._words.get(word.casefold()) or (Side(word) if word in ("BUY", "SELL") else None)
        if side is None:
            raise RowError(
                "bad_side", f"unknown side {truncate(word, _SHOWN)!r}", f"allowed is {', '.join(self._words)}"
            )
        return side

    def price(self, values: Mapping[str, str], side: str) -> str:
        """Return the price in the column of the side, of a format with a column for each."""
        if "bought_at" not in values:
            return ""
        return values["bought_at"] if self.side(side) is Side.BUY else values.get("sold_at", "")
