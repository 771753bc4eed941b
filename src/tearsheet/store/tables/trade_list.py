"""Closed positions, filtered, sorted and paged by the database; each query is built from fixed parts."""

from decimal import Decimal
from itertools import chain
from typing import Any, Literal, cast

from msgspec import Struct

from tearsheet.bounded_cache import BoundedCache
from tearsheet.columns.sort_keys import sortable
from tearsheet.errors import UsageError
from tearsheet.performance.summary import Scope
from tearsheet.store.list_values import Sort, TradeCursor, TradeFilter
from tearsheet.store.tables import rows
from tearsheet.store.tables.columns import PositionRow
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.position import LOG_RANKS, Position
from tearsheet.trade.session import AccountCalendars, Window, to_micros

#: Each sort order with its column, and whether the column can be NULL.
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
_SIDES = {"long": "BUY", "short": "SELL"}
_WITH_RARE_TAG = (
    "id IN (SELECT n.position_id FROM note_tag t JOIN note n ON n.id = t.note_id "
    "WHERE t.tag = ? AND n.position_id IS NOT NULL)"
)
_WITH_FREQUENT_TAG = (
    "EXISTS (SELECT 1 FROM note n JOIN note_tag t ON t.note_id = n.id "
    "WHERE n.position_id = position.id AND t.tag = ?)"
)
#: From this many notes on it is faster to check each position for a tag than to collect those that have it.
_FREQUENT = 2000
#: Up to this size a page is selected from the index alone, and only its rows are read.
_SMALL_PAGE = 500
#: Limit for names that contain a text; databases accept some tens of thousands of parameters.
_MAX_NAMES = 10_000
NameColumn = Literal["symbol", "account", "strategy"]


class AccountSpan(Struct, frozen=True):
    """Time range `[since_us, until_us)` of an account; None is every account without a range of its own."""

    account: str | None
    since_us: int
    until_us: int


def spans_of(calendars: AccountCalendars, account: str | None, window: Window) -> tuple[AccountSpan, ...]:
    """Return when the sessions of a window last: of an account, or of all, the others of one calendar first."""
    names = (account, *(calendars.own if account is None else ()))
    starts = ((name, calendars.of(name)) for name in names)
    return tuple(
        AccountSpan(name, to_micros(one.start(window.start)), to_micros(one.start(window.end)))
        for name, one in starts
    )


class TradeScope(Struct, frozen=True):
    """Filter for closed trades: scope, currency and time ranges, or the last N of the first range."""

    scope: Scope
    currency: str | None
    spans: tuple["AccountSpan", ...]
    last: int | None = None


