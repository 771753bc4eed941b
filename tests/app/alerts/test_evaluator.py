"""Alerts: one for each breach, written ahead, acknowledged, ended, and heard by others."""

import json
import logging
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tearsheet.app.alerts.evaluator import AlertCheck, AlertEvaluator, AlertFilter
from tearsheet.errors import InputError, NotFoundError, UsageError
from tearsheet.export.files import json_line, schema
from tearsheet.rules import AlertEvent
from tearsheet.tracker import PerformanceTracker
from tests.support.place import NOON, Place, record

pytestmark = pytest.mark.both_databases

TODAY = "2026-11-20"


def run(tracker: PerformanceTracker) -> AlertCheck:
    return tracker.check(tracker.get_summary("daily"), tracker.targets())


def lines(place: Place) -> list[dict[str, object]]:
    path = place.folder / "logs/performance-alerts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


def lose(place: Place, number: int, *, mode: str = "w", win: bool = False, rr: float = 2.0) -> None:
    """So many trades with the same result, a minute apart."""
    start = 0 if mode == "w" else 500
    place.log(
        TODAY,
        *(
            record(
                order_id=f"{start + n}",
                net="10" if win else "-10",
                risk_reward_ratio=rr,
                at=NOON + timedelta(seconds=start + n),
            )
            for n in range(number)
        ),
        mode=mode,
    )


