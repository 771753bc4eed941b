"""Replay on a real ledger: the same numbers as the summary, by command, as JSON and as a picture."""

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from tearsheet.app.limits.replay import load_replay_limits, replay_history
from tearsheet.cli import main
from tearsheet.errors import MixedCurrencyError, NotFoundError, SettingsError
from tearsheet.export.svg import replay_svg
from tearsheet.rules.replay import Replay
from tearsheet.sources.config.limits import load_limits, parse_limits
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.support.place import TOP, Place, fills_csv, record

ROWS = [
    # Monday: 10 shares bought and held
    "A,XYZ,2026-11-16T15:00:00Z,buy,10,100,1,F0",
    "A,ABC,2026-11-16T15:10:00Z,buy,1,300,0,F1",
    "A,ABC,2026-11-16T15:20:00Z,sell,1,190,0,F2",
    # Tuesday: a loss of 120, then one of 80, and half of what was held goes
    "A,ABC,2026-11-17T15:00:00Z,buy,1,300,0,F3",
    "A,ABC,2026-11-17T15:10:00Z,sell,1,180,0,F4",
    "A,ABC,2026-11-17T15:20:00Z,buy,1,300,0,F5",
    "A,ABC,2026-11-17T15:30:00Z,sell,1,220,0,F6",
    "A,XYZ,2026-11-17T15:40:00Z,sell,5,102,0,F7",
    # Wednesday: the rest of it, and a win
    "A,XYZ,2026-11-18T15:00:00Z,sell,5,110,0,F8",
    "A,ABC,2026-11-18T15:10:00Z,buy,1,300,0,F9",
    "A,ABC,2026-11-18T15:20:00Z,sell,1,340,0,F10",
    # another account
    "B,ABC,2026-11-18T15:00:00Z,buy,1,300,0,F11",
    "B,ABC,2026-11-18T15:01:00Z,sell,1,301,0,F12",
]


@pytest.fixture
def tracker(place: Place) -> Iterator[PerformanceTracker]:
    with place.tracker() as opened:
        opened.import_file(place.write("fills.csv", fills_csv(ROWS)))
        yield opened


def run(tracker: PerformanceTracker, limits: str, account: str | None = "A", **span: date) -> list[Replay]:
    found = parse_limits(f"limits: {{default: {limits}}}", "limits.yaml")
    assert found is not None
    return replay_history(tracker, found, account=account, **span)


def test_history_with_its_limits_held(tracker: PerformanceTracker) -> None:
    (found,) = run(tracker, "{daily_loss: 115}")
    (stop,) = found.stops
    assert (stop.limit, str(stop.trading_day), stop.day_net, stop.fill_key) == (
        "daily_loss",
        "2026-11-17",
        -120,
        "x:F4",
    )
    # -80, and what XYZ made after it would have been closed: 10 on Tuesday, 50 on Wednesday
    assert (stop.pnl_after_stop, stop.fills_after_stop, stop.open_at_stop) == (-20, 4, ("XYZ",))
    summary = tracker.get_summary(Window.between(found.start, found.end))
    assert found.net + 1 == summary.value("net_pnl")  # account B made 1
    assert (found.net, found.net_with_limits, found.saved) == (-211, -191, 20)
    assert [(d.net, d.net_with_limits, d.stops) for d in found.days] == [
        (-111, -111, 0),
        (-190, -120, 1),
        (90, 40, 0),
    ]


def test_a_later_start_knows_the_week_and_what_was_held(tracker: PerformanceTracker) -> None:
    (found,) = run(tracker, "{max_open_quantity: 10.5}", start=date(2026, 11, 17))
    (first,) = found.stops
    # ten were held from Monday, so one more is too many, and all is closed
    assert (first.limit, first.value, first.fill_key) == ("max_open_quantity", 11, "x:F3")
    assert first.open_at_stop == ("ABC", "XYZ")
    assert (found.net, found.net_with_limits) == (-100, 40)
    (alone,) = run(tracker, "{weekly_loss: 230}", start=date(2026, 11, 17))
    assert [(s.limit, s.value, s.fill_key) for s in alone.stops] == [("weekly_loss", 231, "x:F4")]
    (drawdown,) = run(tracker, "{max_drawdown: 230}", start=date(2026, 11, 17))
    assert drawdown.stops == ()
    (ever,) = run(tracker, "{max_drawdown: 230}")
    assert [(s.limit, s.value) for s in ever.stops] == [("max_drawdown", 231)]


def test_a_position_from_before_the_start_that_is_still_held_counts(place: Place) -> None:
    with place.tracker() as tracker:
        rows = ["A,XYZ,2026-11-16T15:00:00Z,buy,3,100,1,F0", ROWS[3], ROWS[4]]
        tracker.import_file(place.write("fills.csv", fills_csv(rows)))
        (found,) = run(tracker, "{max_open_quantity: 3}", start=date(2026, 11, 17))
        assert [(s.limit, s.value) for s in found.stops] == [("max_open_quantity", 4)]


def test_logged_trades_are_replayed_too(place: Place) -> None:
    place.log("2026-11-19", *(record(order_id=str(n), net=net) for n, net in enumerate((-60, -50, 20))))
    with place.tracker() as tracker:
        (found,) = run(tracker, "{daily_loss: 100}", account=None)
    assert (found.net, found.net_with_limits, found.stops[0].pnl_after_stop) == (-90, -110, 20)


