"""The examples and the templates: what they say is so, and nothing in them is out of date."""

import re
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tearsheet.app.judgement import Judge
from tearsheet.export.files import export_summary
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.settings import CONFIG_FILE, CONFIG_VARIABLE, SETTINGS, Settings
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.config.targets import load_targets
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.support.place import TOP

EXAMPLE = TOP / "examples/small-account"
MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
WEEK = Window.containing("weekly", date(2026, 11, 16))


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """A copy of the example, so that nothing is written beside the original."""
    return shutil.copytree(EXAMPLE, tmp_path / "account")


def judged_week(folder: Path) -> PerformanceSummary:
    """The example's week, judged by its targets and exported; the summary."""
    settings = Settings.load({"PERFORMANCE_SUMMARY_TIMEZONE": "America/New_York"}, folder)
    with PerformanceTracker(settings, clock=lambda: MONDAY) as tracker:
        assert tracker.import_file(folder / "fills.csv").new == 12
        judged = Judge(tracker).judge(tracker.get_summary(WEEK), save=True)
        export_summary(judged.summary, judged.alerts, settings.output_dir)
        return judged.summary


def test_the_small_account_comes_to_what_its_readme_says(account: Path) -> None:
    found = judged_week(account)
    wanted = {
        "total_trades": 5,
        "winning_trades": 3,
        "win_rate": 0.6,
        "net_pnl": Decimal("183.03"),
        "closed_pnl": Decimal("183.08"),
        "fees": Decimal("6.97"),
        "average_risk_reward": 2.0,
    }
    assert {name: found.value(name) for name in wanted} == wanted
    assert found.open_positions == 1
    by_day = {day.session.isoformat(): day.net_pnl for day in found.days}
    assert (by_day["2026-11-18"], by_day["2026-11-19"]) == (Decimal("-0.40"), Decimal("-60.60"))


@pytest.mark.parametrize("ending", ["json", "md"])
def test_the_exported_files_are_those_shown(account: Path, ending: str) -> None:
    judged_week(account)
    name = f"weekly-summary-2026-11-16.{ending}"
    assert (account / "logs/performance" / name).read_text() == (EXAMPLE / name).read_text()


def test_the_example_environment_lists_every_setting_with_its_default() -> None:
    text = (TOP / ".env.example").read_text("utf-8")
    listed = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", text, re.MULTILINE))
    assert listed == {s.env: s.default for s in SETTINGS} | {CONFIG_VARIABLE: CONFIG_FILE}


def test_the_templates_can_be_used_as_they_are() -> None:
    config = TOP / "config"
    settings = Settings.load({CONFIG_VARIABLE: str(config / "tearsheet.example.toml")}, TOP)
    assert (settings.timezone, settings.starting_balance) == ("America/Chicago", Decimal(25000))
    targets, existed = load_targets(config / "dashboard-targets.example.yaml")
    assert existed
    assert None not in (getattr(targets, name) for name in targets.__struct_fields__)
    instruments = load_instruments(config / "instruments.example.yaml", "USD")
    assert set(instruments.overrides) == {"ES", "XYZ", "GOLD-CFD"}
    future = instruments.resolve("XYZZ6", date(2026, 11, 20))
    assert getattr(future, "multiplier", None) == 20
