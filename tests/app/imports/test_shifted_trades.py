"""Two files of the same trades, one read in a wrong time zone: refused, never doubled."""

from zoneinfo import ZoneInfo

import pytest

from tearsheet.app.imports.import_file import ImportJob, import_file
from tearsheet.errors import FormatError
from tearsheet.sources.statements.options import StatementOptions
from tests.support.place import Place, fills_csv

pytestmark = pytest.mark.both_databases

NEW_YORK, BERLIN = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin")
HEAD = "account,symbol,time,side,quantity,price,commission,order_id\n"
TRADES = (
    ("2026-10-20 10:00:05", "BUY", 10, "100.25", "o1"),
    ("2026-10-20 10:31:17", "SELL", 10, "101.5", "o2"),
    ("2026-10-27 10:00:09", "BUY", 5, "99.75", "o3"),
    ("2026-10-27 14:02:40", "SELL", 5, "99.25", "o4"),
    ("2026-11-03 11:02:40", "BUY", 5, "98.25", "o5"),
)


def statement(place: Place, name: str, rows: object = TRADES, extra: str = "") -> ImportJob:
    lines = [f"A,ACT,{at},{side},{qty},{price},0,{order}" for at, side, qty, price, order in rows]  # type: ignore[attr-defined]
    return ImportJob(path=place.write(name, HEAD + "\n".join(lines) + f"\n{extra}"))


def read(place: Place, job: ImportJob, zone: ZoneInfo, *, other_trades: bool = False) -> int:
    options = StatementOptions(timezone=zone)
    job = ImportJob(path=job.path, options=options, other_trades=other_trades)
    with place.tracker() as tracker:
        return import_file(tracker, job).new


def test_the_same_trades_in_another_zone_are_refused(place: Place) -> None:
    assert read(place, statement(place, "a.csv"), NEW_YORK) == 5
    again = statement(place, "b.csv", TRADES[::-1])
    assert read(place, again, NEW_YORK) == 0
    more = statement(place, "c.csv", TRADES, "A,OTHER,2026-11-04 10:00:00,BUY,1,1,0,o9\n")
    # between both changes of the clock New York is five hours from Berlin, else six
    with pytest.raises(
        FormatError, match="5 of 5 of its fills are there already, 6:00 h earlier, in import 1"
    ):
        read(place, more, BERLIN)
    with place.tracker() as tracker:
        assert tracker.get_summary("weekly").open_positions == 1
    assert read(place, more, BERLIN, other_trades=True) == 6


def test_equal_orders_of_other_parts_are_the_same_trades(place: Place) -> None:
    assert read(place, statement(place, "a.csv"), NEW_YORK) == 5
    parts = [(at, side, qty, f"{price}5", order) for at, side, qty, price, order in TRADES[:3]]
    with pytest.raises(FormatError, match="3 of 3"):
        read(place, statement(place, "b.csv", parts), BERLIN)


def test_other_trades_are_no_shift(place: Place) -> None:
    assert read(place, statement(place, "a.csv"), NEW_YORK) == 5
    others = [
        (at.replace("10:", "15:"), side, qty, f"{price}1", f"{o}x") for at, side, qty, price, o in TRADES
    ]
    assert read(place, statement(place, "b.csv", others), NEW_YORK) == 5
    # the same hour on the next day, and one equal fill among many
    later = [
        (at.replace("-20 ", "-21 "), side, qty, price, f"{o}y") for at, side, qty, price, o in TRADES[:2]
    ]
    assert read(place, statement(place, "c.csv", later), NEW_YORK) == 2


def test_round_trips_and_executions_of_the_same_trades_are_recognized_at_a_shift(place: Place) -> None:
    trips = """symbol,qty,pnl,buyFillId,buyPrice,boughtTimestamp,sellFillId,sellPrice,soldTimestamp
MESZ6,2,$50.00,1,5125,11/16/2026 14:35:12,2,5130,11/16/2026 14:42:15
MESZ6,1,$(2.00),4,5101,11/18/2026 15:42:15,3,5100.6,11/18/2026 15:35:12
"""
    rows = [
        f"A,MESZ6,2026-11-{at}Z,{side},{qty},{price},0,{n}"
        for n, (at, side, qty, price) in enumerate(
            (
                ("16T14:35:12", "BUY", 2, "5125"),
                ("16T14:42:15", "SELL", 2, "5130"),
                ("18T15:35:12", "SELL", 1, "5100.6"),
                ("18T15:42:15", "BUY", 1, "5101"),
            )
        )
    ]
    with place.tracker() as tracker:
        tracker.import_file(place.write("fills.csv", fills_csv(rows)))
        path = place.write("trips.csv", trips)
        with pytest.raises(FormatError, match="4 of 4 of its fills are there already"):
            tracker.import_file(path, timezone=ZoneInfo("America/Chicago"), account="A")
        assert tracker.import_file(path, timezone=ZoneInfo("UTC"), account="A").executed_legs == 4
        assert tracker.get_summary("weekly").value("total_trades") == 2


def test_a_shift_is_a_multiple_of_a_quarter_of_an_hour(place: Place) -> None:
    assert read(place, statement(place, "a.csv"), ZoneInfo("Asia/Kolkata")) == 5
    with pytest.raises(FormatError, match="5:30 h later"):
        read(place, statement(place, "b.csv", TRADES[:4]), ZoneInfo("UTC"))
