"""Commands and Markdown show times in the trading day's zone, as the pages do.

Kind of fault: two doors that show one instant in two zones.
"""

from datetime import timedelta

import pytest

from tearsheet.cli import main
from tests.support.place import NOON, Place, record


def test_every_table_is_in_the_zone_of_the_trading_day(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.folder)
    monkeypatch.setattr("tearsheet.tracker.PerformanceTracker.now", property(lambda tracker: NOON))
    monkeypatch.setenv("PERFORMANCE_SUMMARY_TIMEZONE", "America/Chicago")
    place.targets(max_drawdown_target=-5)
    # closed at 11:40 UTC, 05:40 in Chicago
    place.log("2026-11-20", record(at=NOON - timedelta(minutes=30), net="-50", order_id="1"))
    main(["summary", "--export"])
    said = capsys.readouterr().out
    assert "last fill 2026-11-20 05:40:00 America/Chicago" in said
    assert "2026-11-20 06:00" in said, "the alert"
    page = next((place.folder / "logs/performance").glob("*.md")).read_text()
    assert "| Last fill | 2026-11-20 05:40:00 (America/Chicago) |" in page
    assert "| Since (America/Chicago) |" in page
    for command in (["positions"], ["explain", "net_pnl"], ["explain", "total_trades"]):
        assert main(command) == 0
        said = capsys.readouterr().out
        assert "(America/Chicago)" in said
        assert "2026-11-20 05:40:00" in said
    main(["alerts"])
    said = capsys.readouterr().out
    assert "2026-11-20 06:00" in said
    identity = said.split()[1]
    main(["alerts", "show", identity])
    assert "2026-11-20 06:00" in capsys.readouterr().out
    main(["positions"])
    position = capsys.readouterr().out.splitlines()[1].split()[-1]
    main(["note", position, "chased it"])
    assert "2026-11-20 05:40:00 America/Chicago" in capsys.readouterr().out
