"""Keys of 64 bits by which the ledger sorts amounts, and lists of positions by them."""

from decimal import Decimal
from functools import lru_cache

from tearsheet.trade.amount import EXACT
from tearsheet.trade.position import Position

#: Places of the first digit of an amount, before and after the point, that `sortable` distinguishes.
_PLACES = 400
_DIGITS = 10**16


def sortable(value: Decimal) -> int:
    """Return a 64-bit sort key of an amount: the place of its first digit, then its first 16 digits.

    Amounts that agree in these have the same key.
    """
    if not value:
        return 0
    place = value.adjusted()
    digits = int(value.scaleb(15 - place, EXACT))
    if not -_PLACES <= place <= _PLACES:
        place = _PLACES if place > 0 else -_PLACES
    beginning = (place + _PLACES) * _DIGITS
    return beginning + digits if digits > 0 else digits - beginning


_sortable_quantity = lru_cache(1000)(sortable)  # quantities repeat


def sort_keys(p: Position) -> tuple[int, int, int | None]:
    """Return the keys by which lists of positions are sorted: of net, quantity and R; call it inside `exact()`."""
    multiple = None if p.stop_loss is None else p.r_multiple
    return sortable(p.net), _sortable_quantity(p.quantity), None if multiple is None else sortable(multiple)
