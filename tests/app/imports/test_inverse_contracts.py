"""Coin-margined contracts: booked in their coin, by contracts × worth ÷ price."""

from datetime import date
from decimal import Decimal

import pytest

from tearsheet.app.analysis.lists import Lists, PositionView
from tearsheet.performance.summary import Scope
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.support.place import Place, fills_csv

pytestmark = pytest.mark.both_databases

BINANCE = """Date(UTC),Symbol,Side,Price,Quantity,Fee,Realized Profit
2026-03-02 12:00:00,BTCUSD_PERP,SELL,60000,10,0.00000833 BTC,0.00333333 BTC
2026-03-02 10:00:00,BTCUSD_PERP,BUY,50000,10,0.00001 BTC,0 BTC
"""
INSTRUMENTS = "COIN: {kind: inverse, multiplier: 1, currency: BTC}\n"


def closed(tracker: PerformanceTracker) -> list[PositionView]:
    assert tracker.verify().differences == []
    window = Window.between(date(2026, 3, 1), date(2026, 3, 31))
    return Lists(tracker).closed_trades(window, Scope(), 10, None).items


def test_ten_contracts_of_binance(place: Place) -> None:
    with place.tracker() as tracker:
        tracker.import_file(place.write("binance.csv", BINANCE), account="A")
        [trade] = closed(tracker)
    assert (trade.currency, trade.gross, trade.fees) == (
        "BTC",
        Decimal("0.003333333334"),
        Decimal("0.00001833"),
    )
    assert (trade.average_entry, trade.average_exit) == (50000, Decimal("60000.00000240"))


@pytest.mark.parametrize("number", range(1, 5))
def test_averaging_in_is_harmonic(place: Place, number: int) -> None:
    """1000 at 5000 and 2000 at 6000 are 3000 at 5625, however many files they come in."""
    lines = [
        "A,COIN,2026-03-02T10:00:00Z,buy,1000,5000,0,1",
        "A,COIN,2026-03-02T11:00:00Z,buy,2000,6000,0,2",
        "A,COIN,2026-03-02T12:00:00Z,sell,4000,5625,0,3",
        "A,COIN,2026-03-02T13:00:00Z,buy,1000,5000,0,4",
    ]
    (place.folder / "instruments.yaml").write_text(INSTRUMENTS)
    with place.tracker(TEARSHEET_INSTRUMENTS_FILE=str(place.folder / "instruments.yaml")) as tracker:
        tracker.import_file(place.write("a.csv", fills_csv(lines[:number])))
        if lines[number:]:
            tracker.import_file(place.write("b.csv", fills_csv(lines[number:])))
        short, long = closed(tracker)
    assert (long.quantity, long.average_entry, long.net) == (3000, 5625, 0)
    assert (short.quantity, short.net) == (1000, Decimal("0.2") - Decimal("0.177777777777"))


def test_funding_of_an_inverse_contract_is_of_its_position(place: Place) -> None:
    text = (
        "Uid,Contracts,Filled Type,Filled Quantity,Filled Price,Order Type,Fee Rate,Trading Fee,Direction,"
        "Transaction Time(UTC+0),Transaction ID,Order No.\n"
        "1,ETHUSD,Trade,1000,2500,Market,0.00055,0.00022,Long,2026-03-02 12:00:00,t2,o2\n"
        "1,ETHUSD,Funding,1000,2100,-,0.0001,-0.0000476,Short,2026-03-02 11:00:00,f1,-\n"
        "1,ETHUSD,Trade,1000,2000,Market,0.00055,0.000275,Short,2026-03-02 10:00:00,t1,o1\n"
    )
    with place.tracker() as tracker:
        tracker.import_file(place.write("bybit.csv", text))
        [trade] = closed(tracker)
    assert (trade.currency, trade.gross, trade.carry) == ("ETH", Decimal("-0.1"), Decimal("0.0000476"))
