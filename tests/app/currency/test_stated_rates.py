"""Rates in the ledger: kept once, corrected, undone, all or none, whatever happens to the process."""

import time
from datetime import timedelta

import pytest

from tearsheet.app.currency.stated_rates import RatesFilter, StatedRates
from tearsheet.app.imports.history import ImportHistory
from tearsheet.tracker import PerformanceTracker
from tests.support.place import NOON, Place
from tests.support.processes import Running

pytestmark = pytest.mark.both_databases
HEADER = "date,from,to,rate,source\n"


def listed(tracker: PerformanceTracker) -> list[tuple[str, str, str, bool]]:
    found = StatedRates(tracker).list(RatesFilter(), 100)
    return [(str(one.day), one.from_currency, str(one.rate), one.counts) for one in found]


def test_a_changed_rate_is_a_correction_that_is_kept_and_can_be_undone(place: Place) -> None:
    file = place.write("rates.csv", f"{HEADER}2026-03-02,EUR,USD,1.0850,ecb\n2026-03-02,GBP,USD,1.26,ecb\n")
    with place.tracker() as tracker:
        rates = StatedRates(tracker)
        first = rates.import_file(file, "kim")
        assert (first.new, first.corrected, first.known) == (2, 0, 0)
        again = rates.import_file(file)
        assert (again.new, again.known, again.id, again.revision) == (0, 2, None, first.revision)
        corrected = rates.add(("2026-03-02", "EUR", "USD", "1.09", "me"), "kim")
        assert (corrected.new, corrected.corrected) == (0, 1)
        assert corrected.revision > first.revision
        assert listed(tracker) == [
            ("2026-03-02", "EUR", "1.09", True),
            ("2026-03-02", "EUR", "1.0850", False),
            ("2026-03-02", "GBP", "1.26", True),
        ]
        assert corrected.id is not None
        undone = ImportHistory(tracker).undo(corrected.id, "kim")
        assert (undone.gone, undone.stayed) == (1, 0)
        assert listed(tracker)[0] == ("2026-03-02", "EUR", "1.0850", True)
        assert first.id is not None
        ImportHistory(tracker).undo(first.id, "kim")
        assert listed(tracker) == []
        assert rates.import_file(file).new == 2  # undone is not known
        assert tracker.verify().differences == []


def test_one_wrong_rate_refuses_the_file(place: Place) -> None:
    file = place.write("rates.csv", f"{HEADER}2026-03-02,EUR,USD,1.085,ecb\n2026-03-03,EUR,USD,0,ecb\n")
    with place.tracker() as tracker:
        report = StatedRates(tracker).import_file(file)
        assert (report.new, report.rejected, report.rejections[0].line) == (0, 1, 3)
        assert listed(tracker) == []
        assert tracker.revision == 0


def test_a_swapped_pair_is_refused_beside_the_stored_rate(place: Place) -> None:
    with place.tracker() as tracker:
        rates = StatedRates(tracker)
        assert rates.add(("2026-03-02", "EUR", "USD", "1.085", "ecb")).new == 1
        refused = rates.add(("2026-03-02", "USD", "EUR", "1.085", "ecb"))
        assert "is the pair swapped?" in refused.rejections[0].reason
        assert rates.add(("2026-03-02", "USD", "EUR", "0.9217", "ecb")).new == 1


def test_a_day_that_has_begun_nowhere_is_refused(place: Place) -> None:
    place.now = NOON.replace(hour=9)
    today, tomorrow = (str(NOON.date() + timedelta(days)) for days in (0, 1))
    with place.tracker() as tracker:
        rates = StatedRates(tracker)
        assert rates.add((today, "EUR", "USD", "1.085", "")).new == 1
        assert rates.add((tomorrow, "EUR", "USD", "1.085", "")).rejections[0].code == "future_time"
        place.now = NOON  # in Kiribati the next day begins now
        assert rates.add((tomorrow, "EUR", "USD", "1.085", "")).rejections == []


@pytest.mark.slow
def test_a_killed_import_keeps_all_or_nothing(place: Place) -> None:
    days = [str((NOON - timedelta(days=n)).date()) for n in range(9_000)]
    rows = "".join(f"{day},1.085,0.86,160.1\n" for day in days)
    file = place.write("eurofxref-hist.csv", f"Date,USD,GBP,JPY\n{rows}")
    with place.tracker() as tracker:
        tracker.sync()
    for delay_s in (0.3, 0.6, 0.9):
        with Running(place, "rates", "import", str(file)) as running:
            time.sleep(delay_s)  # somewhere between its start and its commit; any moment is right
            running.process.kill()
            running.process.wait()
        with place.tracker() as tracker:
            found = StatedRates(tracker).list(RatesFilter(), 30_000)
            assert len(found) in (0, 27_000)
    with place.tracker() as tracker:
        report = StatedRates(tracker).import_file(file)
        assert report.new + report.known == 27_000
        assert len(StatedRates(tracker).list(RatesFilter(), 30_000)) == 27_000
