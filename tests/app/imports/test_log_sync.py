"""The trade log: what is read, when it is read again, and what it comes to."""

import json
import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tearsheet.errors import InputError, MixedCurrencyError, NotFoundError, StoreError
from tearsheet.performance.summary import PerformanceSummary, Scope
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.support.place import NOON, Place, opened, record

pytestmark = pytest.mark.both_databases

TODAY = "2026-11-20"


def codes(summary: PerformanceSummary) -> list[str]:
    return [reason.code for reason in summary.partial_reasons]


def test_a_day_of_wins_losses_and_open_trades(place: Place) -> None:
    place.log(
        TODAY,
        record(order_id="1", net="10.10"),
        record(order_id="2", net="-0.10"),
        record(order_id="3", net="0"),
        opened(order_id="4", at=NOON + timedelta(hours=1)),
    )
    with place.tracker() as tracker:
        found = tracker.get_summary("daily")
    assert found.value("total_trades") == 3
    assert (found.value("winning_trades"), found.value("losing_trades"), found.value("breakeven_trades")) == (
        1,
        1,
        1,
    )
    assert found.value("net_pnl") == Decimal("10.00") == found.value("closed_pnl")
    assert found.value("win_rate") == pytest.approx(1 / 3)
    assert found.value("fees") == 3
    assert found.open_positions == 1
    assert found.trade_log.as_trades == 1
    assert not found.partial
    assert found.message == "ok"


def test_a_trade_belongs_to_the_day_of_its_exit(place: Place) -> None:
    place.log("2026-11-19", record(at=datetime(2026, 11, 19, 23, 55, tzinfo=UTC), net="7"))
    place.log(TODAY)
    with place.tracker() as tracker:
        assert tracker.get_summary("daily", start=date(2026, 11, 19)).is_empty
        assert tracker.get_summary("daily").value("net_pnl") == 7


def test_an_empty_window_is_zeros_and_says_so(place: Place) -> None:
    with place.tracker() as tracker:
        found = tracker.get_summary("weekly")
    assert (found.message, found.value("total_trades"), found.value("net_pnl")) == (
        "No trades in window",
        0,
        0,
    )
    assert found.value("win_rate") is None
    assert found.freshness.last_fill_at is None
    assert not found.partial


def test_nothing_is_opened_twice_and_an_append_is_read_on(place: Place) -> None:
    place.log("2026-11-19", record(order_id="0", at=NOON - timedelta(days=1)))
    path = place.log(TODAY, record(order_id="1", net="5"))
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").value("net_pnl") == 5
        path.chmod(0)  # even root is not needed: nothing asks for the content
        first = tracker.sync()
        assert (first.unchanged_files, first.read_files, first.read_bytes) == (2, 0, 0)
        path.chmod(0o644)
        size = path.stat().st_size
        place.log(TODAY, record(order_id="2", net="-2"), mode="a")
        second = tracker.sync()
        assert (second.unchanged_files, second.read_files, second.records) == (1, 1, 1)
        assert second.read_bytes == path.stat().st_size - size
        assert tracker.get_summary("daily").value("net_pnl") == 3


def test_half_a_line_waits_for_its_end(place: Place) -> None:
    line = json.dumps(record(order_id="2", net="-2"))
    path = place.log(TODAY, record(order_id="1", net="5"))
    with path.open("a") as file:
        file.write(line[:200])
    with place.tracker() as tracker:
        found = tracker.get_summary("daily")
        assert found.value("net_pnl") == 5
        assert codes(found) == ["unfinished_line"]
        with path.open("a") as file:
            file.write(line[200:] + "\n")
        whole = tracker.get_summary("daily")
        assert (whole.value("net_pnl"), whole.partial) == (3, False)


def test_a_last_line_without_line_break_counts_once(place: Place) -> None:
    path = place.write(f"logs/{TODAY}.jsonl", json.dumps(record(order_id="1", net="5")))
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").value("net_pnl") == 5
        with path.open("a") as file:
            file.write("\n" + json.dumps(record(order_id="2", net="1")) + "\n")
        found = tracker.get_summary("daily")
        assert (found.value("net_pnl"), found.value("total_trades")) == (6, 2)


