"""Executions of Bybit whose fee has no coin: linear contracts settle it, on the spot market its rate tells it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import open_statement
from tearsheet.trade.fill import Fill, Rejection

INSTRUMENTS = load_instruments(Path("/nonexistent.yaml"), "USD")
TRADE = {
    "symbol": "ETHUSDT",
    "side": "Buy",
    "execFee": "0.2",
    "feeRate": "0.001",
    "execId": "e1",
    "execPrice": "2000",
    "execQty": "0.1",
    "execType": "Trade",
    "execValue": "200",
    "execTime": "1772445600000",
    "feeCurrency": "",
}


def read(folder: Path, category: str | None, **changed: str) -> Fill | Rejection:
    trade = {**TRADE, **changed}
    result: dict[str, Any] = {"list": [trade]} | ({"category": category} if category else {})
    file = folder / "executions.json"
    file.write_text(json.dumps({"retCode": 0, "result": result}))
    (row,) = open_statement(file, INSTRUMENTS, StatementOptions(timezone=None, account="A")).rows()
    return row


@pytest.mark.parametrize(
    ("category", "changed", "quantity", "fee"),
    [
        ("linear", {}, "0.1", "0.2"),
        ("linear", {"execPrice": "1", "execValue": "0.1", "execFee": "0.0001"}, "0.1", "0.0001"),
        (None, {}, "0.1", "0.2"),
        ("spot", {"execFee": "0.0001"}, "0.0999", "0.2"),
        ("spot", {"side": "Sell"}, "0.1", "0.2"),
        ("linear", {"execFee": "-0.05", "feeRate": "-0.00025"}, "0.1", "-0.05"),
    ],
)
def test_a_fee_without_a_coin(
    category: str | None, changed: dict[str, str], quantity: str, fee: str, tmp_path: Path
) -> None:
    row = read(tmp_path, category, **changed)
    assert isinstance(row, Fill), row
    assert (row.quantity, row.commission) == (Decimal(quantity), Decimal(fee))


@pytest.mark.parametrize(
    "changed", [{"feeRate": ""}, {"execPrice": "1", "execValue": "0.1", "execFee": "0.0001"}]
)
def test_a_fee_whose_coin_nothing_tells_is_refused(changed: dict[str, str], tmp_path: Path) -> None:
    row = read(tmp_path, None, **changed)
    assert isinstance(row, Rejection)
    assert row.code == "foreign_fee"


def test_executions_are_read_as_csv_too(tmp_path: Path) -> None:
    file = tmp_path / "executions.csv"
    file.write_text("\n".join([",".join([*TRADE, "category"]), ",".join([*TRADE.values(), "linear"])]))
    (row,) = open_statement(file, INSTRUMENTS, StatementOptions(timezone=None, account="A")).rows()
    assert isinstance(row, Fill)


def test_a_coin_margined_contract_pays_its_fee_in_its_coin(tmp_path: Path) -> None:
    row = read(
        tmp_path,
        "inverse",
        symbol="BTCUSD",
        execQty="1000",
        execPrice="50000",
        execValue="0.02",
        execFee="0.000011",
    )
    assert isinstance(row, Fill), row
    assert (row.currency, row.multiplier, row.commission) == ("BTC", -1, Decimal("0.000011"))
