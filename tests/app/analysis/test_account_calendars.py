"""Each account's own zone and day start decide its sessions; totals add equal dates; a change dates it alone anew."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tearsheet.app.analysis.charts import Charts, Selection
from tearsheet.app.analysis.curves import Curves
from tearsheet.app.analysis.explain import explain
from tearsheet.app.analysis.lists import Lists
from tearsheet.app.analysis.summaries import summarize, summary_builder
from tearsheet.app.analysis.table_rows import TableRows, TableScope
from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.app.imports.history import ImportHistory
from tearsheet.errors import UsageError
from tearsheet.performance.summary import Scope
from tearsheet.store.list_values import TradeFilter
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.support.old_ledger import TABLES, make_old, rows_of
from tests.support.place import Place, as_rows, fills_csv

pytestmark = pytest.mark.both_databases

PRAGUE = "{timezone: Europe/Prague, day_starts_at: '00:00'}"
PLATFORM = "{timezone: America/New_York, day_starts_at: '17:00'}"
TERMS = f"accounts: {{A: {PRAGUE}, B: {PLATFORM}}}"
HEADER = "time,account,symbol,side,quantity,price,commission,multiplier"
#: 22:30 UTC is the 20th in Prague and in UTC, and the platform's 21st; 23:30 is Prague's 21st
FILLS = [
    "2026-10-26T22:30:00Z,A,P,buy,1,100,0,1",
    "2026-10-26T22:30:30Z,A,P,sell,1,200,0,1",
    "2026-10-26T22:30:00Z,B,P,buy,1,100,0,1",
    "2026-10-26T22:30:30Z,B,P,sell,1,101,0,1",
    "2026-10-26T23:30:00Z,A,P,buy,1,100,0,1",
    "2026-10-26T23:30:30Z,A,P,sell,1,107,0,1",
    "2026-10-26T23:30:00Z,C,P,buy,1,100,0,1",
    "2026-10-26T23:30:30Z,C,P,sell,1,140,0,1",
]
FIRST, SECOND = date(2026, 10, 26), date(2026, 10, 27)


def state(tracker: PerformanceTracker, terms: str, who: str = "kim") -> None:
    AccountsEditor(tracker).set_text(terms, "accounts.yaml", who)


def days(tracker: PerformanceTracker, account: str | None) -> list[tuple[date, Decimal]]:
    with tracker.ledger.snapshot():
        found = summary_builder(tracker).sessions(Window.between(FIRST, SECOND), Scope(account), "USD")
    return [(day, tally.curve.net) for day, tally in found]


def check(tracker: PerformanceTracker) -> None:
    assert days(tracker, "A") == [(FIRST, 100), (SECOND, 7)]
    assert days(tracker, "B") == [(SECOND, 1)]
    assert days(tracker, "C") == [(FIRST, 40)]  # the ledger's own day
    assert days(tracker, None) == [(FIRST, 140), (SECOND, 8)]


def test_sessions_are_those_of_each_account_and_totals_add_equal_dates(place: Place) -> None:
    with place.tracker() as tracker:
        state(tracker, TERMS)
        tracker.import_file(place.write("fills.csv", fills_csv(FILLS, HEADER)))
        check(tracker)
        at_once = as_rows(tracker)
        assert tracker.verify().differences == []
    with place.tracker() as tracker:  # a later change of a session of several calendars, and back
        late = place.write("late.csv", fills_csv(["2026-10-26T22:29:00Z,B,Q,buy,1,5,0,1"], HEADER))
        report = tracker.import_file(late)
        ImportHistory(tracker).undo(report.id, "kim")
        check(tracker)
        assert as_rows(tracker)["tally"] == at_once["tally"]


def test_a_change_of_a_calendar_is_recorded_and_dates_that_account_alone_anew(place: Place) -> None:
    with place.tracker() as tracker:
        tracker.import_file(place.write("fills.csv", fills_csv(FILLS, HEADER)))
        before = as_rows(tracker)
        assert days(tracker, "A") == [(FIRST, 107)]
        changed = AccountsEditor(tracker).set_text(TERMS, "accounts.yaml", "kim")
        assert [one.name for one in changed if one.name.startswith("B.")] == ["B.timezone", "B.day_starts_at"]
        check(tracker)
        after = as_rows(tracker)
        assert {name for name in before if before[name] != after[name]} == {"tally"}
        assert tracker.verify().differences == []
        state(tracker, "accounts: {A: null, B: null}")
        assert as_rows(tracker) == before
        assert tracker.verify().differences == []


def test_every_list_and_chart_says_the_session_of_the_account(place: Place) -> None:
    with place.tracker() as tracker:
        state(tracker, TERMS)
        tracker.import_file(place.write("fills.csv", fills_csv(FILLS, HEADER)))
        first, second = (tracker.window("daily", start=day) for day in (FIRST, SECOND))
        of_symbol = Scope(symbol="P")
        for window, net, trades in ((first, 140, 2), (second, 8, 2)):
            chosen = Selection(window, Scope(), "USD")
            assert summarize(tracker, window, of_symbol).value("net_pnl") == net
            explained = explain(tracker, "net_pnl", window)
            assert explained.total == explained.value.value == net
            assert {one.session for one in explained.bookings} == {str(window.start)}
            assert [one.session for one in Charts(tracker).closed_trades(chosen)] == [window.start] * trades
            page = Charts(tracker).trades(chosen, TradeFilter(text="P"), 0, 10)
            assert (page.total, len(page.items)) == (trades, trades)
            assert len(Lists(tracker).closed_trades(window, Scope(), 10, None).items) == trades
            assert len(Lists(tracker).fills(window, Scope(), 10, None).items) == 2 * trades
            assert Curves(tracker).drawn(chosen).points[-1].total == net
            rows: list[Any] = list(TableRows(tracker, TableScope(window.start, window.last_day)).of("trades"))
            assert [row[9] for row in rows] == [window.start] * trades
            assert (
                len(list(TableRows(tracker, TableScope(window.start, window.last_day)).of("fills")))
                == 2 * trades
            )
            assert (
                len(list(TableRows(tracker, TableScope(window.start, window.last_day)).of("bookings")))
                == 2 * trades
            )
        view = summarize(tracker, second, Scope("B")).window
        assert (view.timezone, view.day_starts_at) == ("America/New_York", "17:00")
        assert view.starts_at == datetime(2026, 10, 26, 21, tzinfo=UTC)
        assert summarize(tracker, second, Scope("B")).value("net_pnl") == 1


def test_a_calendar_is_not_changed_while_a_breach_of_a_day_is_active(place: Place) -> None:
    place.write(
        "config/dashboard-targets.yaml", "limits: {accounts: {A: {daily_loss: 50, stale_after: null}}}"
    )
    lost = ["2026-11-20T10:00:00Z,A,P,buy,1,200,0,1", "2026-11-20T10:00:30Z,A,P,sell,1,100,0,1"]
    with place.tracker() as tracker:
        tracker.import_file(place.write("fills.csv", fills_csv(lost, HEADER)))
        before = as_rows(tracker)
        with pytest.raises(UsageError, match="daily_loss of A is broken"):
            state(tracker, TERMS)
        assert AccountsEditor(tracker).show().accounts == {}
        assert as_rows(tracker) == before
        state(tracker, f"accounts: {{B: {PLATFORM}}}")  # of another account nothing is at stake


def test_a_ledger_that_kept_calendars_for_limits_only_is_dated_anew_once(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    source = Place(tmp_path / "source", {})
    with source.tracker() as tracker:
        tracker.import_file(source.write("fills.csv", fills_csv(FILLS, HEADER)))
        old_tallies = rows_of(tracker, "tally")
        state(tracker, TERMS)
        content = {table: rows_of(tracker, table) for table in TABLES} | {"tally": old_tallies}
    make_old(place, 28, content)
    with place.tracker() as tracker:
        tracker.sync()
        check(tracker)
        assert tracker.verify().differences == []
