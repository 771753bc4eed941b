"""Named filters of the trade list, stored in the ledger, so that every browser and person has the same."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from tearsheet.app.context import LedgerContext
from tearsheet.errors import UsageError

_KEY = "saved_trade_filters"
_MAX_FILTERS, _MAX_LENGTH = 100, 60


class SavedFilter(Struct, frozen=True):
    """Filter with its name and its query parameters."""

    name: str
    parameters: Mapping[str, str]


class SavedFilters:
    """Saved filters of a context's ledger, in order of name."""

    def __init__(self, context: LedgerContext) -> None:
        self._ledger = context.ledger

    def all(self) -> tuple[SavedFilter, ...]:
        """Return the saved filters."""
        text = self._ledger.get(_KEY)
        return () if text is None else msgspec.json.decode(text, type=tuple[SavedFilter, ...])

    def save(self, name: str, parameters: Mapping[str, str]) -> None:
        """Save a filter under a name; one of that name is replaced. Raises UsageError, StoreError."""
        name = " ".join(name.split())
        if not name or len(name) > _MAX_LENGTH or not name.isprintable():
            raise UsageError(
                f"invalid name of a filter: {name[:_MAX_LENGTH]!r}", f"use 1 to {_MAX_LENGTH} characters"
            )
        with self._ledger.writing():
            others = [one for one in self.all() if one.name != name]
            if len(others) >= _MAX_FILTERS:
                raise UsageError(f"{len(others)} filters are saved", "delete one first")
            self._put([*others, SavedFilter(name, parameters)])

    def delete(self, name: str) -> None:
        """Delete the filter of a name, if there is one. Raises StoreError."""
        with self._ledger.writing():
            self._put([one for one in self.all() if one.name != name])

    def _put(self, filters: list[SavedFilter]) -> None:
        ordered = sorted(filters, key=lambda one: one.name.casefold())
        self._ledger.put(_KEY, msgspec.json.encode(ordered).decode())
