"""Tie-out: what a broker says it came to beside our books, and why they differ."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.app.reconcile.reconcile import Reconciliation, reconcile_statement
from tearsheet.cli import EXIT_BAD_DATA, EXIT_BREACH, EXIT_OK, main
from tearsheet.errors import FormatError, InputError, TearsheetError
from tearsheet.export.files import schema
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.reports.broker_report import read_report
from tearsheet.sources.statements.options import StatementOptions
from tests.app.imports.test_cash import cash
from tests.support.laws import examples
from tests.support.place import Place, fills_csv

ROWS = [
    "A,MSFT,2026-11-16T15:00:00Z,buy,10,100,1,1",
    "A,MSFT,2026-11-16T16:00:00Z,sell,10,101,1,2",
    "A,MSFT,2026-11-17T15:00:00Z,buy,5,100,0.5,3",
    "A,MSFT,2026-11-18T15:00:00Z,sell,4,103,0.5,4",
]
HEAD = "account,date,symbol,realized_pnl,fees,position\n"
AGREED = ["A,2026-11-16,MSFT,10,2,0", "A,2026-11-17,MSFT,0,0.5,5", "A,2026-11-18,MSFT,12,0.5,1"]

Compare = Callable[..., Reconciliation]


@pytest.fixture
def compare(place: Place) -> Compare:
    def made(
        report: str, fills: list[str] = ROWS, method: str = "average", **options: object
    ) -> Reconciliation:
        with place.tracker() as tracker:
            tracker.import_file(place.write("fills.csv", fills_csv(fills)))
            return reconcile_statement(
                tracker, place.write("broker.csv", report), StatementOptions(**options), method=method
            )

    return made


def kinds(found: Reconciliation) -> list[tuple[str, str, str]]:
    return [(str(d.session)[-2:], d.what, d.kind) for d in found.differences]


def test_a_broker_that_says_the_same_agrees(compare: Compare) -> None:
    found = compare(HEAD + "\n".join(AGREED))
    assert (found.agrees, found.compared) == (True, 9)


@pytest.mark.parametrize(
    "said", ["account,date,realized_pnl\nA,2026-11-16,\n", "account,date,balance\nA,2026-11-16,5\n"]
)
def test_a_report_that_states_nothing_to_compare_never_agrees(compare: Compare, said: str) -> None:
    with pytest.raises(FormatError, match="contains no comparable values"):
        compare(said)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["A,2026-11-16,MSFT,10,2.5,0", *AGREED[1:]], [("16", "fees", "fee")]),
        (["A,2026-11-16,MSFT,10.01,2,0", *AGREED[1:]], [("16", "realized", "unknown")]),
        (["A,2026-11-16,MSFT,100,2,0", *AGREED[1:]], [("16", "realized", "unknown")]),
        (
            ["A,2026-11-16,MSFT,100,2,0", AGREED[1], "A,2026-11-18,MSFT,120,0.5,1"],
            [("16", "realized", "multiplier"), ("18", "realized", "multiplier")],
        ),
        (["A,2026-11-16,MSFT,13,2,0", *AGREED[1:]], [("16", "realized", "unknown")]),
        (
            [AGREED[0], "A,2026-11-17,MSFT,12,0.5,5", "A,2026-11-18,MSFT,0,0.5,1"],
            [("17", "realized", "day boundary"), ("18", "realized", "day boundary")],
        ),
        ([*AGREED[:2], "A,2026-11-18,MSFT,12,0.5,0"], [("18", "position", "missing fill")]),
        ([*AGREED, "A,2026-11-19,MSFT,7,0,1"], [("19", "realized", "missing fill")]),
        ([AGREED[0], AGREED[2]], [("17", "fees", "missing fill")]),
    ],
)
def test_each_difference_has_its_kind(
    compare: Compare, lines: list[str], expected: list[tuple[str, str, str]]
) -> None:
    assert kinds(compare(HEAD + "\n".join(lines))) == expected


def test_an_empty_cell_is_not_compared_and_a_day_that_is_not_listed_is_zero(compare: Compare) -> None:
    rows = ["A,2026-11-16,MSFT,10,,", "A,2026-11-17,MSFT,,0.5,", "A,2026-11-18,MSFT,,0.5,"]
    assert compare(HEAD + "\n".join(rows)).compared == 3
    found = compare(HEAD + "\n".join([rows[0], "A,2026-11-18,MSFT,12,0.5,"]))
    assert kinds(found) == [("17", "fees", "missing fill")]


def test_nothing_written_is_no_rounding(compare: Compare) -> None:
    """The report shows whole dollars; a day of 40 cents that it does not list lacks its fills."""
    fills = [
        *ROWS[:2],
        "A,MSFT,2026-11-17T15:00:00Z,buy,1,100,0.1,3",
        "A,MSFT,2026-11-17T16:00:00Z,sell,1,100.4,0.1,4",
    ]
    head = "account,date,symbol,realized_pnl\n"
    found = compare(head + "A,2026-11-16,MSFT,10\nA,2026-11-18,MSFT,0\n", fills)
    assert kinds(found) == [("17", "realized", "missing fill")]
    assert kinds(compare(head + "A,2026-11-16,MSFT,10\nA,2026-11-17,MSFT,0\n", fills)) == [
        ("17", "realized", "rounding")
    ]


def test_balances_are_compared_by_their_changes(compare: Compare) -> None:
    head = "account,date,balance\n"
    assert compare(head + "A,2026-11-16,50000\nA,2026-11-17,49999.50\nA,2026-11-18,50011\n").agrees
    [found] = compare(head + "A,2026-11-16,50000\nA,2026-11-18,50010\n").differences
    assert (found.what, found.theirs, found.ours) == ("balance", 10, 11)


def test_a_balance_stands_on_that_of_the_account_and_on_its_money_beside_trading(place: Place) -> None:
    terms = "accounts: {A: {starting_balance: 50000}, B: {starting_balance: 7}}"
    beside = (
        "A,2026-11-17T09:00:00Z,credit_interest,5,USD,,1",
        "A,2026-11-18T09:00:00Z,withdrawal,-100,USD,,2",
        "B,2026-11-18T09:00:00Z,deposit,100,USD,,3",
    )
    stated = "account,date,balance\nA,2026-11-16,{first}\nA,2026-11-17,50012.5\nA,2026-11-18,49924\n"
    with place.tracker() as tracker:
        AccountsEditor(tracker).set_text(terms, "accounts.yaml", "kim")
        tracker.import_file(place.write("fills.csv", fills_csv(ROWS)))
        tracker.import_file(cash(place, "cash.csv", *beside))
        right = reconcile_statement(tracker, place.write("right.csv", stated.format(first="50008")))
        assert (right.agrees, right.compared) == (True, 3)
        wrong = reconcile_statement(tracker, place.write("wrong.csv", stated.format(first="50010")))
    assert [(d.session.day, d.what, d.difference) for d in wrong.differences] == [
        (16, "balance", 2),
        (17, "balance", -2),
    ]


NINJA = """Account,Instrument,Market pos.,Qty,Entry name,Entry price,Entry time,Exit name,Exit price,Exit time,Profit,Commission
Sim101,MES 12-26,Long,2,E,5125.25,11/16/2026 9:35:12 AM,X,5130.50,11/16/2026 9:42:15 AM,{profit},2.40
Sim101,MES 12-26,Short,1,E,5140.00,11/16/2026 10:35:12 AM,X,5141.00,11/16/2026 10:42:15 AM,($5.00),1.20
"""
MES = [
    "Sim101,MES 12-26,2026-11-16T14:35:12.5Z,buy,2,5125.25,1.20,1",
    "Sim101,MES 12-26,2026-11-16T14:42:15.1Z,sell,2,5130.50,1.20,2",
    "Sim101,MES 12-26,2026-11-16T15:35:12Z,sell,1,5140,0.60,3",
    "Sim101,MES 12-26,2026-11-16T15:42:15Z,buy,1,5141,0.60,4",
]


@pytest.mark.parametrize("profit", ["$52.50", "$50.10"])  # before and after fees
def test_a_report_of_ninjatrader_ties_out(compare: Compare, profit: str) -> None:

    zone = ZoneInfo("America/New_York")
    assert compare(NINJA.format(profit=profit), MES, timezone=zone).agrees
    found = compare(NINJA.format(profit=profit), MES, timezone=zone)
    assert found.layout == "ninjatrader_performance"


PROJECTX = """Id,ContractName,EnteredAt,ExitedAt,EntryPrice,ExitPrice,Fees,PnL,Size,Type,TradeDay,TradeDuration,Commissions
1,MESZ6,11/16/2026 08:35:12 -06:00,11/16/2026 08:42:15 -06:00,5125.25,5130.50,1.40,52.50,2,Long,11/16/2026,00:07:03,{commission}
2,MESZ6,11/16/2026 09:35:12 -06:00,11/16/2026 09:42:15 -06:00,5140.00,5141.00,1.20,-5.00,1,Short,11/16/2026,00:07:00,0
"""


@pytest.mark.parametrize(("commission", "expected"), [("1.00", []), ("0.00", [("16", "paid", "fee")])])
def test_a_report_of_projectx_ties_out(
    compare: Compare, commission: str, expected: list[tuple[str, str, str]]
) -> None:
    found = compare(PROJECTX.format(commission=commission), MES, account="Sim101", timezone=ZoneInfo("UTC"))
    assert (found.layout, found.fills) == ("projectx_trades", [])
    assert kinds(found) == expected


def test_missing_opening_fills_and_orphan_closes_are_named(place: Place) -> None:

    with place.tracker() as tracker:
        tracker.import_file(place.write("fills.csv", fills_csv([*MES[:2], MES[3]])))
        report = place.write("report.csv", NINJA.format(profit="52.50"))
        found = reconcile_statement(tracker, report, StatementOptions(timezone=ZoneInfo("America/New_York")))
    assert [(m.lacking, m.role, m.side, m.price, m.line) for m in found.fills] == [
        ("books", "opening", "SELL", Decimal("5140.00"), 3)
    ]
    words = "line 3: our books lack the opening fill Sim101 SELL 1 MESZ26 @ 5140.00"
    assert words in found.fills[0].description
    assert {d.kind for d in found.differences} == {"missing fill"}


TRADOVATE = """symbol,qty,pnl,duration,buyFillId,buyPrice,boughtTimestamp,sellFillId,sellPrice,soldTimestamp
MESZ6,2,$52.50,7min,1,5125.25,11/16/2026 09:35:12,2,5130.50,11/16/2026 09:42:15
MESZ6,1,$(5.00),7min,4,5141.00,11/16/2026 10:42:15,{last},5140.00,11/16/2026 10:35:12
"""


def test_a_report_of_tradovate_ties_out_by_the_ids_of_its_fills(compare: Compare) -> None:

    options = {"timezone": ZoneInfo("America/New_York"), "account": "Sim101", "date_order": "month-first"}
    assert compare(TRADOVATE.format(last=3), MES, **options).agrees
    missing, surplus = compare(TRADOVATE.format(last=99), MES, **options).fills
    assert (missing.fill_id, missing.role, missing.side) == ("99", "opening", "SELL")
    assert (surplus.lacking, surplus.fill_id) == ("report", "3")


def test_the_command_exits_by_what_it_finds(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    place.write("fills.csv", fills_csv(ROWS))
    place.write("good.csv", HEAD + "\n".join(AGREED))
    place.write("bad.csv", HEAD + "A,2026-11-16,MSFT,13,2,0\n")
    place.write("nothing.csv", "some,text\nno,trade\n")
    place.write("broken.csv", HEAD + "A,16.11.26,MSFT,13,2,0\n")
    assert main(["import", "fills.csv"]) == EXIT_OK
    assert main(["reconcile", "good.csv"]) == EXIT_OK
    assert "They agree." in capsys.readouterr().out
    assert main(["reconcile", "bad.csv", "--json"]) == EXIT_BREACH
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, schema("tie-out"), format_checker=jsonschema.FormatChecker())
    assert (told["differences"][0]["kind"], told["agrees"]) == ("unknown", False)
    assert main(["reconcile", "bad.csv"]) == EXIT_BREACH
    assert "unknown" in capsys.readouterr().out
    for name in ("broken.csv", "nothing.csv", "none.csv"):
        assert main(["reconcile", name]) == EXIT_BAD_DATA
    said = capsys.readouterr().err
    assert "line 2: date '16.11.26' is none" in said
    assert "no layout fits" in said


HEADS = [
    NINJA.splitlines()[0],
    TRADOVATE.splitlines()[0],
    "Id,ContractName,EnteredAt,ExitedAt,EntryPrice,ExitPrice,Fees,PnL,Size,Type,TradeDay",
    "Time,Deal,Symbol,Type,Direction,Volume,Price,Order,Commission,Fee,Swap,Profit,Balance",
    'Statement,Header,Field Name,Field Value\nStatement,Data,Period,"May 3, 2026 - May 35, 2026"\n'
    "Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Cost Price\n"
    "Open Positions,Data,Summary,Stocks,USD,MSFT,one,400\n"
    "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,Comm/Fee,Realized P/L,Code",
]
CELL = st.one_of(
    st.sampled_from(
        [
            "A",
            "MSFT",
            "ES 12-26",
            "2026-11-16",
            "11/16/2026 9:35:12 AM",
            "Long",
            "$(5.00)",
            "Trades",
            "Data",
            "Order",
            "Stocks",
            "balance",
            "buy",
            "1,5",
            "",
            "NaN",
        ]
    ),
    st.text(max_size=8),
)


@examples(300)
@given(
    st.sampled_from([HEAD, *(f"{head}\n" for head in HEADS)]),
    st.lists(st.lists(CELL, max_size=13), max_size=4),
)
def test_any_report_is_read_or_refused_in_words(head: str, cells: list[list[str]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "r.csv"
        path.write_bytes((head + "\n".join(map(",".join, cells))).encode("utf-8", "replace"))
        try:
            report = read_report(
                path,
                load_instruments(Path(folder) / "none.csv", "USD"),
                StatementOptions(timezone=ZoneInfo("America/New_York"), account="A"),
            )
        except TearsheetError as error:
            assert isinstance(error, InputError | FormatError)
        else:
            assert report.lines or report.rejected