def test_a_breach_is_one_alert_however_often_it_is_judged(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.targets(win_rate_target=60)
    lose(place, 5)
    with place.tracker() as tracker, caplog.at_level(logging.WARNING, "tearsheet"):
        first = run(tracker)
        assert {alert.rule for alert in first.raised} == {"win_rate_breach", "rolling_win_rate_breach"}
        assert first.breached
        again = run(tracker)
        assert (again.raised, len(again.open), again.breached) == ((), 2, True)
    assert len(lines(place)) == 2
    assert [r.getMessage() for r in caplog.records].count("performance.alert") == 2
    for line in lines(place):
        jsonschema.validate(line, schema("performance-alert"), format_checker=jsonschema.FormatChecker())
        assert line["event"] == "performance.alert"
        assert (line["actual"], line["target"]) == (0, 0.6)


def test_recovery_ends_it_and_another_breach_is_another_alert(place: Place) -> None:
    place.targets(win_rate_target=60)
    lose(place, 5)
    with place.tracker() as tracker:
        before = run(tracker)
        lose(place, 30, mode="a", win=True)
        ended = run(tracker)
        assert {a.id for a in ended.resolved} == {a.id for a in before.raised}
        assert (ended.raised, ended.open, ended.breached) == ((), (), False)
        lose(place, 200, mode="a")
        anew = run(tracker)
        assert len(anew.raised) == 2
        assert {a.id for a in anew.raised}.isdisjoint(a.id for a in before.raised)
        states = [(alert.id, alert.state) for alert in tracker.alerts.newest()]
        assert sorted(state for _, state in states) == ["raised", "raised", "resolved", "resolved"]
        assert len(tracker.alerts.newest(only_open=True)) == 2
    assert [line["state"] for line in lines(place)] == ["raised"] * 2 + ["resolved"] * 2 + ["raised"] * 2


def test_nothing_is_said_of_empty_windows_and_thin_samples(place: Place) -> None:
    place.targets(
        win_rate_target=60,
        daily_pl_target=-1,
        max_drawdown_target=-1,
        trades_per_day_target=3,
        avg_risk_reward_target=3,
    )
    with place.tracker() as tracker:
        assert run(tracker) == AlertCheck(run(tracker).findings, (), (), ())
        lose(place, 4)
        thin = run(tracker)
        assert {alert.metric for alert in thin.raised} == {"average_daily_pnl", "max_drawdown"}
    assert not {line["rule"] for line in lines(place)} & {"win_rate_breach", "rolling_win_rate_breach"}


def test_a_risk_reward_below_one_in_the_last_ten_trades(place: Place) -> None:
    lose(place, 12, win=True, rr=0.9)
    with place.tracker() as tracker:
        (alert,) = run(tracker).raised
    assert (alert.rule, alert.window, alert.sample, alert.actual) == (
        "risk_reward_breach",
        "rolling-10",
        10,
        Decimal("0.9"),
    )


def test_all_five_targets_of_a_finished_day(place: Place) -> None:
    place.targets(
        win_rate_target=60,
        daily_pl_target=500,
        trades_per_day_target=20,
        max_drawdown_target=-20,
        avg_risk_reward_target="2.5",
    )
    lose(place, 6)
    place.now = NOON + timedelta(days=1)
    place.log("2026-11-21")
    with place.tracker() as tracker:
        yesterday = tracker.get_summary("daily", start=NOON.date())
        found = tracker.check(yesterday, tracker.targets())
    assert {alert.rule for alert in found.raised} == {
        "win_rate_breach",
        "daily_pl_breach",
        "trades_per_day_breach",
        "max_drawdown_breach",
        "avg_risk_reward_breach",
        "rolling_win_rate_breach",
    }


def test_an_alert_is_acknowledged_by_somebody(place: Place) -> None:
    place.targets(win_rate_target=60)
    lose(place, 5)
    with place.tracker() as tracker:
        alert = run(tracker).raised[0]
        seen = tracker.alerts.acknowledge(alert.id, "risk desk", "stopped for today", tracker.now)
        assert (seen.state, seen.acknowledged_by, seen.note) == (
            "acknowledged",
            "risk desk",
            "stopped for today",
        )
        assert tracker.alerts.acknowledge(alert.id, "another", None, tracker.now) == seen
        assert run(tracker).raised == ()
        lose(place, 30, mode="a", win=True)
        ended = next(a for a in run(tracker).resolved if a.id == alert.id)
        assert ended.acknowledged_by == "risk desk"
        with pytest.raises(NotFoundError, match="no alert 'none'"):
            tracker.alerts.acknowledge("none", "me", None, tracker.now)
        with pytest.raises(UsageError, match="a name is required"):
            tracker.alerts.acknowledge(alert.id, " ", None, tracker.now)


def test_the_file_is_the_truth_after_a_crash(place: Place) -> None:
    place.targets(win_rate_target=60)
    lose(place, 5)
    with place.tracker() as tracker:
        raised = run(tracker).raised
        # the index is as if the process had died between file and ledger; half a line is in the file
        query = tracker.ledger.connection.execute
        query("DELETE FROM alert")
        query("UPDATE meta SET value = '0' WHERE key = 'alerts_offset'")
        path = place.folder / "logs/performance-alerts.jsonl"
        with path.open("a") as file:
            file.write('{"event": "performance.al')
        assert {a.id for a in tracker.alerts.newest()} == {a.id for a in raised}
        assert run(tracker).raised == ()
        lose(place, 30, mode="a", win=True)
        assert len(run(tracker).resolved) == 2
    whole = [line for line in path.read_text().splitlines() if line.endswith("}")]
    assert len(whole) == 4


def test_a_replaced_file_is_read_anew_and_odd_lines_are_passed_over(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.targets(win_rate_target=60)
    lose(place, 5)
    with place.tracker() as tracker:
        run(tracker)
        path = place.folder / "logs/performance-alerts.jsonl"
        path.write_text("not an alert\n\n")
        with caplog.at_level(logging.WARNING, "tearsheet"):
            assert tracker.alerts.newest() == []
        assert "tearsheet.alerts_file" in caplog.text
        assert len(run(tracker).raised) == 2


def test_listeners_hear_each_event_and_a_broken_one_hinders_nobody(place: Place) -> None:
    place.targets(win_rate_target=60)
    lose(place, 5)
    heard: list[AlertEvent] = []

    def broken(alert: AlertEvent) -> None:
        raise RuntimeError(alert.id)

    with place.tracker() as tracker:
        evaluator = AlertEvaluator(
            tracker.ledger, tracker.settings.alerts_file, 1, lambda: (broken, heard.append)
        )
        summary = tracker.get_summary("daily")
        from tearsheet.rules import target_rules

        found = evaluator.evaluate([(summary, target_rules(tracker.targets()))])
    assert heard == list(found.raised)
    assert len(heard) == 1


def test_an_alerts_file_that_cannot_be_written_loses_nothing(place: Place) -> None:
    place.targets(win_rate_target=60)
    lose(place, 5)
    Path(place.folder / "logs/performance-alerts.jsonl").mkdir()
    with place.tracker() as tracker:
        with pytest.raises(InputError, match="cannot be read"):
            run(tracker)
        Path(place.folder / "logs/performance-alerts.jsonl").rmdir()
        assert len(run(tracker).raised) == 2


def test_a_read_only_ledger_judges_but_writes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.targets(win_rate_target=60)
    lose(place, 5)
    with place.tracker() as tracker:
        tracker.sync()
    place.make_read_only(monkeypatch)
    with place.tracker() as tracker:
        assert run(tracker).breached
    assert lines(place) == []


def test_what_is_open_is_found_however_much_is_over(place: Place) -> None:
    at = NOON - timedelta(days=9)
    told = [
        AlertEvent(
            id=f"{n:016x}",
            episode=f"{n:016x}",
            state="resolved" if n else "raised",
            rule="win_rate_breach",
            window="daily",
            window_start="2026-11-11",
            window_end="2026-11-11",
            account="A" if n % 2 else None,
            metric="win_rate",
            actual=Decimal("0.2"),
            target=Decimal("0.6"),
            sample=9,
            message="below",
            severity="critical" if n % 3 else "warning",
            raised_at=at + timedelta(minutes=n),
        )
        for n in range(600)
    ]
    place.write("logs/performance-alerts.jsonl", b"".join(json_line(one) + b"\n" for one in told))
    with place.tracker() as tracker:
        alerts = tracker.alerts
        assert [a.id for a in alerts.newest(5, only_open=True)] == [f"{0:016x}"]
        assert alerts.page(5, None, AlertFilter("new")).items[0].id == f"{0:016x}"
        assert len(alerts.newest(5)) == 5

        def ids(**wish: Any) -> list[int]:
            return [int(a.id, 16) for a in alerts.page(1000, None, AlertFilter(**wish)).items]

        assert ids(state="resolved", account="A") == list(range(599, 0, -2))
        assert ids(severity="warning") == list(range(597, -1, -3))
        assert ids(rule="daily_loss") == []
        since, until = at + timedelta(minutes=10), at + timedelta(minutes=13)
        assert ids(since=since, until=until) == [12, 11, 10]
        page = alerts.page(2, None, AlertFilter(since=since, until=until))
        rest = alerts.page(2, page.next, AlertFilter(since=since, until=until))
        assert [int(a.id, 16) for a in (*page.items, *rest.items)] == [12, 11, 10]
        assert rest.next is None
