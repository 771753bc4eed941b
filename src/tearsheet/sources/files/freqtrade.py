"""Orders of freqtrade, from its database or its JSON, as records.

freqtrade states a fee as a share of an order's value; the fee of an order is computed from it.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from decimal import Context, Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tearsheet.errors import FormatError
from tearsheet.sources.files.records import RecordTable
from tearsheet.trade.amount import EXACT, ZERO, exact, is_valid_amount, parse_amount, to_plain_string

_TRADE = {"pair", "open_rate", "open_date", "fee_open", "fee_close", "amount"}
_TABLES = {
    "trades": ("id", "pair", "fee_open", "fee_close"),
    "orders": ("ft_trade_id", "ft_order_side", "order_id", "status", "filled", "average"),
}
_QUERY = """
    SELECT o.order_id, t.pair, o.ft_order_side, o.filled, coalesce(o.average, o.price),
           coalesce(o.order_filled_date, o.order_update_date), t.fee_open, t.fee_close,
           {is_short}, {strategy}, t.id, o.status, {funding}, {total}, {closed}
    FROM orders o JOIN trades t ON t.id = o.ft_trade_id ORDER BY 6, o.id
"""
#: Fees are floats in freqtrade; digits after the twelfth decimal are noise.
_FINEST = Decimal("1E-12")
_ROUNDING = Context(prec=200)


def read_database_tables(path: Path) -> Sequence[RecordTable]:
    """Return the orders of freqtrade's database, opened read-only. Raises FormatError."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
            return [RecordTable(_with_funding([_order(*row) for row in _rows(database, path)]))]
    except sqlite3.Error as error:
        raise FormatError(
            f"{path}: the database cannot be read: {error}", "name freqtrade's tradesv3.sqlite"
        ) from None


def is_trades(records: Sequence[Mapping[str, str]]) -> bool:
    """Whether JSON records are freqtrade's trades."""
    return bool(records) and records[0].keys() >= _TRADE


def orders_from_json(trades: Iterable[Any]) -> list[dict[str, str]]:
    """Return the orders of freqtrade's trades in JSON: the listed ones, else the entry and the exit."""
    records = []
    for trade in trades:
        if not isinstance(trade, dict):
            continue
        listed = [order for order in trade.get("orders") or () if isinstance(order, dict)]
        name = _text(trade.get("trade_id"))
        orders = [_order_from_json(order, trade) for order in listed] or _entry_and_exit(trade)
        for n, order in enumerate(orders, 1):
            order["trade"] = name
            order["id"] = order["id"] or (f"{name}:{n}" if name else "")
        records += orders
    return _with_funding(records)


