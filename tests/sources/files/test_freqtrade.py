"""Trades of freqtrade: a closed trade is flat and comes to freqtrade's own profit."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tearsheet.errors import FormatError
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.reports.broker_report import read_report
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import open_statement
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, Rejection, Side

INSTRUMENTS = load_instruments(Path("/nonexistent.yaml"), "USD")
Trade = dict[str, Any]
T0 = 1772445600000


def order(side: str, amount: float, price: float, number: int, **more: Any) -> Trade:
    """An order as `show-trades --print-json` lists it."""
    return {
        "amount": amount,
        "filled": amount,
        "average": price,
        "safe_price": price,
        "ft_order_side": side,
        "order_filled_timestamp": T0 + number * 60_000,
        "order_id": f"o{number}",
        "status": "closed",
        **more,
    }


def trade(orders: Sequence[Trade], **more: Any) -> Trade:
    return {
        "trade_id": 1,
        "pair": "ETH/USDT",
        "is_open": False,
        "is_short": False,
        "amount": orders[0]["amount"],
        "open_rate": orders[0]["average"],
        "open_date": "2026-03-02 10:00:00",
        "close_date": "2026-03-03 10:00:00",
        "close_timestamp": T0 + 86_400_000,
        "fee_open": 0.001,
        "fee_close": 0.001,
        "orders": orders,
        **more,
    }


def rows(path: Path, content: Any) -> list[Fill | Rejection]:
    path.write_text(json.dumps(content))
    return list(open_statement(path, INSTRUMENTS, StatementOptions(timezone=None, account="A")).rows())


def outcome(found: Sequence[Fill | Rejection]) -> tuple[Decimal, Decimal]:
    """What is left of the position, and what all rows came to in money."""
    left, money = Decimal(), Decimal()
    for row in found:
        assert isinstance(row, Fill), row
        if isinstance(row, Event):
            money += row.amount
            continue
        signed = row.quantity if row.side is Side.BUY else -row.quantity
        left += signed
        money -= signed * row.price + row.commission
    return left, money


@pytest.mark.parametrize(
    ("orders", "more", "net"),
    [
        pytest.param(
            [order("buy", 1, 2000, 1), order("sell", 1, 2100, 2)], {}, "95.9", id="spot, fees in money"
        ),
        pytest.param(
            [order("buy", 1, 2000, 1, ft_fee_base=0.001), order("sell", 0.999, 2100, 2)],
            {},
            "95.8021",
            id="fee in the coin",
        ),
        pytest.param(
            [order("buy", 1, 2000, 1), order("sell", 0.999, 2100, 2)],
            {"fee_open_currency": "ETH"},
            "95.8021",
            id="fee in the coin, as the trade says",
        ),
        pytest.param(
            [order("sell", 1, 2100, 1), order("buy", 1, 2000, 2)],
            {"is_short": True, "pair": "ETH/USDT:USDT", "funding_fees": -1.5},
            "94.4",
            id="short future with funding",
        ),
        pytest.param(
            [order("buy", 1, 2000, 1), order("sell", 0.25, 2100, 2), order("sell", 0.75, 2200, 3)],
            {},
            "170.825",
            id="partial exits",
        ),
        pytest.param(
            [
                order("buy", 0.1, 2000, 1),
                order("buy", 0.2, 2000, 2),
                order("sell", 0.30000000000000004, 2100, 3),
            ],
            {},
            "28.77",
            id="noise of floats",
        ),
        pytest.param(
            [order("buy", 1, 2000, 1), order("stoploss", 1, 1900, 2)], {}, "-103.9", id="stop at the exchange"
        ),
    ],
)
def test_a_closed_trade_is_flat_and_comes_to_its_profit(
    orders: Sequence[Trade], more: Mapping[str, Any], net: str, tmp_path: Path
) -> None:
    left, money = outcome(rows(tmp_path / "trades.json", [trade(orders, **more)]))
    assert left == 0
    assert abs(money - Decimal(net)) < Decimal("1E-9")


def test_coins_too_few_for_an_order_leave_at_their_mean_price(tmp_path: Path) -> None:
    """102.4 coins are left of 10,240 after the fee: they realise nothing, as freqtrade counts."""
    orders = [order("buy", 10_240, 0.25, 1, ft_fee_base=10.24), order("sell", 10_200, 0.26, 2)]
    found = rows(tmp_path / "trades.json", [trade(orders)])
    left, money = outcome(found)
    rest = found[-1]
    assert isinstance(rest, Fill)
    assert (left, rest.fill_id, rest.quantity, rest.price) == (0, "1:left", Decimal("29.76"), Decimal("0.25"))
    assert money == Decimal("10200") * Decimal("0.01") - Decimal("2.56") - Decimal("2.652")


def test_times_of_orders_are_milliseconds_since_1970(tmp_path: Path) -> None:
    minified = {
        key: value for key, value in order("buy", 1, 2000, 1).items() if key not in ("filled", "average")
    }
    backtest = {"strategy": {"S": {"trades": [trade([{**minified, "average": 2000}])]}}}
    (fill,) = rows(tmp_path / "backtest.json", backtest)
    assert isinstance(fill, Fill)
    assert fill.time.isoformat() == "2026-03-02T10:01:00+00:00"


def test_each_trade_of_a_backtest_has_its_own_funding(tmp_path: Path) -> None:
    def one(pair: str, funding: float) -> Trade:
        made = trade([order("buy", 1, 2000, 1), order("sell", 1, 2000, 2)], pair=pair, funding_fees=funding)
        return {key: value for key, value in made.items() if key != "trade_id"}

    backtest = {"strategy": {"S": {"trades": [one("ETH/USDT:USDT", 1.5), one("BTC/USDT:USDT", -0.5)]}}}
    found = rows(tmp_path / "backtest.json", backtest)
    assert [(row.symbol, row.amount) for row in found if isinstance(row, Event)] == [
        ("ETH/USDT:USDT", Decimal("1.5")),
        ("BTC/USDT:USDT", Decimal("-0.5")),
    ]


def test_strategies_of_one_backtest_are_accounts_of_their_own(tmp_path: Path) -> None:
    trades = [trade([order("buy", 1, 2000, 1)])]
    with pytest.raises(FormatError, match="trades of 2 strategies"):
        rows(tmp_path / "backtest.json", {"strategy": {"S": {"trades": trades}, "T": {"trades": trades}}})


def test_the_database_is_read_like_its_json(tmp_path: Path) -> None:
    orders = [order("buy", 1, 2000, 1, ft_fee_base=0.001), order("sell", 0.999, 2100, 2, funding_fee=None)]
    closed = trade(orders, fee_open_currency="ETH", funding_fees=0.0)
    path = tmp_path / "tradesv3.sqlite"
    database = sqlite3.connect(path)
    columns = [name for name in closed if name not in ("orders", "trade_id")]
    database.execute(f"CREATE TABLE trades (id INTEGER PRIMARY KEY, {', '.join(columns)})")
    database.execute(
        f"INSERT INTO trades VALUES (1, {', '.join('?' * len(columns))})", [closed[name] for name in columns]
    )
    database.execute(
        "CREATE TABLE orders (ft_trade_id, ft_order_side, order_id, status, filled, average, price, order_filled_date, "
        "order_update_date, ft_fee_base)"
    )
    for number, one in enumerate(orders, 1):
        time = f"2026-03-02 10:0{number}:00"
        cells = (
            1,
            one["ft_order_side"],
            one["order_id"],
            "closed",
            one["filled"],
            one["average"],
            None,
            time,
            None,
        )
        database.execute(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*cells, one.get("ft_fee_base"))
        )
    database.commit()
    database.close()
    options = StatementOptions(timezone=None, account="A")
    found = list(open_statement(path, INSTRUMENTS, options).rows())
    assert outcome(found) == (0, Decimal("95.8021"))
    assert found == rows(tmp_path / "trades.json", [closed])


def test_the_profit_of_a_trade_is_compared_before_its_funding(tmp_path: Path) -> None:
    orders = [order("buy", 1, 2000, 1), order("sell", 1, 2100, 2)]
    closed = trade(orders, pair="ETH/USDT:USDT", profit_abs=94.40000000000003, funding_fees=-1.5)
    path = tmp_path / "trades.json"
    path.write_text(json.dumps([closed]))
    report = read_report(path, INSTRUMENTS, StatementOptions(timezone=None, account="A"))
    assert [line.amounts.get("net") for line in report.lines] == [None, Decimal("95.9")]
