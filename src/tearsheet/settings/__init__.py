"""Settings from the environment, a file and defaults; an invalid value is an error.

Every command loads them, so tomllib and difflib are imported only where they are used.
"""

import os
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.errors import SettingsError
from tearsheet.settings.table import POSTGRES, SETTINGS, Setting
from tearsheet.trade.session import TradingCalendar
from tearsheet.trade.value_rule import InvalidValueError

__all__ = ["CONFIG_FILE", "CONFIG_VARIABLE", "SETTINGS", "Settings", "exchange_holidays", "read_setting"]
CONFIG_VARIABLE = "TEARSHEET_CONFIG"
CONFIG_FILE = "config/tearsheet.toml"


_BY_KEY = {setting.key: setting for setting in SETTINGS}
_BY_ENV = {setting.env: setting for setting in SETTINGS}
#: Variables of command options, of the guard, and those that the guard sets for its command.
_FOREIGN_PREFIXES = ("TEARSHEET_LAYOUTS", "TEARSHEET_TOKEN", "TEARSHEET_VERDICT_")
_PATHS = tuple(setting.key for setting in SETTINGS if setting.allowed.startswith("a path"))


class Settings(Struct, frozen=True, kw_only=True, dict=True):
    """All settings; paths are absolute, `repr` hides secrets."""

    timezone: str
    day_starts_at: time
    alert_rolling_window: int
    alert_min_sample: int
    log_dir: Path
    archive_logs: bool
    silence_is_normal: bool
    output_dir: Path
    chromium: Path | None
    upload_dir: Path
    alerts_file: Path
    webhook_url: str | None
    webhook_secret_file: Path | None
    webhook_log: Path
    targets_file: Path
    instruments_file: Path
    layouts_dir: Path
    ledger: Path | str
    create_ledger: bool
    redis_url: str | None
    cache_ttl_s: int
    sync_every_s: int
    tokens_file: Path
    anonymous_read: bool
    max_body_bytes: int
    host: str
    port: int
    workers: int
    max_streams: int
    guard_absent_minutes: int
    trade_log_mode: Literal["auto", "trades", "fills"]
    currency: str
    starting_balance: Decimal | None
    breakeven_band: Decimal
    breakeven_streak: Literal["ignore", "break"]
    log_level: str
    log_format: Literal["text", "json"]
    log_file: Path | None
    log_file_max_bytes: int
    log_file_keep: int

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None, folder: Path | None = None) -> Self:
        """Load the settings: the environment overrides the file, the file overrides the defaults.

        Relative paths start from `folder`, by default the current one. Raises SettingsError.
        """
        env = _with_platform_port(os.environ if env is None else env)
        folder = Path.cwd() if folder is None else folder
        _refuse_unknown_variables(env)
        values: dict[str, Any] = {s.key: s.read(s.default) for s in SETTINGS}
        values |= (file := _from_file(env, folder))
        stated = frozenset([*file, *(setting.key for setting in SETTINGS if setting.env in env)])
        for setting in SETTINGS:
            if setting.env in env:
                place = f"environment variable {setting.env}"
                values[setting.key] = _parse_value(setting, env[setting.env], place)
        for key in _PATHS:
            values[key] = None if values[key] is None else folder / values[key]
        place = values.pop("database_url")
        values["ledger"] = place if place.startswith(POSTGRES) else folder / place
        settings = cls(**values)
        settings.__dict__["origin"] = (env, folder)
        settings.__dict__["stated"] = stated
        return settings

    @property
    def origin(self) -> tuple[Mapping[str, str], Path] | None:
        """Environment and folder of the settings; None if they were not loaded."""
        return self.__dict__.get("origin")

    @property
    def stated(self) -> frozenset[str]:
        """The keys that environment or file give, as against those that have their default."""
        stated: frozenset[str] = self.__dict__.get("stated", frozenset(self.__struct_fields__))
        return stated

    def reload(self) -> Self:
        """Load the settings again from the same origin. Raises SettingsError."""
        return self if self.origin is None else type(self).load(*self.origin)

    def with_values(self, **changes: Any) -> Self:
        """Return a copy with other values and the same origin."""
        changed = replace(self, **changes)
        changed.__dict__.update(origin=self.origin, stated=self.stated)
        return changed

    def file(self) -> Path:
        """Return the path of the settings file, which may not exist."""
        env, folder = self.origin or ({}, Path.cwd())
        return folder / env.get(CONFIG_VARIABLE, CONFIG_FILE)

    def env_variable_of(self, key: str) -> str | None:
        """Return the environment variable that overrides the file for a setting, if it is set."""
        env = self.origin[0] if self.origin else {}
        return _BY_KEY[key].env if _BY_KEY[key].env in env else None

    @property
    def ledger_path(self) -> Path | None:
        """Path of the ledger; None for PostgreSQL."""
        return self.ledger if isinstance(self.ledger, Path) else None

    @cached_property
    def calendar(self) -> TradingCalendar:
        """Calendar of trading days."""
        return TradingCalendar(ZoneInfo(self.timezone), self.day_starts_at, exchange_holidays())

    @cached_property
    def digest(self) -> str:
        """Short hash of all settings."""
        return blake2b(repr(self).encode(), digest_size=4).hexdigest()

    def redacted(self) -> dict[str, str | None]:
        """Return every setting as text, URLs without user and password."""
        shown = {key: getattr(self, key) for key in self.__struct_fields__}
        if self.webhook_url is not None:  # its path may be its secret
            host = _redact_secret(self.webhook_url).split("/")[2]
            shown["webhook_url"] = f"{self.webhook_url.partition(':')[0]}://{host}/…"
        return {key: None if value is None else _redact_secret(str(value)) for key, value in shown.items()}

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{key}={text!r}' for key, text in self.redacted().items())})"