class TradeList:
    """Closed positions that match a filter; used inside a snapshot."""

    def __init__(
        self, queries: Queries, trades: TradeScope, trade_filter: TradeFilter, band: Decimal
    ) -> None:
        self._queries = queries
        self._filter = trade_filter
        self._values: list[Any] = []
        base = self._scope_condition(trades)
        parts = self._filters(trade_filter, sortable(band), trades.scope.account)
        self._where = " AND ".join([base, *parts])

    def count(self) -> int:
        """Return the number of positions."""
        statement = f"SELECT COUNT(*) FROM position WHERE {self._where}"  # noqa: S608
        return next(iter(self._queries.select_values(statement, tuple(self._values))), 0)

    def page(
        self,
        number: int,
        offset: int = 0,
        after: TradeCursor | None = None,
        before: TradeCursor | None = None,
    ) -> tuple[list[Position], TradeCursor | None, TradeCursor | None]:
        """Return a page of `number` positions at an offset or next to a cursor, and the cursors of both ends.

        A cursor is None at the end of the list.
        """
        place, back = before or after, before is not None
        where, values = self._where, list(self._values)
        if place is not None:
            beyond, more = self._after_cursor(place, back)
            where, values, offset = f"{where} AND {beyond}", values + more, 0
        tail = f"FROM position WHERE {where} ORDER BY {self._order(back)} LIMIT ? OFFSET ?"
        found = self._read(tail, (*values, number + 1, offset), is_small=number <= _SMALL_PAGE)
        has_more = len(found) > number
        shown = found[:number][::-1] if back else found[:number]
        items = [rows.position_from_row(row) for row in shown]
        if not shown:
            return items, None, None
        has_previous, has_next = (has_more, True) if back else (bool(place or offset), has_more)
        return (
            items,
            self._cursor(shown[0]) if has_previous else None,
            self._cursor(shown[-1]) if has_next else None,
        )

    def _read(self, tail: str, values: tuple[Any, ...], *, is_small: bool) -> list[PositionRow]:
        if not is_small:
            return self._queries.select(PositionRow, f"SELECT * {tail}", values)
        ids = self._queries.select_values(f"SELECT id {tail}", values)
        found = self._queries.rows_each(PositionRow, "position", [(one,) for one in ids])
        return list(chain.from_iterable(found))

    def _cursor(self, row: PositionRow) -> TradeCursor:
        column, _ = _COLUMNS[self._filter.sort]
        return TradeCursor(getattr(row, column), cast(int, row.closed_us), row.id)

    def _order(self, back: bool) -> str:
        """Return the ORDER BY; NULLs come last in either direction. `back` reads the list from its end."""
        column, optional = _COLUMNS[self._filter.sort]
        way = "ASC" if self._filter.ascending is not back else "DESC"
        order = [f"{column} {way}"] if column != "closed_us" else []
        if optional:
            order.insert(0, f"({column} IS NULL) {'DESC' if back else 'ASC'}")
        return ", ".join([*order, f"closed_us {way}", f"id {way}"])

    def _after_cursor(self, place: TradeCursor, back: bool) -> tuple[str, list[Any]]:
        """Return the condition for rows after a cursor, or before it."""
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
        scope = t.scope
        parts = [self._in_spans(*t.spans)]
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
        # the same order as `rows.in_closing_order`
        return (
            f"id IN (SELECT id FROM position WHERE {where} "  # noqa: S608
            "ORDER BY closed_us DESC, account DESC, "
            f"CASE WHEN last_rank >= {LOG_RANKS} THEN last_rank ELSE 0 END DESC, "
            "symbol DESC, last_rank DESC, id DESC LIMIT ?)"
        )

    def _in_spans(self, common: AccountSpan, *own: AccountSpan) -> str:
        """Return the condition that a trade closed in the time range of its account."""
        inside = "closed_us >= ? AND closed_us < ?"
        self._values += [one.account for one in own]
        self._values += [common.since_us, common.until_us]
        if not own:
            return inside
        others = f"account NOT IN ({', '.join('?' for _ in own)}) AND {inside}"
        for one in own:
            self._values += [one.account, one.since_us, one.until_us]
        return f"({' OR '.join([others, *(f'account = ? AND {inside}' for _ in own)])})"

    def _filters(self, trade_filter: TradeFilter, band: int, account: str | None) -> list[str]:
        parts = []
        if trade_filter.side is not None:
            parts.append("side = ?")
            self._values.append(_SIDES[trade_filter.side])
        if trade_filter.outcome is not None:
            parts.append(_OUTCOMES[trade_filter.outcome])
            self._values += (
                [band, -band]
                if trade_filter.outcome == "breakeven"
                else [band if trade_filter.outcome == "win" else -band]
            )
        if trade_filter.text is not None:
            parts.append(self._name_contains(trade_filter.text.casefold(), account))
        if trade_filter.tag is not None:
            is_frequent = self._queries.value("count_tag", (trade_filter.tag,)) > _FREQUENT
            parts.append(_WITH_FREQUENT_TAG if is_frequent else _WITH_RARE_TAG)
            self._values.append(trade_filter.tag)
        return parts

    def _name_contains(self, text: str, account: str | None) -> str:
        """Return the condition that a name contains a text, ignoring case.

        The comparison runs in Python, because the two databases fold case differently.
        """
        parts, values = [], []
        for column in _NAMES:
            names = [
                name for name in distinct_names(self._queries, column, account) if text in name.casefold()
            ]
            values += names
            if names:
                parts.append(f"{column} IN ({', '.join('?' * len(names))})")
        if len(values) > _MAX_NAMES:
            raise UsageError(f"{len(values):,} names contain {text!r}", "enter more characters")
        self._values += values
        return f"({' OR '.join(parts)})" if parts else "1 = 0"


def distinct_names(queries: Queries, column: NameColumn, account: str | None) -> tuple[str, ...]:
    """Return the names in a column of closed positions, in order, cached by the state of the ledger."""
    where, values = ("", ()) if account is None else (" AND account = ?", (account,))
    since_us, _ = rows.ALWAYS
    statement = (
        f"SELECT DISTINCT {column} FROM position "  # noqa: S608
        f"WHERE closed_us >= ? AND {column} IS NOT NULL{where} ORDER BY 1"
    )
    return _NAME_CACHE.get_or_compute(
        (queries.value("get_meta", ("stamp",)), column, account),
        lambda: tuple(queries.select_values(statement, (since_us, *values))),
    )


#: Cache by state ID, which is unique among all states of all ledgers; 60 entries.
_NAME_CACHE = BoundedCache[tuple[str, ...]](60)
_NAMES: tuple[NameColumn, ...] = ("symbol", "account", "strategy")
_OUTCOMES = {
    "win": "net_order > ?",
    "loss": "net_order < ?",
    "breakeven": "net_order <= ? AND net_order >= ?",
}
