"""Imported fills: late ones, many instruments at once, and what the books look like after."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tearsheet.app.imports.import_file import ImportJob
from tearsheet.app.reconcile.tie_out import preview_import
from tearsheet.performance.summary import Scope
from tearsheet.store.tables.columns import FillRow
from tearsheet.store.tables.rows import fill_from_row
from tearsheet.trade.session import Window
from tests.support.place import NOON, Place, as_rows, fills_csv

pytestmark = pytest.mark.both_databases

START = datetime(2026, 11, 16, 14, tzinfo=UTC)


def line(
    number: int, hour: int, side: str, quantity: int, price: str, symbol: str = "X", fee: str = "1"
) -> str:
    at = START + timedelta(hours=hour)
    return f"A,{symbol},{at.isoformat()},{side},{quantity},{price},{fee},E{number}"


def books(place: Place, *files: list[str]) -> dict[str, object]:
    with place.tracker() as tracker:
        for number, lines in enumerate(files):
            tracker.import_file(place.write(f"{number}.csv", fills_csv(lines)))
            assert tracker.verify().differences == []
        return dict(as_rows(tracker))


def test_a_late_fill_after_a_reversal_leaves_what_the_reversal_closed_alone(place: Place) -> None:
    lines = [
        line(0, 0, "buy", 2, "100"),
        line(1, 1, "sell", 5, "110", fee="3"),
        line(2, 30, "sell", 1, "108"),
        line(3, 40, "buy", 1, "107"),
        line(4, 60, "buy", 3, "105"),
    ]
    (place.folder / "one").mkdir()
    (place.folder / "two").mkdir()
    whole = books(Place(place.folder / "one", {}), lines)
    late = books(Place(place.folder / "two", {}), [lines[n] for n in (0, 1, 3, 4)], [lines[2]])
    assert late == whole


def test_a_late_fill_before_everything_makes_other_positions(place: Place) -> None:
    with place.tracker() as tracker:
        tracker.import_file(
            place.write("a.csv", fills_csv([line(1, 1, "sell", 1, "110"), line(2, 2, "buy", 1, "100")]))
        )
        assert tracker.get_summary("weekly").value("net_pnl") == 8
        tracker.import_file(place.write("b.csv", fills_csv([line(0, 0, "buy", 1, "90")])))
        found = tracker.get_summary("weekly")
        assert (found.value("total_trades"), found.value("closed_pnl"), found.open_positions) == (1, 18, 1)
        assert found.value("net_pnl") == 17
        assert tracker.verify().matches


def test_close_and_reopen_at_one_instant_are_two_positions_also_when_a_fill_comes_late(place: Place) -> None:
    lines = [
        line(0, 0, "buy", 1, "100"),
        line(1, 1, "sell", 1, "101"),
        line(2, 1, "buy", 1, "101"),
        line(3, 9, "sell", 1, "102"),
    ]
    (place.folder / "one").mkdir()
    (place.folder / "two").mkdir()
    whole = books(Place(place.folder / "one", {}), lines)
    assert len(whole["position"]) == 2  # type: ignore[arg-type]
    assert books(Place(place.folder / "two", {}), lines[:3], lines[3:]) == whole
    extra = [*lines[:3], line(9, 5, "buy", 1, "99"), line(3, 9, "sell", 1, "102")]
    (place.folder / "three").mkdir()
    (place.folder / "four").mkdir()
    assert books(Place(place.folder / "three", {}), lines, [extra[3]]) == books(
        Place(place.folder / "four", {}), extra
    )


def test_late_fills_of_many_instruments_at_once(place: Place) -> None:
    symbols = [f"S{n:02d}" for n in range(25)]
    lines = [
        line(100 * n + k, k * 7 + n % 3, side, 1, str(100 + k), symbol)
        for n, symbol in enumerate(symbols)
        for k, side in enumerate(("buy", "sell", "sell", "buy", "buy"))
    ]
    late = lines[2::5]
    rest = [one for one in lines if one not in late]
    (place.folder / "one").mkdir()
    (place.folder / "two").mkdir()
    assert len(late) == 25
    assert books(Place(place.folder / "one", {}), rest, late) == books(Place(place.folder / "two", {}), lines)


def test_bookings_of_a_strategy_are_those_of_its_positions(place: Place) -> None:
    header = "account,symbol,time,side,quantity,price,commission,fill_id,strategy"
    rows = [
        f"{line(0, 0, 'buy', 2, '10')},orb",
        f"{line(1, 1, 'sell', 1, '12')},other",
        f"{line(2, 90, 'sell', 1, '13')},other",
    ]
    with place.tracker() as tracker:
        tracker.import_file(place.write("a.csv", fills_csv(rows, header)))
        monday = Window.containing("daily", START.date())
        found = tracker.get_summary(monday, scope=Scope(strategy="orb"))
        assert (found.value("net_pnl"), found.value("total_trades")) == (Decimal(0), 0)
        assert found.message == "No closed trades in window"
        assert tracker.get_summary(monday, scope=Scope(strategy="other")).is_empty
        whole = tracker.get_summary("weekly", scope=Scope(strategy="orb"))
        assert (whole.value("closed_pnl"), whole.value("total_trades")) == (2, 1)
        assert [p.strategy for p in tracker.closed_positions(tracker.window("weekly"))] == ["orb"]
        assert tracker.open_positions() == []


def test_explain_names_the_file_and_line_of_a_fill(place: Place) -> None:
    with place.tracker() as tracker:
        tracker.import_file(
            place.write("a.csv", fills_csv([line(0, 0, "buy", 2, "10"), line(1, 1, "sell", 2, "12")]))
        )
        tracker.import_file(place.write("b.csv", fills_csv([line(1, 1, "sell", 2, "12")])))
        found = tracker.explain("closed_pnl", tracker.window("weekly"))
    (position,) = found.positions
    assert [[(p.file.rpartition("/")[2], p.line) for p in b.places] for b in position.bookings] == [
        [("a.csv", 2)],
        [("a.csv", 3), ("b.csv", 2)],
    ]


def test_a_fill_with_a_name_that_is_too_long_is_rejected(place: Place) -> None:
    long = "N" * 201
    rows = [
        f"{account},{symbol},2026-11-20T10:00:00Z,buy,1,10,0,{fill_id}"
        for account, symbol, fill_id in (
            ("A", "AAPL", "N" * 200),
            (long, "AAPL", "1"),
            ("A", long, "2"),
            ("A", "AAPL", long),
        )
    ]
    with place.tracker() as tracker:
        report = tracker.import_file(place.write("a.csv", fills_csv(rows)))
        assert report.new == 1
        assert [(r.code, r.reason) for r in report.rejections] == [
            ("bad_value", f"{field} has 201 characters") for field in ("account", "symbol", "fill_id")
        ]


def test_an_import_after_the_settings_changed_makes_all_books_by_the_new_ones(place: Place) -> None:
    """Otherwise the books would be mixed, and nobody would see that they are."""
    place.now = NOON
    late = "A,AAPL,2026-11-19T23:30:00Z"
    with place.tracker() as tracker:
        tracker.import_file(place.write("a.csv", fills_csv([f"{late},buy,1,10,0,1"])))
        tracker.import_file(place.write("b.csv", fills_csv([f"{late},sell,1,15,0,2"])))
        assert tracker.get_summary("daily").value("net_pnl") == 0
    place.change_rules(PERFORMANCE_SUMMARY_TIMEZONE="Asia/Tokyo")
    with place.tracker() as tracker:
        tracker.import_file(place.write("c.csv", fills_csv(["B,AAPL,2026-11-20T09:00:00Z,buy,1,10,0,3"])))
        assert tracker.get_summary("daily").value("net_pnl") == 5
        assert tracker.verify().matches


@pytest.mark.sqlite
def test_a_large_first_file_builds_its_indexes_once_and_gives_the_same_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line(n, n % 7, "buy" if n % 3 else "sell", 1 + n % 2, "100", "XY"[n % 2]) for n in range(60)]
    found = []
    for least in (1 << 40, 1):
        monkeypatch.setattr("tearsheet.store.write.transaction._BULK_BYTES", least)
        place = Place(tmp_path / str(least), {})
        path = place.write("fills.csv", fills_csv(lines))
        with place.tracker() as tracker:
            preview_import(tracker, ImportJob(path=path))
            tracker.import_file(path)
            assert tracker.verify().differences == []
            query = tracker.ledger.connection.execute
            indexes = query("SELECT name, sql FROM sqlite_schema WHERE type = 'index' ORDER BY name")
            found.append((as_rows(tracker), indexes.fetchall()))
    assert found[0] == found[1]


def test_a_position_closed_in_another_currency_is_counted_in_its_own(place: Place) -> None:
    """The export of one broker names the currency, that of the other does not."""
    header = "account,symbol,time,side,quantity,price,commission,fill_id,currency"
    opened = "A,AAPL,2026-11-19T15:00:00Z,buy,1,10,0,1,USD"
    closed = "A,AAPL,2026-11-20T15:00:00Z,sell,1,15,0,2,EUR"
    early = "A,AAPL,2026-11-19T14:00:00Z,buy,1,12,0,3,USD"
    with place.tracker() as tracker:
        tracker.import_file(place.write("a.csv", fills_csv([opened, closed], header)))
        assert tracker.verify().differences == []
        tallies = tracker.ledger.tallies.between("A", date(2026, 11, 20), date(2026, 11, 21), "USD")
        assert [(tally.wins, tally.fills) for _, tally in tallies] == [(1, 0)]
        tracker.import_file(place.write("b.csv", fills_csv([early], header)))
        assert tracker.verify().differences == []
        assert tracker.ledger.tallies.between("A", date(2026, 11, 20), date(2026, 11, 21), "USD") == []


def test_a_value_that_only_one_row_of_a_long_file_states_is_stored(place: Place) -> None:
    """Bulk inserts leave out columns in which no row has a value; the first row decides most of them."""
    head = "account,symbol,time,side,quantity,price,commission,fill_id,strategy,stop_loss"
    lines = [f"{line(n, n, 'buy', 1, '100')},," for n in range(120)]
    lines[77] = f"{line(77, 77, 'buy', 1, '100')},breakout,"
    lines[99] = f"{line(99, 99, 'buy', 1, '100')},,98.5"
    with place.tracker() as tracker:
        tracker.import_file(place.write("a.csv", "\n".join([head, *lines]).encode()))
        stored = list(
            map(fill_from_row, tracker.ledger.queries.rows(FillRow, "fills_of_stream", ("A", "X", 0)))
        )
        assert [(n, f.strategy) for n, f in enumerate(stored) if f.strategy] == [(77, "breakout")]
        assert [(n, f.stop_loss) for n, f in enumerate(stored) if f.stop_loss] == [(99, Decimal("98.5"))]
        assert {f.target for f in stored} == {None}