def read_setting(key: str, text: str) -> Any:
    """Parse the value of a setting. Raises ValueError."""
    return _BY_KEY[key].read(text)


def exchange_holidays() -> frozenset[date]:
    """Return the weekdays on which the New York Stock Exchange is closed all day, 2000 to 2030."""
    file = Path(__file__).parents[1] / "trade" / "holidays.csv"
    lines = file.read_text("utf-8").splitlines()
    return frozenset(date.fromisoformat(line) for line in lines if line and line[0] != "#")


def _parse_value(setting: Setting, text: str, place: str) -> Any:
    try:
        return setting.read(text)
    except InvalidValueError as error:
        why = f", and {error.reason}" if error.reason else ""
        raise SettingsError(
            f"{place} is {_redact_secret(text)!r}{why}", f"allowed is {setting.allowed}"
        ) from None


def _redact_secret(text: str) -> str:
    """Return a value for display: a URL without user, password and query."""
    scheme, mark, rest = text.partition("://")
    if not mark:
        return text
    before, at, place = rest.rpartition("@")
    place, query, _ = place.partition("?")
    if "?" in before:  # a password that is not written as it should, or one in the query
        place, query = "", "?"
    return f"{scheme}://{'…@' if at else ''}{place}{'?…' if query else ''}"


def _with_platform_port(env: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with `PORT`, as hosting platforms set it, for a missing TEARSHEET_PORT."""
    own = _BY_KEY["port"].env
    return {**env, own: env["PORT"]} if own not in env and env.get("PORT", "").isdigit() else env


def _refuse_unknown_variables(env: Mapping[str, str]) -> None:
    known = [*_BY_ENV, CONFIG_VARIABLE]
    for name in env:
        if name.startswith("TEARSHEET_") and not (name in known or name.startswith(_FOREIGN_PREFIXES)):
            raise SettingsError(f"environment variable {name} is no setting", _did_you_mean(name, known))


def _did_you_mean(name: str, known: list[str]) -> str:
    import difflib  # only for this hint

    near = difflib.get_close_matches(name, known, 1, 0.7)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _from_file(env: Mapping[str, str], folder: Path) -> dict[str, Any]:
    path = folder / env.get(CONFIG_VARIABLE, CONFIG_FILE)
    text = _content(path, must_exist=CONFIG_VARIABLE in env)
    values = {}
    for key, value in _toml(text, path).items() if text else ():
        setting = _BY_KEY.get(key)
        if setting is None:
            raise SettingsError(f"{path}: unknown setting {key}", _did_you_mean(key, list(_BY_KEY)))
        if isinstance(value, dict | list | bool):
            raise SettingsError(f"{path}: {key} is {value!r}", f"allowed is {setting.allowed}")
        values[key] = _parse_value(setting, _as_text(value), f"{path}: {key}")
    return values


def _content(path: Path, *, must_exist: bool) -> str:
    try:
        return path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        if not must_exist:
            return ""
        raise SettingsError(
            f"environment variable {CONFIG_VARIABLE} names {path}, which does not exist",
            "create the file, or unset the variable",
        ) from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8: {error}", "save it as UTF-8") from None
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror or error}", "it is a TOML file; check its permissions"
        ) from None


def _as_text(value: Any) -> str:
    """Return a TOML value as it is written in the environment; 17:00:00 becomes 17:00."""
    if isinstance(value, time) and not (value.second or value.microsecond):
        return value.isoformat("minutes")
    return str(value)


def _toml(text: str, path: Path) -> dict[str, Any]:
    import tomllib  # some milliseconds that a start without a settings file is spared

    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is no TOML: {error}", "write `key = value` lines") from None
