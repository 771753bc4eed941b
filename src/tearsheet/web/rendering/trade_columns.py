"""Columns of the trade list: which exist, which a browser shows, and how dense its rows are."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct

#: Cookies of a browser: the columns it shows, and the height of rows in every table.
COLUMNS_COOKIE, DENSITY_COOKIE = "trade-columns", "density"
Density = Literal["roomy", "compact"]
#: Columns from the first to leave a narrow screen to the last: below 1,600, 1,360, 1,088 and 700 px.
_Width = Literal["", "wide", "desk", "tablet", "phone"]


class TradeColumn(Struct, frozen=True):
    """Column of the trade list. `is_sorted`: the database can sort by it; `leaves`: the screen that hides it."""

    name: str
    label: str
    is_number: bool = False
    is_sorted: bool = False
    is_shown: bool = True
    leaves: _Width = ""


TRADE_COLUMNS = (
    TradeColumn("opened", "Entry time", leaves="wide"),
    TradeColumn("closed", "Exit time", is_sorted=True),
    TradeColumn("symbol", "Symbol", is_sorted=True),
    TradeColumn("strategy", "Strategy", is_sorted=True, leaves="desk"),
    TradeColumn("account", "Account", is_sorted=True, is_shown=False, leaves="desk"),
    TradeColumn("mode", "Mode", is_shown=False, leaves="desk"),
    TradeColumn("side", "Side", is_sorted=True, leaves="phone"),
    TradeColumn("quantity", "Quantity", is_number=True, is_sorted=True, leaves="phone"),
    TradeColumn("entry", "Avg. entry", is_number=True, leaves="tablet"),
    TradeColumn("exit", "Avg. exit", is_number=True, leaves="tablet"),
    TradeColumn("held", "Duration", is_number=True, is_sorted=True, leaves="phone"),
    TradeColumn("gross", "Gross P&L", is_number=True, leaves="desk"),
    TradeColumn("fees", "Fees", is_number=True, leaves="desk"),
    TradeColumn("carry", "Carry", is_number=True, is_shown=False, leaves="desk"),
    TradeColumn("net", "Net P&L", is_number=True, is_sorted=True),
    TradeColumn("percent", "%", is_number=True, leaves="phone"),
    TradeColumn("r", "R", is_number=True, is_sorted=True),
    TradeColumn("tags", "Tags", leaves="phone"),
)
_BY_NAME = {column.name: column for column in TRADE_COLUMNS}


def shown_columns(cookie: str | None, trades: Iterable[Any]) -> list[TradeColumn]:
    """Return the columns that a browser chose; without a choice the default ones, and carry where there is some.

    The symbol is always shown, because it links to the trade.
    """
    chosen = cookie.split(".") if cookie is not None else None
    if chosen is None:
        has_carry = any(trade.carry for trade in trades)
        return [one for one in TRADE_COLUMNS if one.is_shown or (one.name == "carry" and has_carry)]
    return [one for one in TRADE_COLUMNS if one.name in chosen or one.name == "symbol"]


def columns_cookie(names: Sequence[str]) -> str:
    """Return the cookie of a choice, without names that are no column."""
    return ".".join(name for name in names if name in _BY_NAME)


def density_of(cookie: str | None) -> Density:
    """Return the height of rows that a browser chose, roomy without a choice."""
    return "compact" if cookie == "compact" else "roomy"