def _rows(database: sqlite3.Connection, path: Path) -> list[Any]:
    database.execute("PRAGMA trusted_schema = OFF")
    tables = {row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for table, needed in _TABLES.items():
        names = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
        lacking = [name for name in needed if name not in names or table not in tables]
        if lacking:
            raise FormatError(
                f"{path}: no layout fits its tables: {table} lacks {', '.join(lacking)}",
                "of databases, only freqtrade's is known (tradesv3.sqlite)",
            )
    names = {row[1] for row in database.execute("PRAGMA table_info(trades)")}
    order_names = {row[1] for row in database.execute("PRAGMA table_info(orders)")}
    query = _QUERY.format(
        is_short="t.is_short" if "is_short" in names else "0",
        strategy="t.strategy" if "strategy" in names else "''",
        funding="o.funding_fee" if "funding_fee" in order_names else "NULL",
        total="t.funding_fees" if "funding_fees" in names else "NULL",
        closed="t.close_date" if "close_date" in names else "NULL",
    )
    return database.execute(query).fetchall()


def _order(
    order: Any,
    pair: Any,
    side: Any,
    filled: Any,
    price: Any,
    time: Any,
    fee_open: Any,
    fee_close: Any,
    is_short: Any,
    strategy: Any,
    trade: Any,
    status: Any,
    funding: Any,
    total: Any,
    closed: Any,
) -> dict[str, str]:
    is_entry = (_text(side) == "sell") == bool(is_short)
    quantity, rate = _text(filled), _text(price)
    return {
        "id": _text(order),
        "trade": _text(trade),
        "pair": _text(pair),
        "time": _text(time),
        "side": _text(side),
        "quantity": quantity,
        "price": rate,
        "strategy": _text(strategy),
        "fee": _fee(quantity, rate, _text(fee_open if is_entry else fee_close)),
        "status": _status(_text(status), quantity),
        "funding": _text(funding),
        "funding_of_trade": _text(total),
        "closed": _text(closed),
        "event_id": "",
    }


def _order_from_json(order: Mapping[str, Any], trade: Mapping[str, Any]) -> dict[str, str]:
    filled = order.get("filled") if "filled" in order else order.get("amount")
    price = order.get("average") or order.get("safe_price")
    time = order.get("order_filled_timestamp") or order.get("order_filled_date")
    return _order(
        order.get("order_id"),
        trade.get("pair"),
        order.get("ft_order_side"),
        filled,
        price,
        time,
        trade.get("fee_open"),
        trade.get("fee_close"),
        trade.get("is_short"),
        trade.get("strategy"),
        None,
        order.get("status") or "closed",
        order.get("funding_fee"),
        trade.get("funding_fees"),
        trade.get("close_timestamp") or trade.get("close_date"),
    )


def _entry_and_exit(trade: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the entry of a trade and its exit, if it has one."""
    sides = ("sell", "buy") if trade.get("is_short") else ("buy", "sell")
    both = []
    for side, when in zip(sides, ("open", "close"), strict=True):
        if trade.get(f"{when}_rate") is None or trade.get(f"{when}_date") is None:
            continue
        order = {
            "ft_order_side": side,
            "amount": trade.get("amount"),
            "average": trade.get(f"{when}_rate"),
            "order_filled_date": trade.get(f"{when}_date"),
        }
        both.append(_order_from_json(order, trade))
    return both


def _with_funding(orders: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return orders with the funding that each settled, and with what a closed trade states beyond that.

    Funding that an open trade still accumulates comes with its next order.
    """
    records: list[dict[str, str]] = []
    settled: dict[str, Decimal] = {}
    last: dict[str, dict[str, str]] = {}
    for order in orders:
        records.append(order)
        name = order["trade"] or order["id"]
        last[name] = order
        amount = _amount(order["funding"])
        settled[name] = EXACT.add(settled.get(name, ZERO), amount)
        if amount:
            records.append(_funding(order, order["id"], order["time"], amount))
    for name, order in last.items():
        rest = EXACT.subtract(_amount(order["funding_of_trade"]), settled[name])
        if rest and order["closed"]:
            records.append(_funding(order, name, order["closed"], rest))
    return records


def _funding(order: Mapping[str, str], name: str, time: str, amount: Decimal) -> dict[str, str]:
    return {
        **order,
        "status": "funding",
        "time": time,
        "funding": to_plain_string(amount),
        "event_id": f"{name}:{order['trade']}",
    }


def _amount(text: str) -> Decimal:
    """Return an amount; freqtrade writes none as an empty text."""
    try:
        return parse_amount(text) if text else ZERO
    except ValueError:
        return ZERO


def _status(status: str, quantity: str) -> str:
    """Return `filled` for a quantity that is final."""
    try:
        is_filled = bool(quantity) and parse_amount(quantity) > 0
    except ValueError:
        return "filled"  # the row is rejected for its number
    if not is_filled:
        return "unfilled"
    return "open" if status == "open" else "filled"


def _fee(quantity: str, price: str, share: str) -> str:
    """Return the fee in the quote currency; if a part is not a number, a text that is rejected as one."""
    try:
        parts = [parse_amount(text) for text in (quantity, price, share or "0")]
    except ValueError:
        return f"{quantity} × {price} × {share}"
    with exact():
        fee = _ROUNDING.quantize(parts[0] * parts[1] * parts[2], _FINEST)
    return to_plain_string(fee) if is_valid_amount(fee) else "too large"


def _text(value: Any) -> str:
    """Return a float with the fewest digits that identify it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else repr(value)
