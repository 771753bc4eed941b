"""Paged lists, newest first, with a cursor for the next page."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from tearsheet.performance.summary import Scope
from tearsheet.store.list_values import Item, Page, PageCursor
from tearsheet.store.tables.columns import FillRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.query_rows import RejectionListRow
from tearsheet.store.tables.rows import LINE_BITS, fill_from_row, rejection_from_row
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, Rejection
from tearsheet.trade.session import to_micros

#: Rows per query.
CHUNK_ROWS = 500
LAST_INSTANT = (1 << 62) - 1
_LAST_ID = (1 << 63) - 1
#: Greater than every id of a position or an alert.
LAST_TEXT = "~"


class RowRange(Struct, frozen=True):
    """Filter of a list: the rows of a scope in `[since, until)`, after a cursor.

    `holds` says whether a time of an account belongs to the list: days differ by account.
    """

    scope: Scope
    since: datetime
    until: datetime
    after: PageCursor | None = None
    holds: Callable[[str, datetime], bool] = lambda account, at: True


def fills(queries: Queries, span: RowRange, number: int) -> Page[Fill]:
    """Return a page of the fills of a scope."""

    def belongs(fill: Fill) -> bool:
        scope = span.scope
        return (
            scope.strategy in (None, fill.strategy)
            and scope.symbol in (None, fill.symbol)
            and scope.mode in (None, fill.mode)
            and span.holds(fill.account, fill.time)
        )

    return make_page(_rows_after(queries, span, "fills"), belongs, number)


def events_with_money(queries: Queries, span: RowRange, number: int) -> Page[tuple[Event, int]]:
    """Return a page of the events of a scope that state money, each with the number of its import."""

    def belongs(item: tuple[Event, int]) -> bool:
        event = item[0]
        return span.scope.symbol in (None, event.symbol) and span.holds(event.account, event.time)

    found = (
        ((fill, int(place.id) >> LINE_BITS), place)
        for fill, place in _rows_after(queries, span, "cash")
        if isinstance(fill, Event)
    )
    return make_page(found, belongs, number)


def rejections(queries: Queries, after: PageCursor | None, number: int) -> Page[Rejection]:
    """Return a page of rejected lines, the last read first."""
    before = _LAST_ID if after is None else after.id
    found = queries.rows(RejectionListRow, "page_of_rejections", (before, number + 1))
    following = PageCursor(0, found[number - 1].id) if len(found) > number else None
    return Page(list(map(rejection_from_row, found[:number])), following)


def _rows_after(queries: Queries, span: RowRange, what: str) -> Iterator[tuple[Fill, PageCursor]]:
    """Stream fills, or events with money, with their cursors."""
    account = span.scope.account
    since_us = to_micros(span.since)
    place = span.after or PageCursor(to_micros(span.until) - 1, _LAST_ID)
    which, scope = ("all", ()) if account is None else ("account", (account,))
    while True:
        bounds = (since_us, place.time_us, place.time_us, place.id, CHUNK_ROWS)
        found = queries.rows(FillRow, f"page_of_{what}_{which}", (*scope, *bounds))
        for row in found:
            place = PageCursor(row.time_us, row.id)
            yield fill_from_row(row), place
        if len(found) < CHUNK_ROWS:
            return


def make_page(
    found: Iterable[tuple[Item, PageCursor]], belongs: Callable[[Item], bool], number: int
) -> Page[Item]:
    """Return the first `number` items that the filter includes, with the cursor of the next page, if any."""
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
