"""`ts.Ledger`: its tables are the numbers of the command line, its scopes narrow them, wrong use is said."""

import json
import os
import subprocess
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import tearsheet as ts
from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.app.judgement import Judge
from tearsheet.export.files import json_bytes, summary_json
from tests.app.imports.test_cash import ALL, FILLS, cash
from tests.support.place import EVENING, NOON, Place

pytestmark = pytest.mark.filterwarnings("ignore::tearsheet.PartialWarning")


def _sum(table: ts.Table, column: str, **where: str) -> Decimal:
    rows = [row for row in table if all(row[key] == value for key, value in where.items())]
    return sum((row[column] for row in rows), Decimal(0))


@pytest.mark.both_databases
def test_every_table_adds_up_to_the_summary_to_the_digit(ledger: ts.Ledger) -> None:
    for currency in ("USD", "EUR"):
        part = ledger.where(currency=currency)
        net = part.summary().value("net_pnl")
        assert net == _sum(part.bookings(), "net") == _sum(ledger.days(), "net", currency=currency)
        assert part.summary().value("closed_pnl") == _sum(part.trades(), "net")
        assert part.summary().value("total_trades") == len(part.trades())
    by_session: dict[Any, Decimal] = defaultdict(Decimal)
    for row in ledger.bookings():
        by_session[row["session"], row["currency"]] += row["net"]
    assert by_session == {(row["session"], row["currency"]): row["net"] for row in ledger.days()}
    of_trade: dict[str, Decimal] = defaultdict(Decimal)
    for row in ledger.bookings():
        of_trade[row["trade_id"]] += row["net"]
    for row in (*ledger.trades(), *ledger.positions()):
        assert of_trade[row["trade_id"]] == row["net"]


@pytest.mark.both_databases
def test_rows_have_what_the_documentation_says(ledger: ts.Ledger) -> None:
    first = next(iter(ledger.trades()))
    wanted = {
        "account": "A",
        "symbol": "AAPL",
        "currency": "USD",
        "strategy": "orb",
        "side": "long",
        "quantity": Decimal(3),
        "average_entry": Decimal("100.1"),
        "gross": Decimal("3.8"),
        "fees": Decimal("0.7"),
        "net": Decimal("3.1"),
        "outcome": "win",
        "stop_loss": Decimal("99.1"),
        "initial_risk": Decimal(3),
        "r": 1.03333333,
        "planned_risk_reward": 2.0,
        "fills": 3,
        "tags": [],
    }
    assert {key: first[key] for key in wanted} == wanted
    assert first["held"].total_seconds() == 3600
    stated = {row["fill_id"]: row["fee_stated"] for row in ledger.fills()}
    assert (stated["2"], stated["3"]) == (True, False)
    [held] = ledger.positions()
    assert (held["symbol"], held["quantity"], held["mark"], held["unrealized_pnl"]) == ("TSLA", 2, None, None)
    assert held["unrealized_reason"]
    [rejected] = ledger.rejections()
    assert (rejected["line"], rejected["code"], rejected["text"]) == (2, "bad_json", "{broken")


def test_returns_and_equity_are_those_of_the_metrics(ledger: ts.Ledger) -> None:
    part = ledger.where(currency="USD")
    returns, metrics = part.returns().to_dicts(), part.metrics()
    assert [row["idle"] for row in returns] == [False, False, False]
    assert returns[0]["balance_before"] == 10_000
    assert returns[1]["balance_before"] == Decimal("10003.1")
    values = [row["return"] for row in returns]
    mean = sum(values) / 3
    deviation = (sum((value - mean) ** 2 for value in values) / 2) ** 0.5
    assert metrics.sharpe.value == pytest.approx(mean / deviation * 252**0.5, rel=1e-12)
    equity = part.equity().to_dicts()
    assert equity[-1]["balance"] == 10_000 + part.summary().value("net_pnl")  # type: ignore[operator]
    assert equity[-1]["total"] == part.summary().value("net_pnl")
    assert all(row["high"] - row["drawdown"] == row["balance"] for row in equity)


