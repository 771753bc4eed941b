"""Settings and targets: what can be set, and what is said of what cannot."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest

from tearsheet.errors import MissingSourceError, SettingsError
from tearsheet.rules import Targets
from tearsheet.settings import SETTINGS, Settings
from tearsheet.sources.config.targets import load_targets
from tests.support.place import Place


def test_the_defaults_are_those_of_the_table(tmp_path: Path) -> None:
    settings = Settings.load({}, tmp_path)
    assert (settings.timezone, settings.day_starts_at, settings.currency) == ("UTC", time(0), "USD")
    assert settings.log_dir == tmp_path / "logs"
    assert settings.ledger_path == tmp_path / "logs/performance/tearsheet.db"
    assert (settings.alert_rolling_window, settings.alert_min_sample) == (20, 5)
    assert settings.starting_balance is None
    assert settings.log_file is None
    assert date(2026, 12, 25) in settings.calendar.holidays


def test_the_environment_goes_over_the_file(place: Place) -> None:
    place.write(
        "config/tearsheet.toml",
        'timezone = "Europe/Berlin"\nday_starts_at = 17:00:00\nbreakeven_band = 0.10\nalert_rolling_window = 30\n',
    )
    settings = place.settings(PERFORMANCE_SUMMARY_TIMEZONE="America/Chicago")
    assert (settings.timezone, settings.day_starts_at) == ("America/Chicago", time(17))
    assert (settings.breakeven_band, settings.alert_rolling_window) == (Decimal("0.10"), 30)
    at = datetime(2026, 3, 8, 22, 30, tzinfo=UTC)
    assert settings.calendar.trading_day_of(at) == date(2026, 3, 9)


def test_another_file_can_be_named(place: Place) -> None:
    place.write("mine.toml", 'currency = "eur"\n')
    assert place.settings(TEARSHEET_CONFIG="mine.toml").currency == "EUR"
    with pytest.raises(SettingsError, match="which does not exist"):
        place.settings(TEARSHEET_CONFIG="none.toml")


@pytest.mark.parametrize(
    ("url", "path"), [("sqlite:///a/b.db", "a/b.db"), ("c.db", "c.db"), ("sqlite:////var/x.db", "/var/x.db")]
)
def test_where_the_ledger_is(tmp_path: Path, url: str, path: str) -> None:
    assert Settings.load({"DATABASE_URL": url}, tmp_path).ledger_path == tmp_path / path


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("PERFORMANCE_SUMMARY_TIMEZONE", "Chicago", "an IANA name such as UTC or America/Chicago"),
        ("PERFORMANCE_SUMMARY_TIMEZONE", "../etc/passwd", "an IANA name"),
        ("TEARSHEET_DAY_STARTS_AT", "5pm", "HH:MM, such as 17:00"),
        ("TEARSHEET_DAY_STARTS_AT", "25:00", "HH:MM"),
        ("PERFORMANCE_ALERT_ROLLING_WINDOW", "0", "a whole number from 1 to 10000"),
        ("PERFORMANCE_ALERT_ROLLING_WINDOW", "twenty", "a whole number"),
        ("TEARSHEET_STARTING_BALANCE", "-5", "a positive number"),
        ("TEARSHEET_STARTING_BALANCE", "NaN", "a positive number"),
        ("TEARSHEET_BREAKEVEN_BAND", "-1", "a number not below 0"),
        ("TEARSHEET_TRADE_LOG_MODE", "both", "auto, trades or fills"),
        ("TEARSHEET_CURRENCY", "$", "a code of 3 to 5 letters"),
        ("TEARSHEET_LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING, ERROR"),
        ("TEARSHEET_LOG_DIR", " ", "a path"),
        ("DATABASE_URL", "mysql://u:secret@h/db", "sqlite:///relative/path"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(
    tmp_path: Path, variable: str, value: str, hint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({variable: value}, tmp_path)
    assert caught.value.message.startswith(f"environment variable {variable} is ")
    assert hint in caught.value.hint
    assert "secret" not in str(caught.value)


def test_unknown_names_are_errors_with_a_guess(place: Place) -> None:
    with pytest.raises(SettingsError) as caught:
        place.settings(TEARSHEET_CURENCY="EUR")
    assert (
        str(caught.value)
        == "environment variable TEARSHEET_CURENCY is no setting\n  hint: did you mean TEARSHEET_CURRENCY?"
    )
    path = place.write("config/tearsheet.toml", "time_zone = 'UTC'\n")
    with pytest.raises(SettingsError) as caught:
        place.settings()
    assert str(caught.value) == f"{path}: unknown setting time_zone\n  hint: did you mean timezone?"


@pytest.mark.parametrize(
    ("text", "message"),
    [("timezone = 5", "timezone is '5'"), ("timezone = []", "timezone is []"), ("= 1", "is no TOML")],
)
def test_a_bad_file_is_named(place: Place, text: str, message: str) -> None:
    path = place.write("config/tearsheet.toml", text)
    with pytest.raises(SettingsError) as caught:
        place.settings()
    assert caught.value.message.startswith(str(path))
    assert message in caught.value.message


def test_a_folder_is_no_settings_file(place: Place) -> None:
    (place.folder / "config/tearsheet.toml").mkdir(parents=True)
    with pytest.raises(SettingsError, match="cannot be read"):
        place.settings()


def test_every_setting_has_words_and_a_default_that_is_allowed() -> None:
    for setting in SETTINGS:
        assert setting.description.endswith(".")
        assert setting.allowed
        setting.read(setting.default)


def test_targets(place: Place) -> None:
    path = place.targets(
        win_rate_target=60,
        daily_pl_target="-250.10",
        max_drawdown_target='"-500"',
        avg_risk_reward_target="null",
    )
    assert load_targets(path) == (Targets(Decimal(60), Decimal("-250.10"), None, Decimal(-500), None), True)
    nested = place.write("nested.yaml", "targets:\n  trades_per_day_target: 5\n")
    assert load_targets(nested)[0].trades_per_day_target == 5
    assert load_targets(place.write("empty.yaml", "# nothing\n")) == (Targets(), True)
    assert load_targets(place.folder / "none.yaml") == (Targets(), False)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("win_rate_target: 160", "win_rate_target is '160'", "a percentage, 0 or 1 to 100"),
        ("win_rate_target: 0.6", "win_rate_target is '0.6'", "60 means 60%"),
        ("win_rate_target: abc", "win_rate_target is 'abc'", "a percentage"),
        ("daily_pl_target: .nan", "daily_pl_target is '.nan'", "an amount; negative = floor"),
        ("daily_pl_target: 1e400", "daily_pl_target is '1e400'", "an amount; negative = floor"),
        ("max_drawdown_target: 500", "max_drawdown_target is '500'", "not above 0, such as -500"),
        ("avg_risk_reward_target: [1]", "avg_risk_reward_target is ['1']", "not below 0"),
        ("win_rate: 60", "unknown target win_rate", "did you mean win_rate_target?"),
        ("banana: 60", "unknown target banana", "known are win_rate_target"),
        ("win_rate_target: 60\nwin_rate_target: 50", ":2: win_rate_target stands twice", "keep one"),
        ("win_rate_target: [", ":2 is no YAML", "key: value"),
        ("[a, b]: 1", ":1: keys must be text", "key: value"),
        ("targets:\n  - 5", "targets is ['5']", "one key per target"),
        ("- 60", "holds ['60']", "key: value"),
        ("targets: 5", "targets is '5'", "one key per target"),
    ],
)
def test_targets_that_make_no_sense(place: Place, text: str, message: str, hint: str) -> None:
    path = place.write("targets.yaml", text + "\n")
    with pytest.raises(SettingsError) as caught:
        load_targets(path)
    assert str(path) in caught.value.message
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_targets_file_that_is_a_folder_or_no_text(place: Place) -> None:
    for path in (place.folder, place.write("bytes.yaml", b"\xff\xfe\x00")):
        with pytest.raises(SettingsError, match="cannot be read"):
            load_targets(path)


def test_targets_are_remembered_by_content(place: Place) -> None:
    place.targets(win_rate_target=60)
    with place.tracker() as tracker:
        assert tracker.targets().win_rate_target == 60
        assert tracker.targets().win_rate_target == 60
        place.targets(win_rate_target=70)
        assert tracker.targets().win_rate_target == 70
        (place.folder / "config/dashboard-targets.yaml").unlink()
        with pytest.raises(MissingSourceError, match="is gone"):
            tracker.targets()