@pytest.mark.parametrize("same_length", [True, False])
def test_a_rewritten_file_replaces_its_orders_and_those_it_lacks_stay(
    place: Place, same_length: bool
) -> None:
    place.log(TODAY, record(order_id="1", net="50"), record(order_id="2", net="5"))
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").value("net_pnl") == 55
        path = place.log(
            TODAY, record(order_id="1", net="40" if same_length else "4"), record(order_id="2", net="5")
        )
        os.utime(path, ns=(1, 1))
        assert tracker.get_summary("daily").value("net_pnl") == (45 if same_length else 9)
        place.log(TODAY)
        found = tracker.get_summary("daily")
        assert (found.value("net_pnl"), codes(found)) == (45 if same_length else 9, ["records_vanished"])
        assert tracker.verify().differences == []


def test_a_file_touched_but_not_changed_changes_nothing(place: Place) -> None:
    path = place.log(TODAY, record(order_id="1", net="5"))
    with place.tracker() as tracker:
        tracker.sync()
        revision = tracker.revision
        os.utime(path, ns=(5, 5))
        assert not tracker.sync().changed
        assert tracker.revision == revision


def test_a_later_record_of_an_order_supersedes_in_whatever_order_files_come(place: Place) -> None:
    place.log("2026-11-18", opened(order_id="1", at=NOON - timedelta(days=2)))
    place.log("2026-11-19", record(order_id="1", at=NOON - timedelta(days=1), net="5"))
    last = place.log(TODAY, record(order_id="1", at=NOON - timedelta(days=1), net="-7"))
    with place.tracker() as tracker:
        found = tracker.get_summary("weekly")
        assert (found.value("net_pnl"), found.value("total_trades")) == (-7, 1)
        last.write_text("")
        found = tracker.get_summary("weekly")
        assert (found.value("net_pnl"), codes(found)) == (-7, ["records_vanished"])
        assert tracker.verify().differences == []


def test_identical_records_without_an_id_are_kept_and_read_once(place: Place) -> None:
    same = record(net="5")
    place.log(TODAY, same, same)
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").value("total_trades") == 2
        place.log(TODAY, same, mode="a")
        assert tracker.get_summary("daily").value("total_trades") == 3
        place.write("copy.jsonl", "".join(json.dumps(same) + "\n" for _ in range(3)))
        report = tracker.import_file(place.folder / "copy.jsonl")
        assert report.layout == "trade_log"
        assert tracker.get_summary("daily").value("total_trades") == 3


def test_a_log_of_orders_only_goes_through_the_book(place: Place) -> None:
    def at(minutes: int) -> datetime:
        return NOON + timedelta(minutes=minutes)

    place.log(
        TODAY,
        opened(order_id="1", quantity=100, price="150.50", commission="1", at=at(0)),
        opened(order_id="2", quantity=60, price=151.5, action="SELL", at=at(1)),
        opened(order_id="3", quantity=40, price="149.50", action="SELL", at=at(2)),
    )
    with place.tracker() as tracker:
        found = tracker.get_summary("daily")
        assert (found.value("net_pnl"), found.value("total_trades")) == (19, 1)
        assert (found.trade_log.as_fills, found.trade_log.as_trades) == (1, 0)
        # one result in the log, and both count until somebody decides
        place.log(TODAY, record(order_id="9", net="5", at=at(3)), mode="a")
        changed = tracker.get_summary("daily")
        assert (changed.value("net_pnl"), changed.value("total_trades")) == (24, 2)
        assert (changed.trade_log.as_fills, changed.trade_log.as_trades) == (1, 1)
        assert codes(changed) == ["mixed_log"]
        assert tracker.verify().differences == []
    place.change_rules(TEARSHEET_TRADE_LOG_MODE="fills")
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").trade_log.as_fills == 1
    place.change_rules(TEARSHEET_TRADE_LOG_MODE="trades")
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").value("net_pnl") == 5


def test_an_order_of_an_unknown_future_is_rejected_until_its_multiplier_is_stated(place: Place) -> None:
    place.log(
        TODAY,
        opened(order_id="1", symbol="QQQQZ6", quantity=1, price="10"),
        opened(
            order_id="2",
            symbol="QQQQZ6",
            quantity=1,
            price="12",
            action="SELL",
            at=NOON + timedelta(minutes=1),
        ),
    )
    with place.tracker() as tracker:
        found = tracker.get_summary("daily")
        assert found.is_empty
        assert (codes(found), found.rejected_lines) == (["rejected_lines"], 2)
        first = tracker.rejections()[-1]
        assert (first.code, first.file, first.line) == ("unknown_instrument", f"{TODAY}.jsonl", 1)
    place.write("config/instruments.yaml", "QQQQ: {multiplier: 50}\n")
    with place.tracker() as tracker:
        found = tracker.get_summary("daily")
        assert (found.value("net_pnl"), found.partial) == (100, False)


