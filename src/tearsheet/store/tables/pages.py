"""Long lists, a page at a time, the newest first; a page goes on after the last row of the one before."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct

from tearsheet.performance.summary import Scope
from tearsheet.store.tables import rows
from tearsheet.store.tables.queries import Reading
from tearsheet.trade.fill import Fill, Rejection
from tearsheet.trade.session import to_micros

Item = TypeVar("Item")
#: Rows that are fetched at a time.
AT_ONCE = 500
LAST_INSTANT = (1 << 62) - 1
_LAST_ID = (1 << 63) - 1
#: Sorts after every id of a position or an alert.
LAST_TEXT = "~"


class Place(Struct, frozen=True):
    """The last row of a page: its instant, and its id among those of the same instant."""

    time_us: int
    id: int | str


class Page(Struct, Generic[Item], frozen=True):
    """Some items, and where the next page begins; None after the last."""

    items: list[Item]
    next: Place | None


class Span(Struct, frozen=True):
    """Which rows a list holds: those of a scope in `[since, until)`, after a place."""

    scope: Scope
    since: datetime
    until: datetime
    after: Place | None = None


def fills(reading: Reading, span: Span, number: int) -> Page[Fill]:
    """A page of the fills of a scope."""

    def belongs(fill: Fill) -> bool:
        scope = span.scope
        return (
            scope.strategy in (None, fill.strategy)
            and scope.symbol in (None, fill.symbol)
            and scope.mode in (None, fill.mode)
        )

    found = _rows(reading, "page_of_fills", span, _LAST_ID, lambda row: (row[3], row[-1]))
    return page_of(((rows.fill(row), place) for row, place in found), belongs, number)


def rejections(reading: Reading, after: Place | None, number: int) -> Page[Rejection]:
    """A page of the lines that could not be used, those read last first."""
    before = _LAST_ID if after is None else after.id
    found = reading.execute("page_of_rejections", (before, number + 1)).fetchall()
    items = [rows.rejection(row) for row in found[:number]]
    return Page(items, Place(0, found[number - 1][-1]) if len(found) > number else None)


def _rows(
    reading: Reading,
    name: str,
    span: Span,
    last_id: int | str,
    place_of: Callable[[rows.Row], tuple[int, int | str]],
) -> Iterator[tuple[rows.Row, Place]]:
    """Rows and their places, fetched some hundred at a time."""
    account = span.scope.account
    since_us = to_micros(span.since)
    place = span.after or Place(to_micros(span.until) - 1, last_id)
    which, scope = ("all", ()) if account is None else ("account", (account,))
    while True:
        bounds = (since_us, place.time_us, place.time_us, place.id, AT_ONCE)
        found = reading.execute(f"{name}_{which}", (*scope, *bounds)).fetchall()
        for row in found:
            place = Place(*place_of(row))
            yield row, place
        if len(found) < AT_ONCE:
            return


def page_of(found: Iterable[tuple[Item, Place]], belongs: Callable[[Item], bool], number: int) -> Page[Item]:
    """The first `number` items that belong, and where to go on if there are more."""
    items: list[Item] = []
    last: Place | None = None
    for item, place in found:
        if not belongs(item):
            continue
        if len(items) == number:
            return Page(items, last)
        items.append(item)
        last = place
    return Page(items, None)
