"""A bot's logged trade as a closed position: whose price, whose side, whose net."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tearsheet.trade.amount import exact
from tearsheet.trade.fill import Side, TradeRecord, content_key, execution_key
from tearsheet.trade.position import fill_from_record, outcome_of, position_from_record

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
LATER = AT + timedelta(minutes=10)


def logged(**fields: Any) -> TradeRecord:
    """A closed record: 100 at 150.50, stop 148, target 156, unless said otherwise."""
    base = {
        "timestamp": AT,
        "symbol": "AAPL",
        "action": Side.BUY,
        "quantity": Decimal(100),
        "price": Decimal("150.50"),
        "outcome": "win",
        "stop_loss": Decimal(148),
        "target": Decimal(156),
    }
    return TradeRecord(**base | fields)


def money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


@pytest.mark.parametrize(
    ("profit", "commission", "net", "gross", "fees"),
    [
        ("100", "1", "99", "100", "1"),
        ("100", "1", None, "100", "1"),  # net is profit − commission
        ("100", None, None, "100", "0"),
        ("100", None, "99", "100", "1"),  # what is missing between them is fees
        ("100", "1", "97.5", "100", "2.5"),  # a stated net goes before the commission
        (None, "1", "99", "100", "1"),
        (None, None, "-5", "-5", "0"),
        ("0", "0", "0", "0", "0"),
        ("0.00", "1", None, "0", "1"),  # zero is a value
        ("5", "7", None, "5", "7"),
        ("10", "-0.3", None, "10", "-0.3"),
    ],
)
def test_gross_fees_and_net(
    profit: str | None, commission: str | None, net: str | None, gross: str, fees: str
) -> None:
    record = logged(profit_loss=money(profit), commission=money(commission), net_profit_loss=money(net))
    position, booking = position_from_record(record, "o:1", "USD")
    assert (position.gross, position.fees) == (Decimal(gross), Decimal(fees))
    assert (booking.gross, booking.fees) == (Decimal(gross), Decimal(fees))
    assert position.net == Decimal(gross) - Decimal(fees)


def test_the_outcome_is_by_net_whatever_the_record_says() -> None:
    record = logged(profit_loss=Decimal(5), commission=Decimal(7), outcome="win")
    assert outcome_of(position_from_record(record, "o:1", "USD")[0].net) == "loss"


def test_a_record_written_at_the_entry_bears_the_entry() -> None:
    record = logged(
        profit_loss=Decimal(50),
        exit_timestamp=LATER,
        strategy_name="orb",
        execution_mode="PAPER",
        account_id="EQ",
    )
    position, booking = position_from_record(record, "o:1", "EUR")
    assert (position.side, position.quantity, position.open_quantity) == (Side.BUY, 100, 0)
    assert (position.average_entry, position.average_exit) == (Decimal("150.5"), 0)
    assert (position.opened_at, position.closed_at, position.last_at) == (AT, LATER, LATER)
    assert position.held == timedelta(minutes=10)
    assert (position.stop_loss, position.target) == (148, 156)
    assert position.planned_risk_reward == Decimal("2.2")
    assert (position.strategy, position.mode, position.account) == ("orb", "PAPER", "EQ")
    with exact():
        assert (position.initial_risk, position.r_multiple) == (250, Decimal("0.2"))
    assert (booking.time, booking.quantity, booking.closes) == (LATER, -100, True)
    assert (booking.position_id, booking.currency) == (position.id, "EUR")
    assert (booking.fill_key, booking.rank, booking.part) == ("o:1", 0, 0)
    assert (position.last_key, position.last_rank, position.fills) == ("o:1", 0, 1)


@pytest.mark.parametrize("exit_timestamp", [None, AT, AT - timedelta(seconds=5)])
def test_a_record_written_at_the_exit_bears_the_exit(exit_timestamp: datetime | None) -> None:
    record = logged(
        action=Side.SELL,
        profit_loss=Decimal(50),
        exit_timestamp=exit_timestamp,
        hold_duration_seconds=Decimal("90.5"),
    )
    position, booking = position_from_record(record, "o:1", "USD")
    closed_at = exit_timestamp or AT
    assert position.side is Side.BUY
    assert (position.entry_value, position.exit_value) == (0, 15050)
    assert (position.closed_at, booking.time) == (closed_at, closed_at)
    assert position.held == timedelta(seconds=90, milliseconds=500)
    assert position.opened_at == closed_at - timedelta(seconds=90, milliseconds=500)
    assert (position.stop_loss, position.target, position.initial_risk) == (None, None, None)
    assert position.planned_risk_reward is None
    assert booking.quantity == -100


def test_a_short_is_bought_back() -> None:
    at_entry = logged(action=Side.SELL, profit_loss=Decimal(1), exit_timestamp=LATER)
    at_exit = logged(action=Side.BUY, profit_loss=Decimal(1))
    for record in (at_entry, at_exit):
        position, booking = position_from_record(record, "o:1", "USD")
        assert (position.side, booking.quantity) == (Side.SELL, 100)
        assert position.account == "default"


def test_the_logged_risk_reward_goes_before_the_prices() -> None:
    record = logged(profit_loss=Decimal(1), exit_timestamp=LATER, risk_reward_ratio=Decimal(3))
    assert position_from_record(record, "o:1", "USD")[0].planned_risk_reward == 3


@pytest.mark.parametrize(
    ("seconds", "held"),
    [
        (None, None),
        ("0", timedelta(0)),
        ("-1", None),
        ("1E17", None),
        ("0.0000001", timedelta(0)),
        ("1772463599", timedelta(seconds=1772463599)),
        ("1772463600", timedelta(seconds=1772463600)),
        ("1772463600.000001", None),
    ],
)
def test_a_holding_time_that_cannot_be_is_none(seconds: str | None, held: timedelta | None) -> None:
    at = datetime.fromtimestamp(1772463600 + 86400, UTC)  # so many seconds after 1970-01-02
    record = logged(timestamp=at, profit_loss=Decimal(1), hold_duration_seconds=money(seconds))
    assert position_from_record(record, "o:1", "USD")[0].held == held


def test_the_risk_of_a_future_is_by_its_multiplier_and_unknown_without_one() -> None:
    record = logged(profit_loss=Decimal(500), exit_timestamp=LATER)
    future, _ = position_from_record(record, "o:1", "USD", Decimal(2))
    unknown, _ = position_from_record(record, "o:1", "USD", None)
    with exact():
        assert (future.initial_risk, future.r_multiple) == (500, 1)
        assert (unknown.initial_risk, unknown.r_multiple) == (None, None)
    assert unknown.planned_risk_reward == Decimal("2.2")


def test_whether_a_record_is_closed() -> None:
    assert [logged(outcome=o).is_closed for o in ("win", "loss", "breakeven", "open", None)] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_an_order_as_an_execution() -> None:
    record = logged(
        commission=Decimal("0.5"), order_id="77", account_id="EQ", strategy_name="orb", execution_mode="LIVE"
    )
    fill = fill_from_record(record, "AAPL", Decimal(1), "USD", "r:o:77", 12)
    assert (fill.account, fill.symbol, fill.time, fill.side) == ("EQ", "AAPL", AT, Side.BUY)
    assert (fill.quantity, fill.price, fill.commission) == (100, Decimal("150.5"), Decimal("0.5"))
    assert (fill.order_id, fill.strategy, fill.mode) == ("77", "orb", "LIVE")
    assert (fill.stop_loss, fill.target) == (148, 156)
    assert fill.order == (AT, 12, "r:o:77")
    assert fill_from_record(logged(), "AAPL", Decimal(1), "USD", "k", 0).commission == 0


def test_a_content_key_is_of_the_content_however_it_is_written() -> None:
    def key(**fields: Any) -> str:
        base = {
            "account": "A",
            "symbol": "X",
            "time": AT,
            "side": Side.BUY,
            "quantity": Decimal(1),
            "price": Decimal(100),
            "commission": Decimal(2),
            "occurrence": 0,
        }
        return content_key(**base | fields)

    same = {"quantity": Decimal("1.00"), "price": Decimal("1E+2"), "time": AT.astimezone()}
    assert key(**same) == key()
    others = [
        key(account="B"),
        key(symbol="Y"),
        key(time=LATER),
        key(side=Side.SELL),
        key(quantity=Decimal(2)),
        key(price=Decimal(1)),
        key(commission=Decimal(0)),
        key(occurrence=1),
        key(account="A\0X", symbol=""),
    ]
    assert len({key(), *others}) == 10
    assert execution_key("123") == "x:123"
