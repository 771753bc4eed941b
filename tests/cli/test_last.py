"""`--last`: the last finished day, week or month, whatever day it is run on."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tearsheet.cli import EXIT_USAGE, main
from tearsheet.trade.session import TradingCalendar, Window
from tests.support.place import Place, fills_csv

DAY = timedelta(days=1)
CALENDAR = TradingCalendar(ZoneInfo("UTC"), holidays=frozenset({date(2026, 11, 26)}))


@pytest.mark.parametrize(
    ("kind", "day", "first", "last"),
    [
        ("daily", "2026-11-24", "2026-11-23", "2026-11-23"),
        ("daily", "2026-11-23", "2026-11-20", "2026-11-20"),  # over the weekend
        ("daily", "2026-11-27", "2026-11-25", "2026-11-25"),  # over Thanksgiving
        ("weekly", "2026-11-23", "2026-11-16", "2026-11-22"),
        ("monthly", "2028-03-31", "2028-02-01", "2028-02-29"),
        ("yearly", "2027-01-01", "2026-01-01", "2026-12-31"),
    ],
)
def test_the_window_before_the_present_one(kind: str, day: str, first: str, last: str) -> None:
    window = CALENDAR.previous_window(Window.containing(kind, date.fromisoformat(day)))  # type: ignore[arg-type]
    assert window is not None
    assert (str(window.start), str(window.last_day)) == (first, last)


def test_the_last_week_is_the_finished_one(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    today = datetime.now(UTC).date()
    monday = today - DAY * today.weekday()
    at = datetime(monday.year, monday.month, monday.day, 12, tzinfo=UTC) - DAY * 5  # last Wednesday
    rows = (
        f"A,AAPL,{at.isoformat()},{side},1,{price},0,{side}" for side, price in (("buy", 100), ("sell", 107))
    )
    Path("fills.csv").write_text(fills_csv(rows))
    assert main(["import", "fills.csv"]) == 0
    capsys.readouterr()
    assert main(["summary", "--window", "weekly", "--last", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["window"]["start"] == str(monday - DAY * 7)
    assert found["metrics"]["net_pnl"]["value"] == 7
    assert main(["check", "--window", "monthly", "--last"]) == 0


@pytest.mark.parametrize(
    "other", [("--start", "2026-11-02"), ("--end", "2026-11-02"), ("--rolling", "5"), ("--window", "all")]
)
def test_last_and_another_choice_contradict(
    place: Place, other: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    assert main(["summary", "--last", *other]) == EXIT_USAGE
    assert "contradict" in capsys.readouterr().err