@pytest.mark.both_databases
def test_a_deposit_is_no_return(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with place.tracker() as tracker:
        tracker.import_file(place.write("fills.csv", FILLS))
        tracker.import_file(cash(place, "cash.csv", *ALL))
        terms = "accounts: {A: {starting_balance: {USD: 10000, EUR: 3000}}, B: {starting_balance: 2000}}"
        AccountsEditor(tracker).set_text(terms, "accounts.yaml", "kim")
    monkeypatch.chdir(place.folder)
    for key, value in place.env.items():
        monkeypatch.setenv(key, value)
    with ts.open(clock=lambda: place.now) as found:
        part = found.where(account="A", currency="USD")
        first, second, *idle = part.returns().to_dicts()
        assert (first["balance_before"], first["inflows"], first["result"]) == (10_000, 5000, -1)
        assert first["return"] == -1 / 15_000
        assert second["balance_before"] == 14_999
        assert {row["balance_before"] for row in idle} == {Decimal("14967.75")}
        assert [row["balance"] for row in part.equity()] == [14_999, Decimal("14967.75")]
        assert sum(row["flows"] for row in part.days()) == 5000
        changes = [row["cash"] if row["cash_part"] else row["net"] for row in part.bookings()]
        assert 10_000 + sum(changes) == Decimal("14967.75")


def test_idle_exchange_days_are_returns_of_0(ledger: ts.Ledger, filled: Place) -> None:
    filled.now = EVENING.replace(day=25)
    part = ledger.where(currency="USD")
    days = [(row["session"].day, row["return"]) for row in part.returns() if row["idle"]]
    assert days == [(23, 0.0), (24, 0.0), (25, 0.0)]
    assert len(part.returns(idle=False)) == 3


def test_the_summary_is_that_of_the_command_line(ledger: ts.Ledger, filled: Place) -> None:
    part = ledger.where(currency="USD", account="A").between("2026-11-18", "2026-11-19")
    with filled.tracker(TEARSHEET_STARTING_BALANCE="10000") as tracker:
        from tearsheet.performance.summary import Scope

        window = tracker.window("all", start="2026-11-18", end="2026-11-19")
        theirs = tracker.get_summary(window, scope=Scope("A"), currency="USD")
        judged = Judge(tracker, "A").judge(theirs)
    assert json_bytes(summary_json(part.summary(), ())) == json_bytes(summary_json(judged.summary, ()))


def test_scopes_narrow_and_leave_the_ledger_as_it_is(ledger: ts.Ledger) -> None:
    apple = ledger.where(account="A").where(symbol="AAPL")
    assert {row["symbol"] for row in apple.fills()} == {"AAPL"}
    assert [row["symbol"] for row in ledger.where(account="A").between("2026-11-19").trades()] == ["MSFT"]
    assert [row["fill_id"] for row in ledger.where(strategy="orb").fills() if row["fill_id"]] == [
        "1",
        "2",
        "3",
    ]
    assert [row["strategy"] for row in ledger.where(mode="LIVE").trades()] == ["orb"]
    assert len(ledger.between(end="2026-11-18").fills()) == 3
    assert len(ledger.fills()) == 8
    assert ledger.scope == "all accounts"
    assert apple.between("2026-11-18", "2026-11-19").scope == "A · AAPL · from 2026-11-18 to 2026-11-19"


def test_tags_are_of_trades_positions_and_bookings(ledger: ts.Ledger, filled: Place) -> None:
    from tearsheet.app.analysis.notes import TradeNotes
    from tearsheet.trade.note import NoteText

    identity = next(iter(ledger.trades()))["trade_id"]
    with filled.tracker(TEARSHEET_STARTING_BALANCE="10000") as tracker:
        TradeNotes(tracker).write(identity, NoteText("late", ("fomo",)), "me", 0)
    tagged = ledger.where(tag="fomo")
    assert [row["tags"] for row in tagged.trades()] == [["fomo"]]
    assert {row["trade_id"] for row in tagged.bookings()} == {identity}
    assert len(tagged.positions()) == 0
    for verb in (tagged.fills, tagged.days, tagged.summary, tagged.report, tagged.verdict):
        with pytest.raises(ts.UsageError, match="tags"):
            verb()


@pytest.mark.parametrize(
    ("wrong", "words", "hint"),
    [
        (lambda one: one.where(symbol="APL"), "symbol is 'APL'", "did you mean 'AAPL'?"),
        (lambda one: one.where(account="zzzz"), "account is 'zzzz'", "known are 'A', 'B', 'EQ-1'"),
        (lambda one: one.where(mode="live"), "mode is 'live'", "did you mean"),
        (lambda one: one.where(account=7), "account is 7, which is no text", "quotes"),
        (lambda one: one.between("18.11.2026"), "start is '18.11.2026', which is no date", "2026-01-31"),
        (lambda one: one.between(end=NOON), "which is no date", "datetime.date"),
        (lambda one: one.between("2026-11-19", "2026-11-18"), "is before the start date", "swap"),
        (lambda one: one.trades(money="cents"), "money is 'cents'", "decimal"),
        (lambda one: one.summary("fortnight"), "window is 'fortnight'", ""),
        (lambda one: one.between("2026-11-18").summary("weekly"), "contradict", "leave one"),
        (lambda one: one.report(path=3), "path is 3", "pathlib"),
        (lambda one: one.explain(3), "what is 3", ""),
        (lambda one: one.metrics()["sharp"], "no metric 'sharp'", "did you mean 'sharpe'?"),
        (lambda one: one.metrics().sharp, "no metric 'sharp'", "did you mean 'sharpe'?"),
        (lambda one: one.where(symbol="AAPL").returns(), "there is none of AAPL", "account only"),
        (lambda one: one.where(symbol="AAPL").verdict(), "whole accounts", "account only"),
        (lambda one: one.trades().to_series(), "trades are no series", "returns"),
        (lambda one: one.trades().to_frame("pandsa"), "backend is 'pandsa'", "pandas"),
        (lambda one: one.sync(), "open for reading", "write=True"),
        (lambda one: one.import_file("x.csv"), "open for reading", "write=True"),
        (lambda one: one.add_fills([]), "open for reading", "write=True"),
    ],
)
def test_wrong_use_is_said_in_words(
    ledger: ts.Ledger, wrong: Callable[[ts.Ledger], object], words: str, hint: str
) -> None:
    with pytest.raises(ts.UsageError) as raised:
        wrong(ledger)
    assert raised.value.code == "bad_request"
    assert words in raised.value.message
    assert hint in raised.value.hint


def test_several_currencies_are_never_added(filled: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEARSHEET_STARTING_BALANCE", "10000")
    with ts.open(clock=lambda: filled.now) as found:
        assert {row["currency"] for row in found.days()} == {"USD", "EUR"}
        reasons = [reason.code for reason in found.summary().partial_reasons]
    assert "other_currencies" in reasons


def test_what_may_be_missing_is_warned_of_once_for_each_scope(filled: Place) -> None:
    with ts.open(clock=lambda: filled.now) as found:
        with pytest.warns(ts.PartialWarning, match=r"1 line; see .* \(rejected_lines\)"):
            table = found.trades()
        assert table.of == "all accounts · revision 2 · partial"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found.trades()
            assert found.between("2026-11-18", "2026-11-18").trades().of.endswith("complete")
        filled.log("2026-11-20", "{}", mode="a")
        with pytest.warns(ts.PartialWarning, match="stale_ledger"):
            found.where(account="A").fills()


def test_reading_changes_no_file(filled: Place) -> None:
    filled.targets(max_daily_loss=500)
    filled.write(
        "config/dashboard-targets.yaml", "limits:\n  default:\n    daily_loss: 1\n    max_drawdown: 1\n"
    )

    def state() -> dict[str, bytes]:
        files = (path for path in filled.folder.rglob("*") if path.is_file() and path.suffix[:4] != ".db-")
        return {str(path): path.read_bytes() for path in files}

    before = state()
    with ts.open(clock=lambda: filled.now) as found:
        assert {one.state for one in found.verdict()} == {"breach", "unknown"}
        assert found.summary().state == "breach"
        found.replay()
        found.report()
        found.chart()
    assert state() == before


def test_a_snapshot_holds_one_state(filled: Place) -> None:
    with ts.open(clock=lambda: filled.now) as found:
        with found.snapshot() as held:
            before, revision = held.days().to_dicts(), held.revision
            with ts.open(write=True, clock=lambda: filled.now) as writer:
                more = {
                    "symbol": "AMD",
                    "time": NOON,
                    "side": "buy",
                    "quantity": 1,
                    "price": 5,
                    "account": "A",
                }
                assert writer.add_fills([more, {**more, "side": "sell", "price": 6}]).new == 2
            assert (held.days().to_dicts(), held.revision) == (before, revision)
        assert found.revision == revision + 1
        assert found.days().to_dicts() != before


def test_tables_outlive_the_ledger_and_a_closed_ledger_says_so(filled: Place) -> None:
    with ts.open(clock=lambda: filled.now) as found:
        trades = found.trades()
        assert "revision 2" in repr(found)
    assert len(trades.to_arrow()) == len(trades.to_dicts()) == 4
    assert repr(found).endswith("closed>")
    with pytest.raises(ts.UsageError, match="closed"):
        found.trades()


def test_a_trade_and_a_metric_are_explained(ledger: ts.Ledger) -> None:
    trade = next(iter(ledger.trades()))
    behind = ledger.explain(trade["trade_id"])
    assert (behind.net, len(behind.bookings)) == (trade["net"], 3)  # type: ignore[union-attr]
    assert behind.bookings[0].places[0].line == 2
    metric = ledger.where(currency="USD").explain("net_pnl")
    assert metric.total == ledger.where(currency="USD").summary().value("net_pnl")  # type: ignore[union-attr]


def test_limits_are_replayed_from_a_mapping_a_file_and_a_text_path(ledger: ts.Ledger, filled: Place) -> None:
    file = filled.write("other.yaml", "limits:\n  default:\n    daily_loss: 1\n")
    part = ledger.where(account="A")
    found = [part.replay({"default": {"daily_loss": 1}}), part.replay(file), part.replay(str(file))]
    assert [len(one[0].stops) for one in found] == [2, 2, 2]


def test_a_notebook_shows_reports_charts_and_the_ledger_without_a_script(
    ledger: ts.Ledger, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "sheet.html"
    assert ledger.report(str(target)) == target
    text = target.read_text("utf-8")
    report = ledger.report()
    assert isinstance(report, ts.Report)
    assert report.text == text
    shown = (report._repr_html_(), ledger._repr_html_(), ledger.metrics()._repr_html_(), ledger.chart().svg)
    assert not [one for one in shown if "<script" in one.lower()]
    assert 'sandbox=""' in shown[0]
    assert "net " in shown[1]
    assert "partial" in shown[1]
    assert shown[3].startswith("<svg")
    markdown = ledger.report(html=False)
    assert isinstance(markdown, ts.Report)
    assert markdown.text.startswith("#")


def test_metrics_have_value_sample_and_reason(ledger: ts.Ledger) -> None:
    metrics = ledger.metrics()
    assert metrics.net_pnl == metrics["net_pnl"] == ledger.summary().metrics["net_pnl"]
    rows = {row["name"]: row for row in metrics.table()}
    assert (
        rows["net_pnl"]["text"] == json.loads(json_bytes(metrics.net_pnl).decode(), parse_float=str)["value"]
    )
    assert rows["average_r"]["n"] == 2
    assert all((row["text"] is None) is bool(row["reason"]) for row in rows.values())
    assert "sharpe" in dir(metrics)
    assert not hasattr(metrics, "_repr_png_")


def test_only_reading_opens_and_says_what_is_missing(filled: Place, tmp_path: Path) -> None:
    with pytest.raises(ts.InputError, match="there is no ledger at"):
        ts.open(tmp_path / "other.db")
    assert not (tmp_path / "other.db").exists()
    with pytest.raises(ts.UsageError, match="is a service"):
        ts.open("https://risk.example")
    with pytest.raises(ts.UsageError, match=r"mongo://… is no address"):
        ts.open("mongo://secret@host/x")
    path = filled.folder / "logs/performance/tearsheet.db"
    for place in (path, str(path), f"sqlite:///{path}", "logs/performance/tearsheet.db"):
        with ts.open(place, clock=lambda: filled.now) as found:
            assert len(found.fills()) == 8


def test_old_addresses_take_texts_for_dates_and_paths(filled: Place) -> None:
    from trading_bot.performance import PerformanceTracker

    tracker: PerformanceTracker = filled.tracker(TEARSHEET_STARTING_BALANCE="10000")
    summary = tracker.get_summary("weekly", start="2026-11-18", currency="USD")
    assert summary.window.label == "2026-11-16 to 2026-11-22"
    assert tracker.import_file(str(filled.folder / "fills.csv"), timezone="America/Chicago").repeated
    for wrong in (
        lambda: tracker.get_summary("weekly", start=18),  # type: ignore[arg-type]
        lambda: tracker.get_summary("fortnight"),  # type: ignore[arg-type]
        lambda: tracker.import_file(None),  # type: ignore[arg-type]
        lambda: tracker.import_file("x.csv", timezone="Chicago"),
    ):
        with pytest.raises(ts.UsageError):
            wrong()


def test_importing_the_package_loads_nothing_else() -> None:
    words = "import sys, tearsheet; print(sorted(n for n in sys.modules if 'tearsheet' in n or n in {'typing', 're'}))"
    made = subprocess.run(
        [sys.executable, "-S", "-c", words],
        env={**os.environ, "PYTHONPATH": str(Path(ts.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.strip() == "['tearsheet']"


def test_reading_tables_loads_no_library_of_frames(filled: Place) -> None:
    words = (
        "import sys, warnings; warnings.simplefilter('ignore'); import tearsheet as ts; ledger = ts.open(); "
        "print(len(ledger.fills()), len(repr(ledger.trades())) > 9, ledger.summary().window.kind, "
        "sorted({'pandas', 'polars', 'pyarrow', 'nanoarrow', 'narwhals', 'flask', 'jinja2'} & sys.modules.keys()))"
    )
    made = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "8 True all []"