def test_open_pnl_is_judged_on_what_was_booked_and_says_so(tracker: PerformanceTracker) -> None:
    (found,) = run(tracker, "{daily_loss: {amount: 115, basis: open_pnl}}")
    assert len(found.stops) == 1
    assert found.notes == (
        "daily_loss uses open P&L, but no price history is stored; evaluated on realized P&L only",
    )


def test_whose_history_is_asked_for(tracker: PerformanceTracker) -> None:
    assert [one.account for one in run(tracker, "{daily_loss: 5}", account=None)] == ["A", "B"]
    with pytest.raises(NotFoundError, match="no account 'C'"):
        run(tracker, "{daily_loss: 5}", account="C")
    with pytest.raises(SettingsError, match="no limits for A"):
        run(tracker, "{}")
    only = parse_limits("limits: {accounts: {B: {max_trades: 1}}}", "x")
    assert only is not None
    assert [one.account for one in replay_history(tracker, only)] == ["B"]


def test_money_in_several_currencies_needs_a_choice(place: Place) -> None:
    rows = ["A,ABC,2026-11-18T15:00:00Z,buy,1,300,1,F1,EUR", "A,XYZ,2026-11-18T15:01:00Z,buy,1,300,2,F2,CHF"]
    header = "account,symbol,time,side,quantity,price,commission,fill_id,currency"
    with place.tracker() as tracker:
        tracker.import_file(place.write("fills.csv", fills_csv(rows, header)))
        with pytest.raises(MixedCurrencyError, match="CHF and EUR"):
            run(tracker, "{daily_loss: 5}")
        found = parse_limits("limits: {default: {daily_loss: 5}}", "x")
        assert found is not None
        (chosen,) = replay_history(tracker, found, currency="CHF")
        assert (chosen.currency, chosen.net) == ("CHF", -2)


def test_the_picture_is_the_same_bytes_every_time_and_holds_every_stop(tracker: PerformanceTracker) -> None:
    found = run(tracker, "{daily_loss: 115}", account=None)
    text = replay_svg(found)
    assert replay_svg(run(tracker, "{daily_loss: 115}", account=None)) == text
    tree = ElementTree.fromstring(text)
    rings = tree.findall(".//{http://www.w3.org/2000/svg}circle")
    assert [ring[0].text for ring in rings] == ["2026-11-17 daily_loss 120 of 115, saved 20.00"]
    lines = tree.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 4
    assert len((lines[0].get("points") or "").split()) == 4  # before the first day, and after each
    assert ElementTree.fromstring(replay_svg([])).tag.endswith("svg")


def test_a_hostile_account_name_is_only_text_in_the_picture(place: Place) -> None:
    rows = ["<script>&,ABC,2026-11-18T15:00:00Z,buy,1,300,1,F1"]
    with place.tracker() as tracker:
        tracker.import_file(place.write("fills.csv", fills_csv(rows)))
        text = replay_svg(run(tracker, "{daily_loss: 5}", account=None))
    assert "<script>" not in text
    assert "&lt;script&gt;&amp;" in text


def test_the_command(
    place: Place,
    tracker: PerformanceTracker,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(place.folder)
    place.write("limits.yaml", "limits: {default: {daily_loss: 115}}")
    assert main(["replay", "--limits", "limits.yaml", "--end", "2026-11-18"]) == 0
    assert capsys.readouterr().out == (
        "A · 2026-11-16 to 2026-11-18 · USD\n"
        "stopped at           limit       until                value   of  day's result    rest  saved  left open\n"
        "2026-11-17 15:10:00  daily_loss  2026-11-18 00:00:00    120  115       -120.00  -20.00  20.00  XYZ\n"
        "  as it was -211.00, as stopped -191.00: saved 20.00\n\n"
        "B · 2026-11-18 to 2026-11-18 · USD\n"
        "  never stopped\n"
        "  as it was 1.00, as stopped 1.00: saved 0.00\n\n"
    )
    arguments = ["replay", "--limits", "limits.yaml", "--account", "A", "--json", "--picture", "out/r.svg"]
    assert main(arguments) == 0
    (found,) = json.loads(capsys.readouterr().out, parse_float=Decimal)
    assert (found["saved"], found["stops"][0]["limit"]) == (20, "daily_loss")
    assert (place.folder / "out/r.svg").read_text().startswith("<svg")
    assert main(["replay"]) == 65
    assert "config/dashboard-targets.yaml cannot be read" in capsys.readouterr().err
    place.write("config/dashboard-targets.yaml", "limits: {default: {max_drawdown: 200}}")
    assert main(["replay", "-a", "A"]) == 0
    assert "released" in capsys.readouterr().out


def test_an_empty_place_has_nothing_to_replay(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    place.write("limits.yaml", "limits: {default: {daily_loss: 115}}")
    assert main(["replay", "--limits", "limits.yaml"]) == 0
    assert capsys.readouterr().out == "No trades yet.\n"


def test_the_example_and_its_page_are_one_and_can_be_used(tracker: PerformanceTracker) -> None:
    example = TOP / "config/limits.example.yaml"
    text = example.read_text("utf-8")
    assert f"```yaml\n{text}```" in (TOP / "docs/limits.md").read_text("utf-8")
    found = load_limits(example)
    assert len(found.default.limits) == 9
    assert found.for_account("EVAL-50K").get("max_trades") is None
    assert load_replay_limits(tracker, example) == found
    assert len(replay_history(tracker, found)) == 2
