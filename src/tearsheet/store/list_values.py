"""Values of long lists: pages, cursors, filters and sort orders."""

from typing import Generic, Literal, TypeVar, get_args

from msgspec import Struct

from tearsheet.trade.position import Outcome

Item = TypeVar("Item")
Sort = Literal["closed", "symbol", "account", "strategy", "side", "quantity", "held", "net", "r"]
SORTS: tuple[Sort, ...] = get_args(Sort)


class PageCursor(Struct, frozen=True):
    """Position in a list: time and ID of the last row of a page."""

    time_us: int
    id: int | str


class Page(Struct, Generic[Item], frozen=True):
    """Page of items with the cursor of the next page; the cursor of the last page is None."""

    items: list[Item]
    next: PageCursor | None


class TradeFilter(Struct, frozen=True):
    """Filter and order of a list of closed positions; `text` is part of a name."""

    side: Literal["long", "short"] | None = None
    outcome: Outcome | None = None
    text: str | None = None
    sort: Sort = "closed"
    ascending: bool = False
    tag: str | None = None

    @property
    def is_all(self) -> bool:
        """Return whether the filter includes every position."""
        return self == TradeFilter(sort=self.sort, ascending=self.ascending)


class TradeCursor(Struct, frozen=True):
    """Position in a sorted list: sort value, time and ID of the last row of a page."""

    value: int | str | None
    time_us: int
    id: str
