"""The table of settings: each key with its variable, its default, its words, and what it may be."""

import re
from collections.abc import Callable
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.trade.amount import parse_amount


class Setting(Struct, frozen=True):
    """A row of the table of settings; `read` turns its text into a value or raises ValueError."""

    key: str
    env: str
    default: str
    description: str
    allowed: str
    read: Callable[[str], Any]


class InvalidValueError(ValueError):
    """A value that is understood but not taken; says why."""


def _text(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise ValueError
    return text.strip()


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, OSError) as error:
        raise ValueError from error
    return text


def _time_of_day(text: str) -> time:
    hours, colon, minutes = text[:2], text[2:3], text[3:]
    if colon != ":" or len(minutes) != 2:
        raise ValueError
    return time(_digits(hours), _digits(minutes))


def _digits(text: str) -> int:
    """A whole number in plain digits; `int` would take 1_000 and signs too."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError
    return int(text)


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = _digits(text)
        if not low <= number <= high:
            raise ValueError
        return number

    return read


def _decimal(*, positive: bool) -> Callable[[str], Decimal | None]:
    def read(text: str) -> Decimal | None:
        if not text:
            return None
        value = parse_amount(text)
        if value < 0 or (positive and not value):
            raise ValueError
        return value

    return read


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return read


def _currency(text: str) -> str:
    if not (3 <= len(text) <= 5 and text.isascii() and text.isalpha()):
        raise ValueError
    return text.upper()


POSTGRES = ("postgresql://", "postgres://")


def _database(text: str) -> str:
    """The path of a SQLite file, or the URL of a PostgreSQL database as it is."""
    if text.startswith(POSTGRES):
        return _postgres(_text(text))
    path = _text(text).removeprefix("sqlite:///")
    if not path or "://" in path or path.startswith(("postgresql:", "postgresql+", "postgres:")):
        raise ValueError
    return path


def _postgres(url: str) -> str:
    """A URL whose parts can be told apart; otherwise half a password would be taken for the host."""
    rest = url.partition("://")[2]
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if rest.count("@") > authority.count("@") or authority.count("@") > 1 or "#" in rest:
        raise InvalidValueError(
            "in a user or password, each of @ : / ? # % is written as %40 %3A %2F %3F %23 %25"
        )
    if not rest:
        raise ValueError
    return url


def _optional_path(text: str) -> Path | None:
    return Path(_text(text)) if text.strip() else None


def _redis(text: str) -> str | None:
    if text and not text.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError
    return text or None


def _http_url(text: str) -> str | None:
    scheme, mark, rest = text.partition("://")
    if text and (scheme not in ("http", "https") or not mark or not rest.strip("/")):
        raise ValueError
    return text or None


def _bool(text: str) -> bool:
    return bool(_one_of("no", "yes")(text) == "yes")


_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

SETTINGS = (
    Setting("timezone", "PERFORMANCE_SUMMARY_TIMEZONE", "UTC", "Time zone of the trading day.",
            "an IANA name such as UTC or America/Chicago", _time_zone),
    Setting("day_starts_at", "TEARSHEET_DAY_STARTS_AT", "00:00", "When a session begins; at noon or later it is named after the next weekday.",
            "HH:MM, such as 17:00", _time_of_day),
    Setting("alert_rolling_window", "PERFORMANCE_ALERT_ROLLING_WINDOW", "20", "Closed trades in the rolling win rate.",
            "a whole number from 1 to 10000", _integer(1, 10_000)),
    Setting("alert_min_sample", "TEARSHEET_ALERT_MIN_SAMPLE", "5", "Below so many trades no win rate and no risk-reward is judged.",
            "a whole number from 1 to 10000", _integer(1, 10_000)),
    Setting("log_dir", "TEARSHEET_LOG_DIR", "logs", "Folder of the trade logs, YYYY-MM-DD.jsonl.", "a path", _text),
    Setting("output_dir", "TEARSHEET_OUTPUT_DIR", "logs/performance", "Folder of the exported summaries.", "a path", _text),
    Setting("upload_dir", "TEARSHEET_UPLOAD_DIR", "logs/performance/uploads", "Folder of files that were sent to the import page and wait for the yes.", "a path", _text),
    Setting("alerts_file", "TEARSHEET_ALERTS_FILE", "logs/performance-alerts.jsonl", "File that alerts are appended to.", "a path", _text),
    Setting("webhook_url", "TEARSHEET_WEBHOOK_URL", "", "Where every change of an alert is posted to, signed; nowhere without it.",
            "an http:// or https:// address, or nothing", _http_url),
    Setting("webhook_secret_file", "TEARSHEET_WEBHOOK_SECRET_FILE", "", "File of the secret that signs what is posted.", "a path, or nothing", _optional_path),
    Setting("webhook_log", "TEARSHEET_WEBHOOK_LOG", "logs/alert-deliveries.jsonl", "File that every delivery to the webhook is noted in.", "a path", _text),
    Setting("targets_file", "TEARSHEET_TARGETS_FILE", "config/dashboard-targets.yaml", "File of the targets.", "a path", _text),
    Setting("instruments_file", "TEARSHEET_INSTRUMENTS_FILE", "config/instruments.yaml", "File of your own multipliers and currencies.", "a path", _text),
    Setting("database_url", "DATABASE_URL", "sqlite:///logs/performance/tearsheet.db", "Where the ledger is kept.",
            "sqlite:///relative/path, sqlite:////absolute/path, a plain path, or postgresql://user:password@host:port/database", _database),
    Setting("redis_url", "REDIS_URL", "", "A Redis that all workers share as their cache; without it each keeps its own.",
            "redis://…, rediss://… or unix://…, or nothing", _redis),
    Setting("cache_ttl_s", "TEARSHEET_CACHE_TTL_S", "45", "Seconds that the API keeps an answer; it is never given for another state of the ledger.",
            "a whole number from 30 to 60", _integer(30, 60)),
    Setting("sync_every_s", "TEARSHEET_SYNC_EVERY_S", "1", "Seconds between two looks of the API at the log folder; 0 looks at every request.",
            "a whole number from 0 to 3600", _integer(0, 3600)),
    Setting("tokens_file", "TEARSHEET_TOKENS_FILE", "config/api-tokens.json", "File of the API's tokens, hashed; `tearsheet tokens` writes it.", "a path", _text),
    Setting("anonymous_read", "TEARSHEET_ANONYMOUS_READ", "no", "Whether anybody who reaches the API may read, as in a trusted network.", "yes or no", _bool),
    Setting("max_body_bytes", "TEARSHEET_MAX_BODY_BYTES", "20000000", "The largest body that the API takes.",
            "a whole number from 1000 to 1000000000", _integer(1000, 1_000_000_000)),
    Setting("host", "TEARSHEET_HOST", "127.0.0.1", "Address that `tearsheet serve` listens at.", "an address or a host name", _text),
    Setting("port", "TEARSHEET_PORT", "5000", "Port that `tearsheet serve` listens at.", "a whole number from 0 to 65535", _integer(0, 65_535)),
    Setting("workers", "TEARSHEET_WORKERS", "2", "Worker processes of `tearsheet serve`.", "a whole number from 1 to 64", _integer(1, 64)),
    Setting("max_streams", "TEARSHEET_MAX_STREAMS", "8", "Event streams that each worker process keeps open.",
            "a whole number from 0 to 1000", _integer(0, 1000)),
    Setting("guard_absent_minutes", "TEARSHEET_GUARD_ABSENT_MINUTES", "0", "Minutes without a question for an account's verdict after which the service warns; 0 never does.",
            "a whole number from 0 to 10080", _integer(0, 10_080)),
    Setting("trade_log_mode", "TEARSHEET_TRADE_LOG_MODE", "auto", "Whether records of the trade log are results or executions; auto decides by account and symbol.",
            "auto, trades or fills", _one_of("auto", "trades", "fills")),
    Setting("currency", "TEARSHEET_CURRENCY", "USD", "Money of trades that state none, and the one reported when a window holds several.",
            "a code of 3 to 5 letters", _currency),
    Setting("starting_balance", "TEARSHEET_STARTING_BALANCE", "", "Balance before the first trade; needed for Sharpe, Sortino, Calmar and drawdown in percent.",
            "a positive number, or nothing", _decimal(positive=True)),
    Setting("breakeven_band", "TEARSHEET_BREAKEVEN_BAND", "0", "A net result within ± this much money is a breakeven.",
            "a number not below 0", _decimal(positive=False)),
    Setting("breakeven_streak", "TEARSHEET_BREAKEVEN_STREAK", "ignore", "Whether a breakeven ends a streak.",
            "ignore or break", _one_of("ignore", "break")),
    Setting("log_level", "TEARSHEET_LOG_LEVEL", "WARNING", "What is logged to standard error.", ", ".join(_LEVELS), _one_of(*_LEVELS)),
    Setting("log_format", "TEARSHEET_LOG_FORMAT", "text", "Form of the log lines.", "text or json", _one_of("text", "json")),
    Setting("log_file", "TEARSHEET_LOG_FILE", "", "File that is logged to as well, as JSON, from level INFO on, with rotation.", "a path, or nothing", _optional_path),
    Setting("log_file_max_bytes", "TEARSHEET_LOG_FILE_MAX_BYTES", "10000000", "Size at which the log file is rotated.",
            "a whole number from 10000 to 10000000000", _integer(10_000, 10_000_000_000)),
    Setting("log_file_keep", "TEARSHEET_LOG_FILE_KEEP", "5", "How many rotated log files are kept.", "a whole number from 1 to 1000", _integer(1, 1000)),
)  # fmt: skip
