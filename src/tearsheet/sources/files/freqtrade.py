"""Orders and funding of freqtrade's trades, from its database or its JSON, as records.

A fee is a share of an order's value, so it is computed from the order; a fee in the coin that was bought is
taken from the coins. A closed trade is flat: coins below the smallest order are taken out at their mean price.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
#: Fees are floats in freqtrade; digits after the twelfth decimal are noise.
_FINEST = Decimal("1E-12")
#: Of what was bought, so much is noise of floats, and so much may be too little for another order.
_NOISE, _DUST = Decimal("1E-9"), Decimal("0.05")
_CENTS = Decimal("1E-8")
_ROUNDING = Context(prec=200)
_Trade = Mapping[str, Any]
_Record = dict[str, str]


def read_database_tables(path: Path) -> Sequence[RecordTable]:
    """Return the orders of freqtrade's database, opened read-only. Raises FormatError."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
            records = records_of_trades(_trades(database, path))
    except sqlite3.Error as error:
        raise FormatError(
            f"{path}: the database cannot be read: {error}", "use freqtrade's tradesv3.sqlite"
        ) from None
    return [RecordTable(sorted(records, key=lambda record: record["time"]))]


def is_trades(records: Sequence[Mapping[str, str]]) -> bool:
    """Return whether JSON records are trades of freqtrade."""
    return bool(records) and records[0].keys() >= _TRADE


def records_of_trades(trades: Iterable[Any]) -> list[_Record]:
    """Return the orders and the funding of trades; without orders, those of the entry and the exit."""
    with exact():
        return [record for trade in trades if isinstance(trade, dict) for record in _records(trade)]


