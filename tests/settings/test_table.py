"""What a setting may be, to the letter; the exact words of its errors; and no secret in any of them."""

import subprocess
import sys
from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest

from tearsheet.errors import SettingsError
from tearsheet.settings import SETTINGS, Settings
from tearsheet.sources.config.targets import parse_targets
from tests.support.place import Place

DATABASES = (
    "sqlite:///relative/path, sqlite:////absolute/path, a plain path, "
    "or postgresql://user:password@host:port/database"
)
QUOTE = ", and in a user or password, each of @ : / ? # % is written as %40 %3A %2F %3F %23 %25"


def said(folder: Path, **env: str) -> str:
    """The whole error that an environment causes."""
    with pytest.raises(SettingsError) as caught:
        Settings.load(env, folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "shown", "allowed"),
    [
        ("PERFORMANCE_SUMMARY_TIMEZONE", "", "''", "an IANA name such as UTC or America/Chicago"),
        (
            "PERFORMANCE_SUMMARY_TIMEZONE",
            "America",
            "'America'",
            "an IANA name such as UTC or America/Chicago",
        ),
        ("TEARSHEET_DAY_STARTS_AT", "17+01", "'17+01'", "HH:MM, such as 17:00"),
        ("TEARSHEET_DAY_STARTS_AT", "T1700", "'T1700'", "HH:MM, such as 17:00"),
        ("TEARSHEET_DAY_STARTS_AT", "7:00", "'7:00'", "HH:MM, such as 17:00"),
        ("TEARSHEET_DAY_STARTS_AT", "24:00", "'24:00'", "HH:MM, such as 17:00"),
        ("PERFORMANCE_ALERT_ROLLING_WINDOW", "1_0", "'1_0'", "a whole number from 1 to 10000"),
        ("PERFORMANCE_ALERT_ROLLING_WINDOW", "٢٠", "'٢٠'", "a whole number from 1 to 10000"),
        ("PERFORMANCE_ALERT_ROLLING_WINDOW", "+5", "'+5'", "a whole number from 1 to 10000"),
        ("PERFORMANCE_ALERT_ROLLING_WINDOW", "10001", "'10001'", "a whole number from 1 to 10000"),
        ("TEARSHEET_ALERT_MIN_SAMPLE", "0", "'0'", "a whole number from 1 to 10000"),
        ("TEARSHEET_STARTING_BALANCE", "0", "'0'", "a positive number, or nothing"),
        ("TEARSHEET_STARTING_BALANCE", "1e400", "'1e400'", "a positive number, or nothing"),
        ("TEARSHEET_BREAKEVEN_BAND", "Infinity", "'Infinity'", "a number not below 0"),
        ("TEARSHEET_BREAKEVEN_STREAK", "end", "'end'", "ignore or break"),
        ("TEARSHEET_CURRENCY", "DOLLAR", "'DOLLAR'", "a code of 3 to 5 letters"),
        ("TEARSHEET_LOG_FORMAT", "xml", "'xml'", "text or json"),
        ("TEARSHEET_LOG_FILE_KEEP", "0", "'0'", "a whole number from 1 to 1000"),
        ("DATABASE_URL", "", "''", DATABASES),
        ("DATABASE_URL", "sqlite:///", "'sqlite:///'", DATABASES),
        (
            "REDIS_URL",
            "http://u:hunter2@cache/0",
            "'http://…@cache/0'",
            "redis://…, rediss://… or unix://…, or nothing",
        ),
    ],
)
def test_a_bad_value(tmp_path: Path, variable: str, value: str, shown: str, allowed: str) -> None:
    assert said(tmp_path, **{variable: value}) == (
        f"environment variable {variable} is {shown}\n  hint: allowed is {allowed}"
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:hunter2@db/x?sslmode=require", "postgresql://…@db/x?…"),
        ("postgres://db:5433/x", "postgres://db:5433/x"),
        ("postgresql:///x?host=/run/postgresql&password=hunter2", "postgresql:///x?…"),
        ("postgresql://%2Frun%2Fpostgresql/x", "postgresql://%2Frun%2Fpostgresql/x"),
    ],
)
def test_a_postgresql_url_is_kept_whole_and_shown_without_its_password(
    tmp_path: Path, url: str, shown: str
) -> None:
    settings = Settings.load({"DATABASE_URL": url}, tmp_path)
    assert (settings.ledger, settings.ledger_path) == (url, None)
    assert settings.redacted()["ledger"] == shown
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "shown", "why"),
    [
        ("postgresql://u:hunt@er2@db/x", "postgresql://…@db/x", QUOTE),
        ("postgresql://u:hunt/er2@db/x", "postgresql://…@db/x", QUOTE),
        ("postgresql://u:hunt?er2@db/x", "postgresql://…@?…", QUOTE),
        ("postgresql://u:hunt#er2@db/x", "postgresql://…@db/x", QUOTE),
        ("postgresql://db/x?password=hunt@er2", "postgresql://…@?…", QUOTE),
        ("postgresql://", "postgresql://", ""),
        ("postgresql+psycopg://u:hunter2@db/x", "postgresql+psycopg://…@db/x", ""),
    ],
)
def test_a_postgresql_url_that_may_be_misread_is_refused(
    tmp_path: Path, url: str, shown: str, why: str
) -> None:
    assert said(tmp_path, DATABASE_URL=url) == (
        f"environment variable DATABASE_URL is {shown!r}{why}\n  hint: allowed is {DATABASES}"
    )


