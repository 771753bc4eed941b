"""Options that end without a trade, fees that the cash leaves, and signs of fees that nobody said."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tearsheet.errors import FormatError
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import open_statement
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, Rejection

RH = '"Activity Date","Process Date","Settle Date","Instrument","Description","Trans Code","Quantity","Price","Amount"\n'
FLEX = "Symbol,DateTime,Buy/Sell,Quantity,TradePrice,IBCommission,AssetClass\n"


def rows(path: Path, text: str, **options: Any) -> list[Fill | Rejection]:
    path.write_text(text, "utf-8")
    options = {"timezone": ZoneInfo("America/New_York"), "account": "ME", **options}
    return list(open_statement(path, load_instruments(None, "USD"), StatementOptions(**options)).rows())


def told(found: list[Fill | Rejection]) -> list[str]:
    return [
        f"{row.time:%m-%d %H:%M} {row.side.value} {to_plain_string(row.quantity)} @ {to_plain_string(row.price)} {row.order_id or ''}".strip()
        if isinstance(row, Fill)
        else f"! {row.line}: {row.reason}"
        for row in found
    ]


def robinhood(*events: tuple[str, str, str, str, str]) -> str:
    """Rows about one put: day, code, quantity, price, amount; the broker has the newest first."""
    lines = []
    for day, code, quantity, price, amount in events:
        before = "Option Expiration for " if code == "OEXP" else ""
        lines.append(
            f'"{day}","{day}","{day}","XYZ","{before}XYZ 3/20/2026 Put $45.00","{code}",'
            f'"{quantity}","{price}","{amount}"\n'
        )
    return RH + "".join(lines)


def test_a_rest_that_was_assigned_early_and_a_rest_that_expired(tmp_path: Path) -> None:
    text = robinhood(
        ("3/20/2026", "OEXP", "1", "", ""),
        ("3/12/2026", "BTC", "1", "$0.20", "($20.05)"),
        ("3/10/2026", "OASGN", "2", "", ""),
        ("3/4/2026", "STO", "4", "$0.90", "$359.80"),
    )
    assert told(rows(tmp_path / "a.csv", text)) == [
        "03-12 16:00 BUY 1 @ 0.2",
        "03-04 17:00 SELL 4 @ 0.9",
        "03-20 20:20 BUY 1 @ 0 expiry",
        "03-10 20:20 BUY 2 @ 0 assignment",
    ]


def test_an_expiry_is_on_its_day_though_it_was_written_down_later(tmp_path: Path) -> None:
    text = robinhood(("3/23/2026", "OEXP", "1S", "", ""), ("3/4/2026", "BTO", "1", "$0.90", "($90.05)"))
    assert told(rows(tmp_path / "a.csv", text))[1] == "03-20 20:20 SELL 1 @ 0 expiry"


@pytest.mark.parametrize(
    ("events", "held"),
    [
        ([], "0 long, 0 short"),
        ([("3/4/2026", "BTO", "1", "$0.90", "($90.05)")], "1 long, 0 short"),
        ([("3/4/2026", "BTC", "2", "$0.90", "($180.05)")], "0 long, -2 short"),
        (
            [("3/4/2026", "BTO", "2", "$0.90", "($180.05)"), ("3/4/2026", "STO", "2", "$0.90", "$179.95")],
            "2 long, 2 short",
        ),
    ],
)
def test_a_side_that_the_file_does_not_tell_is_not_guessed(
    tmp_path: Path, events: list[tuple[str, str, str, str, str]], held: str
) -> None:
    found = rows(tmp_path / "a.csv", robinhood(("3/20/2026", "OEXP", "2", "", ""), *events))
    (rejected,) = [row for row in found if isinstance(row, Rejection)]
    assert rejected.line == 2
    assert rejected.reason.endswith(f"it has {held}")
    assert "fill at price 0" in rejected.hint


def test_more_than_was_opened_cannot_end(tmp_path: Path) -> None:
    text = robinhood(
        ("3/20/2026", "OEXP", "1", "", ""),
        ("3/20/2026", "OEXP", "1", "", ""),
        ("3/4/2026", "STO", "1", "$0.90", "$89.95"),
    )
    assert told(rows(tmp_path / "a.csv", text))[1:] == [
        "03-20 20:20 BUY 1 @ 0 expiry",
        "! 3: the expiry has no side, and the file does not show that 1 of XYZ   260320P00045000 were opened "
        "before: it has 0 long, 0 short",
    ]


def test_a_split_is_an_event_by_the_shares_that_came(tmp_path: Path) -> None:
    text = RH + '"3/4/2026","3/4/2026","3/4/2026","XYZ","XYZ Corp","SPL","90","",""\n'
    (event,) = rows(tmp_path / "a.csv", text)
    assert isinstance(event, Event)
    assert (event.kind, event.symbol, event.terms.delta) == ("split", "XYZ", 90)


@pytest.mark.parametrize(
    ("row", "fee"),
    [
        ('"XYZ 3/20/2026 Put $45.00","STO","10","$0.01","$2.50"', "7.5"),
        ('"XYZ 3/20/2026 Put $45.00","STO","10","$0.01","$0.10"', "9.9"),
        ('"XYZ Corp","Buy","1","$50.00","($54.95)"', "4.95"),
        ('"XYZ Corp","Sell","1000","$50.00","$49,998.55"', "1.45"),
        ('"XYZ Corp","Sell","100","$0.50","$49.99"', "0.01"),
    ],
)
def test_a_fee_is_what_the_cash_leaves(tmp_path: Path, row: str, fee: str) -> None:
    (fill,) = rows(tmp_path / "a.csv", f'{RH}"3/4/2026","3/4/2026","3/4/2026","XYZ",{row}\n')
    assert isinstance(fill, Fill)
    assert to_plain_string(fill.commission) == fee


@pytest.mark.parametrize(
    "row",
    [
        '"XYZ 3/20/2026 Put $45.00","STO","10","$0.50","$5.00"',  # a multiplier of 1
        '"XYZ 3/20/2026 Put $45.00","BTO","10","$0.50","$500.00"',  # the other side
        '"XYZ Corp","Buy","100","$50.00","($2,500.00)"',  # half of it
        '"XYZ Corp","Buy","1","$50.00","$50.00"',  # the other side of a small trade
        '"XYZ Corp","Sell","1000","$50.00","$47,000.00"',  # more than any fee
    ],
)
def test_a_difference_that_is_no_fee_is_a_contradiction(tmp_path: Path, row: str) -> None:
    (rejected,) = rows(tmp_path / "a.csv", f'{RH}"3/4/2026","3/4/2026","3/4/2026","XYZ",{row}\n')
    assert isinstance(rejected, Rejection)
    assert rejected.code == "contradiction"


def test_fees_that_all_have_the_other_sign_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = f"{FLEX}AAPL,2026-03-02T09:30:00,BUY,100,121.50,1.00,STK\n"
    with pytest.raises(FormatError, match="all fees are positive") as caught:
        rows(path, text)
    assert "--fee-sign positive" in caught.value.hint
    assert [f.commission for f in rows(path, text, fee_sign="positive") if isinstance(f, Fill)] == [1]
    assert [f.commission for f in rows(path, text, fee_sign="negative") if isinstance(f, Fill)] == [-1]


def test_a_rebate_among_costs_is_one(tmp_path: Path) -> None:
    text = (
        f"{FLEX}AAPL,2026-03-02T09:30:00,BUY,100,121.50,0.30,STK\n"
        "AAPL,2026-03-02T09:31:00,SELL,100,121.50,-1.00,STK\n"
    )
    found = rows(tmp_path / "a.csv", text)
    assert [to_plain_string(f.commission) for f in found if isinstance(f, Fill)] == ["-0.3", "1"]


def test_an_amount_may_have_the_fee_in_it_and_nothing_else(tmp_path: Path) -> None:
    head = (
        '"Date","Action","Symbol","Description","Quantity","Price","Fees & Comm","Amount"\n'
        '"03/04/2026","Sell","XYZ 03/20/2026 50.00 C","CALL XYZ","1","$0.01","$0.66",'
    )
    (fill,) = rows(tmp_path / "a.csv", f'{head}"$0.34"\n')
    assert isinstance(fill, Fill)
    assert to_plain_string(fill.commission) == "0.66"
    (rejected,) = rows(tmp_path / "b.csv", f'{head}"$34.00"\n')
    assert isinstance(rejected, Rejection)
    assert rejected.code == "contradiction"
