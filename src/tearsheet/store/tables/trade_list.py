"""Closed positions filtered, sorted and paged by the database; each question is put together of fixed parts."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from tearsheet.errors import UsageError
from tearsheet.performance.summary import Scope
from tearsheet.store.tables import rows
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.position import Outcome, Position

Sort = Literal["closed", "symbol", "account", "strategy", "side", "quantity", "held", "net", "r"]
#: What the order is by, each with its column and whether a position may have none.
_COLUMNS: dict[Sort, tuple[str, bool]] = {
    "closed": ("closed_us", False),
    "symbol": ("symbol", False),
    "account": ("account", False),
    "strategy": ("strategy", True),
    "side": ("side", False),
    "quantity": ("quantity_order", False),
    "held": ("held_us", True),
    "net": ("net_order", False),
    "r": ("r_order", True),
}
SORTS: tuple[Sort, ...] = tuple(_COLUMNS)
_SIDES = {"long": "BUY", "short": "SELL"}
_WITH_RARE_TAG = (
    "id IN (SELECT n.position_id FROM note_tag t JOIN note n ON n.id = t.note_id "
    "WHERE t.tag = ? AND n.position_id IS NOT NULL)"
)
_WITH_FREQUENT_TAG = (
    "EXISTS (SELECT 1 FROM note n JOIN note_tag t ON t.note_id = n.id "
    "WHERE n.position_id = position.id AND t.tag = ?)"
)
#: From so many notes on it is quicker to look whether a position bears a tag than to gather all that do.
_FREQUENT = 2000
#: Below so many a page is cut from the index, and only its rows are read.
_SMALL_PAGE = 500
#: So many names may fit a text; a database takes no more parameters than some tens of thousands.
_MOST_NAMES = 10_000
NameColumn = Literal["symbol", "account", "strategy"]


class TradeFilter(Struct, frozen=True):
    """Which closed positions a list holds, and in which order; `text` is part of a name."""

    side: Literal["long", "short"] | None = None
    outcome: Outcome | None = None
    text: str | None = None
    sort: Sort = "closed"
    ascending: bool = False
    tag: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == TradeFilter(sort=self.sort, ascending=self.ascending)


class TradeCursor(Struct, frozen=True):
    """The last row of a page: what it is sorted by, its instant, and its id."""

    value: int | str | None
    time_us: int
    id: str


class TradeScope(Struct, frozen=True):
    """Whose closed positions: of a scope and a currency in `[since_us, until_us)`, or the last so many."""

    scope: Scope
    currency: str | None
    since_us: int
    until_us: int
    last: int | None = None


class TradeList:
    """A list of closed positions of one filter; asked inside a snapshot."""

    def __init__(self, queries: Queries, trades: TradeScope, wanted: TradeFilter, band: Decimal) -> None:
        self._queries = queries
        self._filter = wanted
        self._values: list[Any] = []
        base = self._scope_condition(trades)
        parts = self._filters(wanted, rows.sortable(band), trades.scope.account)
        self._where = " AND ".join([base, *parts])

    def count(self) -> int:
        """How many there are."""
        found = self._query(f"SELECT COUNT(*) FROM position WHERE {self._where}", self._values)  # noqa: S608
        return int(found[0][0])

    def page(
        self,
        number: int,
        offset: int = 0,
        after: TradeCursor | None = None,
        before: TradeCursor | None = None,
    ) -> tuple[list[Position], TradeCursor | None, TradeCursor | None]:
        """So many from an offset on, after a place, or before one; with what the neighbours go on from."""
        place, back = before or after, before is not None
        column, _ = _COLUMNS[self._filter.sort]
        whole = ", position.*" if number > _SMALL_PAGE else ""
        where, values = self._where, list(self._values)
        if place is not None:
            beyond, more = self._after_cursor(place, back)
            where, values, offset = f"{where} AND {beyond}", values + more, 0
        found = self._query(
            f"SELECT id, {column}, closed_us{whole} FROM position WHERE {where} "  # noqa: S608
            f"ORDER BY {self._order(back)} LIMIT ? OFFSET ?",
            [*values, number + 1, offset],
        )
        goes_on = len(found) > number
        shown = found[:number][::-1] if back else found[:number]
        begins, ends = (goes_on, True) if back else (bool(place or offset), goes_on)
        places: list[TradeCursor | None] = [TradeCursor(row[1], row[2], row[0]) for row in shown]
        items = [rows.position_from_row(row) for row in self._full_rows(shown)]
        if not places:
            return items, None, None
        return items, places[0] if begins else None, places[-1] if ends else None

    def _full_rows(self, shown: Sequence[rows.Row]) -> Sequence[rows.Row]:
        """The rows of `position` for what a page shows of it."""
        if shown and len(shown[0]) > len(_CURSOR_COLUMNS):
            return [row[len(_CURSOR_COLUMNS) :] for row in shown]
        return [its[0] for its in self._queries.execute_each("position", [(row[0],) for row in shown])]

    def _order(self, back: bool) -> str:
        """The order; what has no value stands last in either. `back` reads it from its end."""
        column, optional = _COLUMNS[self._filter.sort]
        way = "ASC" if self._filter.ascending is not back else "DESC"
        order = [f"{column} {way}"] if column != "closed_us" else []
        if optional:
            order.insert(0, f"({column} IS NULL) {'DESC' if back else 'ASC'}")
        return ", ".join([*order, f"closed_us {way}", f"id {way}"])

    def _after_cursor(self, place: TradeCursor, back: bool) -> tuple[str, list[Any]]:
        """What stands after a place, or before it."""
        column, optional = _COLUMNS[self._filter.sort]
        sign = ">" if self._filter.ascending is not back else "<"
        rest, values = f"(closed_us, id) {sign} (?, ?)", [place.time_us, place.id]
        if column == "closed_us":
            return rest, values
        if place.value is None:
            without = f"{column} IS NULL AND {rest}"
            return (f"(({without}) OR {column} IS NOT NULL)" if back else without), values
        whole = f"({column}, closed_us, id) {sign} (?, ?, ?)"
        to_the_end = optional and not back
        return (f"({whole} OR {column} IS NULL)" if to_the_end else whole), [place.value, *values]

    def _scope_condition(self, t: TradeScope) -> str:
        """Whose closed positions these are."""
        scope = t.scope
        parts = ["closed_us >= ?", "closed_us < ?"]
        self._values += [t.since_us, t.until_us]
        for column, value in (
            ("account", scope.account),
            ("strategy", scope.strategy),
            ("symbol", scope.symbol),
            ("mode", scope.mode),
            ("currency", t.currency),
        ):
            if value is not None:
                parts.append(f"{column} = ?")
                self._values.append(value)
        where = " AND ".join(parts)
        if t.last is None:
            return where
        self._values.append(t.last)
        # the same order as `rows.in_order`
        return (
            f"id IN (SELECT id FROM position WHERE {where} "  # noqa: S608
            "ORDER BY closed_us DESC, account DESC, symbol DESC, last_rank DESC, id DESC LIMIT ?)"
        )

    def _filters(self, wanted: TradeFilter, band: int, account: str | None) -> list[str]:
        """What of these is wanted."""
        parts = []
        if wanted.side is not None:
            parts.append("side = ?")
            self._values.append(_SIDES[wanted.side])
        if wanted.outcome is not None:
            parts.append(_OUTCOMES[wanted.outcome])
            self._values += (
                [band, -band]
                if wanted.outcome == "breakeven"
                else [band if wanted.outcome == "win" else -band]
            )
        if wanted.text is not None:
            parts.append(self._name_contains(wanted.text.casefold(), account))
        if wanted.tag is not None:
            row = self._queries.fetch_one("count_tag", (wanted.tag,))
            is_frequent = row is not None and row[0] > _FREQUENT
            parts.append(_WITH_FREQUENT_TAG if is_frequent else _WITH_RARE_TAG)
            self._values.append(wanted.tag)
        return parts

    def _name_contains(self, text: str, account: str | None) -> str:
        """That one of a position's names contains a text in any case, which no database compares alike."""
        parts, values = [], []
        for what in _NAMES:
            fits = [name for name in distinct_names(self._queries, what, account) if text in name.casefold()]
            values += fits
            if fits:
                parts.append(f"{what} IN ({', '.join('?' * len(fits))})")
        if len(values) > _MOST_NAMES:
            raise UsageError(f"{len(values):,} names contain {text!r}", "write more of the name")
        self._values += values
        return f"({' OR '.join(parts)})" if parts else "1 = 0"

    def _query(self, statement: str, values: Sequence[Any]) -> list[rows.Row]:
        return self._queries.connection.execute(statement, values).fetchall()