def test_no_secret_is_ever_printed(tmp_path: Path) -> None:
    settings = Settings.load({"REDIS_URL": "rediss://:hunter2@cache:6379/0"}, tmp_path)
    assert settings.redis_url == "rediss://:hunter2@cache:6379/0"
    for text in (repr(settings), str(settings), str(settings.redacted())):
        assert "rediss://…@cache:6379/0" in text
        assert "hunter2" not in text
    assert settings.redacted()["day_starts_at"] == "00:00:00"
    assert settings.redacted()["log_file"] is None
    assert set(settings.redacted()) == set(Settings.__struct_fields__)


def test_every_setting_is_a_field(tmp_path: Path) -> None:
    fields = set(Settings.__struct_fields__) - {"ledger"} | {"database_url"}
    assert {setting.key for setting in SETTINGS} == fields
    assert len({setting.env for setting in SETTINGS}) == len(SETTINGS)


def test_the_file_may_hold_each_kind_of_value(place: Place) -> None:
    place.write(
        "config/tearsheet.toml",
        'day_starts_at = "16:30"\nstarting_balance = 25000.10\nalert_min_sample = 7\n'
        'log_file = "t.log"\nlog_dir = "/var/trades"\n',
    )
    settings = place.settings()
    assert settings.day_starts_at == time(16, 30)
    assert settings.starting_balance == Decimal("25000.10")
    assert settings.alert_min_sample == 7
    assert settings.log_file == place.folder / "t.log"
    assert settings.log_dir == Path("/var/trades")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("day_starts_at = 17:00:30", "day_starts_at is '17:00:30'\n  hint: allowed is HH:MM, such as 17:00"),
        (
            "alert_min_sample = 5.0",
            "alert_min_sample is '5.0'\n  hint: allowed is a whole number from 1 to 10000",
        ),
        (
            "alert_min_sample = true",
            "alert_min_sample is True\n  hint: allowed is a whole number from 1 to 10000",
        ),
        (
            "starting_balance = nan",
            "starting_balance is 'NaN'\n  hint: allowed is a positive number, or nothing",
        ),
        ('log_dir = "a\\u0000b"', "log_dir is 'a\\x00b'\n  hint: allowed is a path"),
        ("curency = 'EUR'", "unknown setting curency\n  hint: did you mean currency?"),
    ],
)
def test_a_bad_value_in_the_file(place: Place, text: str, message: str) -> None:
    path = place.write("config/tearsheet.toml", text + "\n")
    assert said(place.folder) == f"{path}: {message}"


def test_a_file_that_is_no_text(place: Place) -> None:
    path = place.write("config/tearsheet.toml", b"\xff\xfe")
    assert said(place.folder).startswith(f"{path} is not UTF-8: ")


def test_a_file_where_the_folder_should_be_is_no_settings_file(place: Place) -> None:
    place.write("config", "a file")
    assert place.settings().timezone == "UTC"
    path = place.folder / "config/mine.toml"
    assert said(place.folder, TEARSHEET_CONFIG="config/mine.toml") == (
        f"environment variable TEARSHEET_CONFIG names {path}, which does not exist\n"
        "  hint: create the file, or unset the variable"
    )


def test_a_name_like_nothing_known_lists_what_is(tmp_path: Path) -> None:
    text = said(tmp_path, TEARSHEET_ZZZZZZZZ="1")
    assert text.startswith("environment variable TEARSHEET_ZZZZZZZZ is no setting\n  hint: known are ")
    assert all(setting.env in text for setting in SETTINGS)


def test_settings_load_without_the_heavy_imports(tmp_path: Path) -> None:
    code = (
        "import sys; from tearsheet.settings import Settings; Settings.load({}).calendar;"
        "print([m for m in ('ruamel.yaml', 'tomllib', 'difflib', 'importlib.metadata', 'click') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "win_rate_target: 100.01",
            "t.yaml: win_rate_target is '100.01'\n  hint: allowed is a percentage, 0 or 1 to 100 (60 means 60%), or null",
        ),
        (
            "win_rate_target: -1",
            "t.yaml: win_rate_target is '-1'\n  hint: allowed is a percentage, 0 or 1 to 100 (60 means 60%), or null",
        ),
        (
            "trades_per_day_target: -0.5",
            "t.yaml: trades_per_day_target is '-0.5'\n  hint: allowed is a number not below 0, or null",
        ),
        (
            "max_drawdown_target: 0.01",
            "t.yaml: max_drawdown_target is '0.01'\n  hint: allowed is an amount of money not above 0, such as -500, or null",
        ),
        (
            "avg_risk_reward_target: .inf",
            "t.yaml: avg_risk_reward_target is '.inf'\n  hint: allowed is a number not below 0, or null",
        ),
        (
            "daily_pl_target: {a: 1}",
            "t.yaml: daily_pl_target is {'a': '1'}\n  hint: allowed is an amount; negative = floor, or null",
        ),
        ("win_rate_taget: 5", "t.yaml: unknown target win_rate_taget\n  hint: did you mean win_rate_target?"),
        (
            "targets: {win_rate_target: 5, win_rate_target: 6}",
            "t.yaml:1: win_rate_target stands twice\n  hint: keep one of them",
        ),
        (
            "targets: {}\nwin_rate_target: 5",
            "t.yaml: unknown target targets\n  hint: known are win_rate_target, daily_pl_target, trades_per_day_target, max_drawdown_target, avg_risk_reward_target",
        ),
    ],
)
def test_targets_that_make_no_sense_in_so_many_words(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_targets(text, "t.yaml")
    assert str(caught.value) == message


def test_targets_are_exact_to_the_digit() -> None:
    text = "daily_pl_target: 0.1000000000000000055511151231257827\nmax_drawdown_target: 0\n"
    found = parse_targets(text, "t.yaml")
    assert found.daily_pl_target == Decimal("0.1000000000000000055511151231257827")
    assert found.max_drawdown_target == 0