def test_bad_lines_are_kept_and_stop_nothing(place: Place) -> None:
    place.log(
        "2026-11-18",
        record(order_id="1", net="5", at=NOON - timedelta(days=2)),
        '{"timestamp": "2026-11-18T10:00:00Z"',
        "[1, 2]",
        record(order_id="2", price="abc"),
        record(order_id="3", quantity=0),
        record(order_id="4", profit_loss=None, net_profit_loss=None),
    )
    with place.tracker() as tracker:
        found = tracker.get_summary("weekly")
        assert (found.value("net_pnl"), found.rejected_lines) == (5, 5)
        assert "rejected_lines" in codes(found)
        rejected = {r.line: r.code for r in tracker.rejections()}
        assert rejected == {
            2: "bad_json",
            3: "bad_json",
            4: "bad_number",
            5: "bad_quantity",
            6: "missing_result",
        }
        # a line of the 18th says nothing of the month before
        assert not tracker.get_summary("monthly", start=date(2026, 10, 1)).partial
        # mended, the file is whole
        place.log("2026-11-18", record(order_id="1", net="5", at=NOON - timedelta(days=2)))
        assert tracker.get_summary("weekly").rejected_lines == 0
        assert tracker.rejections() == []


def test_missing_weekdays_are_listed(place: Place) -> None:
    place.log("2026-11-16", record(at=NOON - timedelta(days=4)))
    place.log("2026-11-18", record(at=NOON - timedelta(days=2)))
    with place.tracker() as tracker:
        found = tracker.get_summary("weekly")
        assert found.missing_days == (date(2026, 11, 17), date(2026, 11, 19))
        assert codes(found) == ["missing_days"]
        # not before the first file, not on a holiday, not today, not in the future
        month = tracker.get_summary("monthly")
        assert month.missing_days == found.missing_days
    place.now = datetime(2026, 11, 27, 12, tzinfo=UTC)
    with place.tracker() as tracker:
        assert date(2026, 11, 26) not in tracker.get_summary("weekly").missing_days  # Thanksgiving


def test_other_files_in_the_folder_are_no_logs(place: Place) -> None:
    for name in ("performance-alerts.jsonl", "2026-13-01.jsonl", "2026-11-20.json", "20261120-x.jsonl"):
        place.write(f"logs/{name}", "not a log\n")
    (place.folder / "logs" / "2026-11-19.jsonl").mkdir()
    with place.tracker() as tracker:
        report = tracker.sync()
        assert (report.files, report.rejected) == (1, 1)
        (rejection,) = tracker.rejections()
        assert (rejection.code, rejection.line) == ("unreadable_file", 0)
        (place.folder / "logs" / "2026-11-19.jsonl").rmdir()
        place.log("2026-11-19", record(at=NOON - timedelta(days=1), net="3"))
        assert tracker.get_summary("weekly").value("net_pnl") == 3
        assert tracker.rejections() == []


def test_a_log_folder_that_is_a_file_is_an_error(place: Place) -> None:
    place.write("notes", "x")
    with (
        place.tracker(TEARSHEET_LOG_DIR="notes") as tracker,
        pytest.raises(InputError, match="cannot be listed"),
    ):
        tracker.sync()


def test_paper_and_live_are_not_mixed_in_silence(place: Place) -> None:
    place.log(TODAY, record(order_id="1", net="5"), record(order_id="2", net="70", execution_mode="PAPER"))
    with place.tracker() as tracker:
        assert codes(tracker.get_summary("daily")) == ["mixed_modes"]
        live = tracker.get_summary("daily", scope=Scope(mode="LIVE"))
        assert (live.value("net_pnl"), live.partial) == (5, False)