def distinct_names(queries: Queries, what: NameColumn, account: str | None) -> tuple[str, ...]:
    """The names that closed positions bear, in order; those asked for last are remembered."""
    stamp = queries.fetch_one("get_meta", ("stamp",))
    key = (None if stamp is None else stamp[0], what, account)
    if (known := _name_cache.get(key)) is not None:
        return known
    whose, values = ("", ()) if account is None else (" AND account = ?", (account,))
    found = queries.connection.execute(
        f"SELECT DISTINCT {what} FROM position WHERE closed_us >= ? AND {what} IS NOT NULL{whose} ORDER BY 1",  # noqa: S608
        (rows.ALWAYS[0], *values),
    )
    names = tuple(name for (name,) in found)
    while len(_name_cache) >= _MAX_CACHED:
        _name_cache.pop(next(iter(_name_cache)), None)
    _name_cache[key] = names
    return names


#: Names by the state of the ledger that they are of; no two states of any ledger bear one stamp.
_name_cache: dict[object, tuple[str, ...]] = {}
_MAX_CACHED = 60
_NAMES: tuple[NameColumn, ...] = ("symbol", "account", "strategy")
#: What a page reads of each row before the row itself.
_CURSOR_COLUMNS = ("id", "value", "closed_us")
_OUTCOMES = {
    "win": "net_order > ?",
    "loss": "net_order < ?",
    "breakeven": "net_order <= ? AND net_order >= ?",
}
