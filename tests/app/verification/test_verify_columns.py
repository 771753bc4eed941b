"""`verify` folds the fills on columns where the books depend on nothing else, and finds what a rebuild finds."""

from contextlib import closing
from datetime import timedelta
from random import Random

import pytest
from msgspec.structs import replace

from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.verification.verify_columns import books_equal_facts
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.fill import Fill
from tests.columns.random_fills import random_fills
from tests.support.place import Place, record

pytestmark = pytest.mark.both_databases


def imported(place: Place, kinds: tuple[str, ...] = ("plain", "crypto", "negative")) -> PerformanceTracker:
    fills = random_fills(Random(11), 3, 60, kinds)
    # an instrument has one multiplier and currency: others are contradictions, which are left to a rebuild
    first: dict[tuple[str, str], Fill] = {}
    fills = [
        replace(fill, multiplier=one.multiplier, currency=one.currency)
        for fill in fills
        for one in [first.setdefault((fill.account, fill.symbol), fill)]
    ]
    back = fills[-1].time - place.now + timedelta(days=1)
    rows = ["account,symbol,time,side,quantity,price,commission,fill_id,multiplier,currency,stop_loss,target"]
    rows += [
        f"{f.account},{f.symbol},{(f.time - back).isoformat()},{f.side.value},{f.quantity},{f.price},{f.commission},"
        f"{n},{to_plain_string(f.multiplier)},{f.currency},{f.stop_loss or ''},{f.target or ''}"
        for n, f in enumerate(fills)
    ]
    path = place.write("fills.csv", "\n".join(rows) + "\n")
    tracker = place.tracker()
    assert tracker.import_file(path).new > 50
    return tracker


def folded(tracker: PerformanceTracker) -> dict[str, int] | None:
    with tracker.ledger.snapshot():
        return books_equal_facts(tracker.ledger, booking_rules_from(tracker.settings, tracker.ledger))


def test_books_of_fills_are_verified_on_columns_with_the_counts_of_a_rebuild(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(imported(place)) as tracker:
        report = tracker.verify()
        assert report.differences == []
        counts = folded(tracker)
        assert counts is not None
        assert counts["booking"] > 100
        monkeypatch.setattr("tearsheet.app.verification.verify.books_equal_facts", lambda *_: None)
        assert tracker.verify() == report
        assert {name: report.rows[name] for name in counts} == counts


TAMPERING = {
    "a booking's gross": "UPDATE booking SET gross = '999.5' WHERE closes = 1",
    "a booking is gone": "DELETE FROM booking WHERE closes = 1",
    "a booking more": "INSERT INTO booking SELECT 'made up', account, symbol, currency, time_us, rank, 'x:0', part, quantity, "
    "price, gross, fees, closes, carry, event, cash FROM booked WHERE time_us = (SELECT max(time_us) FROM booked)",
    "a sort key of a position": "UPDATE position SET net_order = net_order + 1 WHERE closed_us IS NOT NULL",
    "an open position": "UPDATE position SET open_quantity = '77' WHERE closed_us IS NULL",
    "a position is gone": "DELETE FROM position WHERE closed_us IS NULL",
    "a tally": "UPDATE tally SET body = '{}' WHERE account = ''",
    "a tally is gone": "DELETE FROM tally WHERE account <> ''",
    "a tally more": "INSERT INTO tally VALUES ('made up', '2026-01-02', 'USD', 0, '{}')",
    "a fill": "UPDATE fill SET price = '1.25'",
    "a fill is gone": "DELETE FROM sighting; DELETE FROM fill WHERE id = (SELECT max(id) FROM fill)",
}


LARGE = {
    "the gross of a fill's booking": "UPDATE fill_booking SET gross = '999.5' WHERE closes = 1",
    "the price of a fill's booking": "UPDATE fill_booking SET price = '999.5' WHERE closes = 0",
    "the position of a fill's booking": "UPDATE fill_booking SET position = position + 1 WHERE closes = 1",
    "a fill's booking is gone": "DELETE FROM fill_booking WHERE closes = 1",
}


@pytest.mark.parametrize("what", TAMPERING | LARGE)
def test_what_was_tampered_with_is_found_and_named(
    place: Place, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what in LARGE:
        monkeypatch.setattr("tearsheet.store.write.transaction._BULK_BYTES", 1)
        monkeypatch.setattr("tearsheet.store.write.imported_fills._LEAST_ROWS", 1)
    with closing(imported(place)) as tracker:
        assert tracker.ledger.queries.exists("any_booking") is (what not in LARGE)
        for statement in (TAMPERING | LARGE)[what].split("; "):
            tracker.ledger.connection.execute(statement)
        assert folded(tracker) is None
        assert tracker.verify().differences


def test_numbers_beyond_the_kernel_are_verified_too(place: Place) -> None:
    with closing(imported(place, ("dust", "odd", "crypto18"))) as tracker:
        assert folded(tracker) is not None
        assert tracker.verify().matches


def test_what_depends_on_more_than_fills_is_left_to_a_rebuild(place: Place) -> None:
    place.log(place.now.date(), record(order_id="1", net="5"))
    with closing(place.tracker()) as tracker:
        tracker.sync()
        assert folded(tracker) is None
        assert tracker.verify().matches