def test_scopes_choose_account_strategy_and_symbol(place: Place) -> None:
    place.log(
        TODAY,
        record(order_id="1", net="1", account_id="A", symbol="AAPL", strategy_name="orb"),
        record(order_id="2", net="20", account_id="A", symbol="MSFT", strategy_name="fade"),
        record(order_id="3", net="300", account_id=None, symbol="AAPL", strategy_name="fade"),
    )
    with place.tracker() as tracker:

        def net(**scope: str) -> object:
            return tracker.get_summary("daily", scope=Scope(**scope)).value("net_pnl")  # type: ignore[arg-type]

        assert (net(), net(account="A"), net(account="default")) == (321, 21, 300)
        assert (net(symbol="AAPL"), net(strategy="fade"), net(account="A", symbol="MSFT")) == (301, 320, 20)
        assert tracker.accounts() == ["A", "default"]
        with pytest.raises(NotFoundError, match="no account 'B'"):
            net(account="B")


def test_rolling_windows_take_the_last_trades(place: Place) -> None:
    lines = [record(order_id=str(n), net=str(n), at=NOON + timedelta(minutes=n)) for n in range(1, 8)]
    place.log(TODAY, *lines)
    with place.tracker() as tracker:
        found = tracker.get_summary(rolling=3)
        assert (found.value("total_trades"), found.value("net_pnl")) == (3, 5 + 6 + 7)
        assert found.window.last_trades == 3
        assert tracker.get_summary(rolling=99).value("total_trades") == 7
        assert tracker.get_summary(rolling=2, scope=Scope(symbol="NONE")).is_empty


def test_the_time_zone_decides_and_a_change_of_it_builds_the_books_anew(place: Place) -> None:
    place.log(TODAY, record(at=datetime(2026, 11, 20, 3, tzinfo=UTC), net="5"))
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").value("net_pnl") == 5
    place.change_rules(PERFORMANCE_SUMMARY_TIMEZONE="America/New_York")
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").is_empty
        assert tracker.get_summary("daily", start=date(2026, 11, 19)).value("net_pnl") == 5


def test_breakevens_may_have_a_band(place: Place) -> None:
    place.log(
        TODAY, record(order_id="1", net="2"), record(order_id="2", net="2.01"), record(order_id="3", net="-2")
    )
    with place.tracker(TEARSHEET_BREAKEVEN_BAND="2") as tracker:
        found = tracker.get_summary("daily")
        assert (found.value("winning_trades"), found.value("breakeven_trades")) == (1, 2)


def test_daily_ratios_need_a_starting_balance_and_count_what_came_before(place: Place) -> None:
    for n in range(5):
        day = date(2026, 11, 9 + n)
        place.log(
            day.isoformat(), record(order_id=str(n), net="100", at=datetime(2026, 11, 9 + n, 12, tzinfo=UTC))
        )
    for n, net in enumerate(("50", "-20", "10")):
        place.log(
            f"2026-11-{16 + n}",
            record(order_id=f"w{n}", net=net, at=datetime(2026, 11, 16 + n, 12, tzinfo=UTC)),
        )
    with place.tracker() as tracker:
        assert tracker.get_summary("weekly").value("sharpe") is None
    with place.tracker(TEARSHEET_STARTING_BALANCE="1000") as tracker:
        found = tracker.get_summary("weekly")
        assert found.value("max_drawdown_percent") == pytest.approx(20 / 1550)
        assert found.metrics["sharpe"].n == 5  # three traded, Thursday and Friday idle
        assert tracker.get_summary("weekly", scope=Scope(symbol="AAPL")).value("sharpe") is None


def test_a_summary_of_everything_begins_with_the_first_trade(place: Place) -> None:
    place.log("2026-11-18", record(at=NOON - timedelta(days=2)))
    place.log("2026-11-19")
    with place.tracker() as tracker:
        found = tracker.get_summary("all")
        assert (found.window.start, found.window.end) == (date(2026, 11, 18), date(2026, 11, 20))