def _trades(database: sqlite3.Connection, path: Path) -> Iterator[dict[str, Any]]:
    """Yield the trades of a database in the form of JSON, each with its orders."""
    database.execute("PRAGMA trusted_schema = OFF")
    tables = {row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for table, needed in _TABLES.items():
        names = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
        lacking = [name for name in needed if name not in names or table not in tables]
        if lacking:
            raise FormatError(
                f"{path}: no layout fits its tables: {table} lacks {', '.join(lacking)}",
                "only freqtrade's tradesv3.sqlite is supported",
            )
    database.row_factory = sqlite3.Row
    orders: dict[Any, list[dict[str, Any]]] = {}
    for row in map(dict, database.execute("SELECT * FROM orders ORDER BY rowid")):
        time = row.get("order_filled_date") or row.get("order_update_date")
        average = row["average"] if row["average"] is not None else row.get("price")
        orders.setdefault(row["ft_trade_id"], []).append(
            {**row, "order_filled_date": time, "average": average}
        )
    for row in map(dict, database.execute("SELECT * FROM trades ORDER BY rowid")):
        yield {**row, "trade_id": row["id"], "orders": orders.get(row["id"], []), "is_database": True}


def _records(trade: _Trade) -> Iterator[_Record]:
    listed = [order for order in trade.get("orders") or () if isinstance(order, dict)]
    name = _text(trade.get("trade_id"))
    orders = [_order(trade, order) for order in listed]
    if not orders and not trade.get("is_database"):
        orders = [_order(trade, order) for order in _entry_and_exit(trade)]
    for number, order in enumerate(orders, 1):
        order["trade"] = name
        order["id"] = order["id"] or (f"{name}:{number}" if name else "")
    is_closed = _is_closed(trade)
    _deduct_coin_fees(trade, orders, is_closed=is_closed)
    yield from orders
    filled = [order for order in orders if order["status"] == "filled"]
    if is_closed and filled:
        left = list(_leftover(filled))
        if not (left or filled[-1]["is_entry"] or any(_amount(order["fee_coins"]) for order in filled)):
            filled[-1]["realized"] = _profit(trade)
        yield from left
    yield from _funding(trade, orders, name or f"{_text(trade.get('pair'))}@{_text(trade.get('open_date'))}")


def _order(trade: _Trade, order: Mapping[str, Any]) -> _Record:
    side = _text(order.get("ft_order_side"))
    entry, leave = ("sell", "buy") if _is_true(trade.get("is_short")) else ("buy", "sell")
    if side not in (entry, leave):  # a stop at the exchange
        side = leave
    quantity = _text(order.get("filled") if "filled" in order else order.get("amount"))
    price = _text(order.get("average") or order.get("safe_price"))
    return {
        "id": _text(order.get("order_id")),
        "trade": "",
        "pair": _text(trade.get("pair")),
        "time": _text(order.get("order_filled_timestamp") or order.get("order_filled_date")),
        "side": side,
        "quantity": quantity,
        "price": price,
        "strategy": _text(trade.get("strategy")),
        "fee": _fee(quantity, price, _text(trade.get("fee_open" if side == entry else "fee_close"))),
        "status": _status(_text(order.get("status")) or "closed", quantity),
        "is_entry": "true" if side == entry else "",
        "fee_coins": _text(order.get("ft_fee_base")),
        "funding": _text(order.get("funding_fee")),
        "event_id": "",
        "realized": "",
    }


def _entry_and_exit(trade: _Trade) -> Iterator[dict[str, Any]]:
    """Yield the entry of a trade and its exit, if it has one."""
    sides = ("sell", "buy") if _is_true(trade.get("is_short")) else ("buy", "sell")
    for side, when in zip(sides, ("open", "close"), strict=True):
        if trade.get(f"{when}_rate") is None or trade.get(f"{when}_date") is None:
            continue
        yield {
            "ft_order_side": side,
            "amount": trade.get("amount"),
            "average": trade.get(f"{when}_rate"),
            "order_filled_date": trade.get(f"{when}_date"),
        }


def _deduct_coin_fees(trade: _Trade, orders: Sequence[_Record], *, is_closed: bool) -> None:
    """Take fees in the coin that was bought from the coins; their worth at the order's price is the fee."""
    entries = [order for order in orders if order["is_entry"] and order["status"] == "filled"]
    if _is_true(trade.get("is_short")) or not entries:
        return
    coins = [_amount(order["fee_coins"]) for order in entries]
    if not any(coins):
        coins = _unstated_coins(trade, orders, entries, is_closed=is_closed)
    for order, fee in zip(entries, coins, strict=True):
        quantity, price = _amount(order["quantity"]), _amount(order["price"])
        if ZERO < fee < quantity:
            order["quantity"], order["fee_coins"] = to_plain_string(quantity - fee), to_plain_string(fee)
            order["fee"] = _fee(to_plain_string(fee), order["price"], "1") if price else order["fee"]


def _unstated_coins(
    trade: _Trade, orders: Sequence[_Record], entries: Sequence[_Record], *, is_closed: bool
) -> list[Decimal]:
    """Return the fee of each entry in coins, where the trade says that it was in the coin and some are missing."""
    pair, coin = _text(trade.get("pair")), _text(trade.get("fee_open_currency"))
    base = re.split("[/:]", pair)[0]
    bought = sum((_amount(order["quantity"]) for order in entries), ZERO)
    held = ZERO if is_closed else _amount(_text(trade.get("amount")))
    missing = bought - _sold(orders) - held
    if not coin or coin != base or ":" in pair or missing <= bought * _NOISE:
        return [ZERO] * len(entries)
    share = _amount(_text(trade.get("fee_open")))
    fees = [_amount(order["quantity"]) * share for order in entries]
    if sum(fees, ZERO) <= missing:
        return fees
    return [_ROUNDING.quantize(fee * missing / sum(fees, ZERO), _FINEST) for fee in fees]


def _leftover(filled: Sequence[_Record]) -> Iterator[_Record]:
    """Make a closed trade flat.

    Noise of floats goes to its last exit; coins that are left over leave at their mean price.
    """
    entries = [order for order in filled if order["is_entry"]]
    exits = [order for order in filled if not order["is_entry"]]
    held = sum((_amount(order["quantity"]) for order in entries), ZERO)
    left = held - _sold(filled)
    if not exits or not left:
        return
    last = exits[-1]
    if abs(left) <= held * _NOISE:
        last["quantity"] = to_plain_string(_amount(last["quantity"]) + left)
    elif ZERO < left <= held * _DUST and last["side"] == "sell":
        paid = sum((_amount(order["quantity"]) * _amount(order["price"]) for order in entries), ZERO)
        yield {
            **last,
            "realized": "",
            "id": f"{last['trade'] or last['id']}:left",
            "quantity": to_plain_string(left),
            "price": to_plain_string(_ROUNDING.quantize(_ROUNDING.divide(paid, held), _FINEST)),
            "fee": "0",
        }


def _sold(orders: Sequence[_Record]) -> Decimal:
    return sum(
        (_amount(o["quantity"]) for o in orders if not o["is_entry"] and o["status"] == "filled"), ZERO
    )


def _funding(trade: _Trade, orders: Sequence[_Record], name: str) -> Iterator[_Record]:
    """Yield the funding that each order settled, and what a closed trade states beyond that.

    Funding that an open trade still accumulates comes with its next order.
    """
    settled = ZERO
    for order in orders:
        amount = _amount(order["funding"])
        settled = EXACT.add(settled, amount)
        if amount:
            yield _funding_record(order, order["id"], order["time"], amount)
    closed = _text(trade.get("close_timestamp") or trade.get("close_date"))
    rest = EXACT.subtract(_amount(_text(trade.get("funding_fees"))), settled)
    if rest and closed and orders:
        yield _funding_record(orders[-1], name, closed, rest)


def _funding_record(order: _Record, name: str, time: str, amount: Decimal) -> _Record:
    return {
        **order,
        "status": "funding",
        "time": time,
        "funding": to_plain_string(amount),
        "event_id": f"{name}:{order['trade']}",
    }


def _profit(trade: _Trade) -> str:
    """Return the profit that a closed trade states, without its funding; the last digits of a float are noise.

    Of fees in coins freqtrade counts a little less than was taken, so that such a profit is not compared.
    """
    stated = _text(trade.get("close_profit_abs") or trade.get("profit_abs"))
    profit = _amount(stated) - _amount(_text(trade.get("funding_fees")))
    return to_plain_string(_ROUNDING.quantize(profit, _CENTS)) if stated else ""


def _is_closed(trade: _Trade) -> bool:
    if "is_open" in trade:
        return not _is_true(trade["is_open"])
    return bool(trade.get("close_date"))


def _is_true(value: Any) -> bool:
    return value not in (None, False, 0, "", "0", "false", "False")


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
