"""Long lists, a page at a time, the newest first; a page goes on after the last row of the one before."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct

from tearsheet.performance.summary import Scope
from tearsheet.store.tables import rows
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.fill import Fill, Rejection
from tearsheet.trade.session import to_micros

Item = TypeVar("Item")
#: Rows that are fetched at a time.
AT_ONCE = 500
LAST_INSTANT = (1 << 62) - 1
_LAST_ID = (1 << 63) - 1
#: Sorts after every id of a position or an alert.
LAST_TEXT = "~"


class PageCursor(Struct, frozen=True):
    """The last row of a page: its instant, and its id among those of the same instant."""

    time_us: int
    id: int | str


class Page(Struct, Generic[Item], frozen=True):
    """Some items, and where the next page begins; None after the last."""

    items: list[Item]
    next: PageCursor | None


class RowRange(Struct, frozen=True):
    """Which rows a list holds: those of a scope in `[since, until)`, after a place."""

    scope: Scope
    since: datetime
    until: datetime
    after: PageCursor | None = None


def fills(queries: Queries, span: RowRange, number: int) -> Page[Fill]:
    """A page of the fills of a scope."""

    def belongs(fill: Fill) -> bool:
        scope = span.scope
        return (
            scope.strategy in (None, fill.strategy)
            and scope.symbol in (None, fill.symbol)
            and scope.mode in (None, fill.mode)
        )

    found = _rows(queries, "page_of_fills", span, _LAST_ID, lambda row: (row[3], row[-1]))
    return make_page(((rows.fill_from_row(row), place) for row, place in found), belongs, number)


def rejections(queries: Queries, after: PageCursor | None, number: int) -> Page[Rejection]:
    """A page of the lines that could not be used, those read last first."""
    before = _LAST_ID if after is None else after.id
    found = queries.execute("page_of_rejections", (before, number + 1)).fetchall()
    items = [rows.rejection_from_row(row) for row in found[:number]]
    return Page(items, PageCursor(0, found[number - 1][-1]) if len(found) > number else None)


def _rows(
    queries: Queries,
    name: str,
    span: RowRange,
    last_id: int | str,
    place_of: Callable[[rows.Row], tuple[int, int | str]],
) -> Iterator[tuple[rows.Row, PageCursor]]:
    """Rows and their places, fetched some hundred at a time."""
    account = span.scope.account
    since_us = to_micros(span.since)
    place = span.after or PageCursor(to_micros(span.until) - 1, last_id)
    which, scope = ("all", ()) if account is None else ("account", (account,))
    while True:
        bounds = (since_us, place.time_us, place.time_us, place.id, AT_ONCE)
        found = queries.execute(f"{name}_{which}", (*scope, *bounds)).fetchall()
        for row in found:
            place = PageCursor(*place_of(row))
            yield row, place
        if len(found) < AT_ONCE:
            return


def make_page(
    found: Iterable[tuple[Item, PageCursor]], belongs: Callable[[Item], bool], number: int
) -> Page[Item]:
    """The first `number` items that belong, and where to go on if there are more."""
    items: list[Item] = []
    last: PageCursor | None = None
    for item, place in found:
        if not belongs(item):
            continue
        if len(items) == number:
            return Page(items, last)
        items.append(item)
        last = place
    return Page(items, None)