def test_a_read_only_ledger_answers_and_says_what_it_has_not_seen(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.log(TODAY, record(order_id="1", net="5"))
    with place.tracker() as tracker:
        tracker.sync()
    place.make_read_only(monkeypatch)
    with place.tracker() as tracker:
        assert not tracker.get_summary("daily").partial
        assert tracker.verify().matches
        place.log(TODAY, record(order_id="2", net="7"), mode="a")
        found = tracker.get_summary("daily")
        assert (found.value("net_pnl"), codes(found)) == (5, ["stale_ledger"])
        with pytest.raises(StoreError, match="is read-only"):
            tracker.sync()


def test_currencies_are_never_added(place: Place) -> None:
    header = "account,symbol,time,side,quantity,price,commission,currency\n"
    rows = [
        "A,SAP,2026-11-20T10:00:00Z,buy,1,10,0,EUR",
        "A,SAP,2026-11-20T10:01:00Z,sell,1,13,0,EUR",
        "A,AAPL,2026-11-20T10:00:00Z,buy,1,10,0,USD",
        "A,AAPL,2026-11-20T10:01:00Z,sell,1,11,0,USD",
    ]
    path = place.write("fills.csv", header + "\n".join(rows) + "\n")
    with place.tracker() as tracker:
        tracker.import_file(path)
        found = tracker.get_summary("daily")
        assert (found.currency, found.value("net_pnl"), codes(found)) == ("USD", 1, ["other_currencies"])
        assert tracker.get_summary("daily", currency="EUR").value("net_pnl") == 3
        assert tracker.get_summary("daily", scope=Scope(symbol="SAP"), currency="EUR").value("net_pnl") == 3
    place.change_rules(TEARSHEET_CURRENCY="CHF")
    with place.tracker() as tracker, pytest.raises(MixedCurrencyError, match="EUR and USD"):
        tracker.get_summary("daily")


def test_a_symbol_with_log_and_fills_may_be_counted_twice_and_says_so(place: Place) -> None:
    place.log(TODAY, record(order_id="1", net="5", account_id="A"))
    header = "account,symbol,time,side,quantity,price,commission\n"
    path = place.write("fills.csv", header + "A,AAPL,2026-11-20T10:00:00Z,buy,1,10,0\n")
    with place.tracker() as tracker:
        assert not tracker.get_summary("daily").partial
        tracker.import_file(path)
        found = tracker.get_summary("daily")
        assert [(r.code, r.detail) for r in found.partial_reasons] == [("overlapping_sources", "A AAPL")]
        assert not tracker.get_summary("daily", scope=Scope(symbol="MSFT")).partial


@pytest.mark.parametrize(
    ("logged", "filled", "same"),
    [
        ("mes h27", "MESH27", True),
        ("MESH7", "MESH27", True),
        ("CON.F.US.MES.H27", "MES 03-27", True),
        ("MES", "MESH27", True),
        ("MES1!", "MESH27", True),
        ("aapl", "AAPL", True),
        ("BTC/USDT", "BTCUSDT", True),
        ("MESM27", "MESH27", False),
        ("AAPL", "AAP", False),
        ("BTC/USDT:USDT", "BTC/USDT", False),
    ],
)
def test_a_log_and_fills_of_one_instrument_may_be_doubled_however_it_is_spelled(
    place: Place, logged: str, filled: str, same: bool
) -> None:
    """Kind: what a bot spells is compared letter by letter with a canonical name, so a doubled account is complete."""
    place.log(TODAY, record(order_id="1", net="5", account_id="A", symbol=logged))
    header = "account,symbol,time,side,quantity,price,commission\n"
    path = place.write("fills.csv", f"{header}A,{filled},2026-11-20T10:00:00Z,buy,1,10,0\n")
    with place.tracker() as tracker:
        report = tracker.import_file(path)
        assert report.new == 1
        for symbol in (None, logged):
            found = tracker.get_summary("daily", scope=Scope(symbol=symbol))
            assert ("overlapping_sources" in codes(found)) is same


def test_backfill_gives_each_day(place: Place) -> None:
    for n in range(3):
        place.log(
            f"2026-11-{18 + n}",
            record(order_id=str(n), net=str(n + 1), at=datetime(2026, 11, 18 + n, 12, tzinfo=UTC)),
        )
    with place.tracker() as tracker:
        found = tracker.backfill(4)
    assert [s.value("net_pnl") for s in found] == [0, 1, 2, 3]


def test_explain_sums_to_the_number(place: Place) -> None:
    place.log(
        TODAY, record(order_id="1", net="5"), record(order_id="2", net="-2"), record(order_id="3", net="0")
    )
    with place.tracker() as tracker:
        window = tracker.window("daily")
        net = tracker.explain("net_pnl", window)
        assert (net.total, net.value.value, net.is_sum, len(net.bookings)) == (3, 3, True, 3)
        assert net.bookings[0].places[0].file == f"{TODAY}.jsonl"
        wins = tracker.explain("winning_trades", window)
        assert (wins.total, [p.net for p in wins.positions]) == (1, [5])
        assert tracker.explain("gross_loss", window).total == -2
        rate = tracker.explain("win_rate", window)
        assert (rate.is_sum, len(rate.positions)) == (False, 3)
        assert tracker.explain("fees", Window.last(2, tracker.today)).total == 2
        with pytest.raises(NotFoundError, match="no metric 'profits'"):
            tracker.explain("profits", window)


def test_verify_finds_what_was_tampered_with(place: Place) -> None:
    path = place.log(TODAY, record(order_id="1", net="5"), record(order_id="2", net="6"))
    with place.tracker() as tracker:
        tracker.sync()
        assert tracker.verify().matches
        query = tracker.ledger.connection.execute
        query("UPDATE position SET gross = '999' WHERE gross = '6'")
        query("UPDATE tally SET body = '{}' WHERE account = ''")
        query("DELETE FROM tally WHERE account = 'EQ-1'")
        found = tracker.verify().differences
        assert len([d for d in found if d.startswith("position")]) == 2
        assert len([d for d in found if d.startswith("tally")]) == 2
        stat = path.stat()
        text = path.read_text().replace("because", "becomes")
        path.write_text(text)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert any("the part that was read has changed" in d for d in tracker.verify().differences)


def test_a_year_9999_and_a_time_without_zone_are_rejected(place: Place) -> None:
    place.log(TODAY, record(timestamp="9999-12-31T23:59:59Z"), record(timestamp="2026-11-20T10:00:00"))
    with place.tracker() as tracker:
        found = tracker.get_summary("daily")
        assert found.rejected_lines == 2
        reasons = sorted(r.reason for r in tracker.rejections())
    assert reasons[0] == 'timestamp has no time zone, was "2026-11-20T10:00:00"'
    assert reasons[1].startswith("timestamp lies outside 1970–2100")


def test_two_zones_in_one_log_are_two_instants(place: Place) -> None:
    place.log(
        TODAY,
        record(order_id="1", timestamp="2026-11-20T23:30:00-05:00", exit_timestamp=None, net="1"),
        record(order_id="2", timestamp="2026-11-20T23:30:00+00:00", exit_timestamp=None, net="2"),
    )
    place.now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").value("net_pnl") == 1
        assert tracker.get_summary("daily", start=date(2026, 11, 20)).value("net_pnl") == 2


def test_the_tracker_can_be_closed_and_opened_again(place: Place, tmp_path: Path) -> None:
    place.log(TODAY, record(net="5"))
    with place.tracker() as tracker:
        tracker.sync()
    again = PerformanceTracker(place.settings(), clock=lambda: NOON)
    assert again.sync().read_files == 0
    assert again.get_summary("daily").value("net_pnl") == 5
    again.close()


@pytest.mark.parametrize("field", ["symbol", "account_id", "order_id", "strategy_name"])
def test_a_name_that_no_database_can_look_up_is_rejected(place: Place, field: str) -> None:
    lines = [
        record(**{"order_id": "1", field: "N" * 200}),
        record(**{"order_id": "2", field: "N" * 201}),
        record(**{"order_id": "3", field: "N\0N"}),
    ]
    place.log(TODAY, *lines)
    with place.tracker() as tracker:
        assert tracker.sync().records == 1
        hint = "names of accounts, symbols and orders have at most 200 characters"
        assert [(r.line, r.code, r.reason, r.hint) for r in reversed(tracker.rejections())] == [
            (2, "bad_value", f"{field} has 201 characters", hint),
            (3, "bad_value", f"{field} contains a NUL character", hint),
        ]


def test_a_line_of_zeroes_is_shown_with_its_zeroes(place: Place) -> None:
    """As a crash of the machine leaves them at the end of a file."""
    place.log(TODAY, "\0\0\0", record(net="5"))
    with place.tracker() as tracker:
        assert tracker.get_summary("daily").value("net_pnl") == 5
        assert [r.text for r in tracker.rejections()] == ["\\x00\\x00\\x00"]
