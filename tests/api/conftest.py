"""A ledger with two accounts, a currency, an open position, a logged trade, a tag and a rejected line."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

import tearsheet as ts
from tests.support.place import Place, fills_csv, record

HEADER = "account,symbol,time,side,quantity,price,commission,fill_id,strategy,stop_loss,target,currency"
ROWS = (
    "A,AAPL,2026-11-18T15:00:00Z,buy,3,100.10,0.35,1,orb,99.10,102.10,USD",
    "A,AAPL,2026-11-18T15:00:00Z,sell,1,100.40,0.35,2,orb,,,USD",
    "A,AAPL,2026-11-18T16:00:00Z,sell,2,101.85,,3,orb,,,USD",
    "A,MSFT,2026-11-19T15:00:00Z,sell,1.5,410.123456789012345678,1,4,,,,USD",
    "A,MSFT,2026-11-19T15:30:00Z,buy,1.5,411,1,5,,,,USD",
    "B,SAP,2026-11-19T09:00:00Z,buy,10,50,2,6,,,,EUR",
    "B,SAP,2026-11-19T10:00:00Z,sell,10,51,2,7,,,,EUR",
    "A,TSLA,2026-11-20T15:00:00Z,buy,2,240,1,8,,,,USD",
)


@pytest.fixture
def filled(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place whose ledger was filled and closed; the working directory is there."""
    place.log("2026-11-20", record(at=datetime(2026, 11, 20, 14, tzinfo=UTC)), "{broken")
    place.write("fills.csv", fills_csv(ROWS, HEADER))
    with place.tracker(TEARSHEET_STARTING_BALANCE="10000") as tracker:
        tracker.sync()
        assert tracker.import_file(place.folder / "fills.csv").rejected == 0
    monkeypatch.chdir(place.folder)
    for key, value in (place.env | {"TEARSHEET_STARTING_BALANCE": "10000"}).items():
        monkeypatch.setenv(key, value)
    return place


@pytest.fixture
def ledger(filled: Place) -> Iterator[ts.Ledger]:
    """That ledger, opened for reading; it is partial, and says so once."""
    with ts.open(clock=lambda: filled.now) as found:
        with pytest.warns(ts.PartialWarning, match="rejected_lines"):
            found.days()
        yield found
