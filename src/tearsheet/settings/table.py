"""Table of settings: key, environment variable, default, description and rule."""

import re
from pathlib import Path
from typing import Any

from msgspec import Struct

from tearsheet.trade.value_rule import (
    CURRENCY,
    TIME_OF_DAY,
    TIME_ZONE,
    InvalidValueError,
    ValueRule,
    either,
    meaning,
    number,
    one_of,
    optional,
    text_rule,
    whole_number,
)


class Setting(Struct, frozen=True):
    """A row of the table of settings."""

    key: str
    env: str
    default: str
    description: str
    rule: ValueRule[Any]

    @property
    def allowed(self) -> str:
        """What the setting may be."""
        return self.rule.allowed

    def read(self, text: str) -> Any:
        """Return the value of a text. Raises InvalidValueError."""
        return self.rule.parse(text)


def _text(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise ValueError
    return text.strip()


POSTGRES = ("postgresql://", "postgres://")


def _database(text: str) -> str:
    """Return the path of a SQLite file, or the URL of a PostgreSQL database unchanged."""
    if text.startswith(POSTGRES):
        return _postgres(_text(text))
    path = _text(text).removeprefix("sqlite:///")
    if not path or "://" in path or path.startswith(("postgresql:", "postgresql+", "postgres:")):
        raise ValueError
    return path


def _postgres(url: str) -> str:
    """Return a URL with unambiguous parts; otherwise half a password could become the host."""
    rest = url.partition("://")[2]
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if rest.count("@") > authority.count("@") or authority.count("@") > 1 or "#" in rest:
        raise InvalidValueError(
            "", "in a user or password, each of @ : / ? # % is written as %40 %3A %2F %3F %23 %25"
        )
    if not rest:
        raise ValueError
    return url


def _redis(text: str) -> str:
    if not text.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError
    return text


def _http_url(text: str) -> str:
    scheme, mark, rest = text.partition("://")
    if scheme not in ("http", "https") or not mark or not rest.strip("/"):
        raise ValueError
    return text


_LEVELS = one_of("DEBUG", "INFO", "WARNING", "ERROR")
_PATH = text_rule("a path", _text)
_OPTIONAL_PATH = optional(text_rule(_PATH.allowed, lambda text: Path(_text(text))))
_YES_OR_NO = meaning({"yes": True, "no": False})
_ZONE = text_rule(TIME_ZONE.allowed, lambda text: TIME_ZONE.parse(text).key)

SETTINGS = (
    Setting("timezone", "PERFORMANCE_SUMMARY_TIMEZONE", "UTC", "Time zone of the trading day.",
            _ZONE),
    Setting("day_starts_at", "TEARSHEET_DAY_STARTS_AT", "00:00", "Start time of the trading day. From 12:00 on, the day is dated by the next weekday.",
            TIME_OF_DAY),
    Setting("alert_rolling_window", "PERFORMANCE_ALERT_ROLLING_WINDOW", "20", "Number of trades in the rolling win rate.",
            whole_number(1, 10_000)),
    Setting("alert_min_sample", "TEARSHEET_ALERT_MIN_SAMPLE", "5", "Minimum number of trades before win rate and risk/reward targets are evaluated.",
            whole_number(1, 10_000)),
    Setting("log_dir", "TEARSHEET_LOG_DIR", "logs", "Folder with the trade logs (YYYY-MM-DD.jsonl).", _PATH),
    Setting("archive_logs", "TEARSHEET_ARCHIVE_LOGS", "no", "Whether log files of finished days may leave the folder; what was read of them stays.",
            _YES_OR_NO),
    Setting("silence_is_normal", "TEARSHEET_SILENCE_IS_NORMAL", "no", "Whether a trade log that says nothing new is as good as one that does: then a look at it counts for `stale_after`.",
            _YES_OR_NO),
    Setting("output_dir", "TEARSHEET_OUTPUT_DIR", "logs/performance", "Folder for exported summaries.", _PATH),
    Setting("upload_dir", "TEARSHEET_UPLOAD_DIR", "logs/performance/uploads", "Folder for uploaded files awaiting confirmation.", _PATH),
    Setting("chromium", "TEARSHEET_CHROMIUM", "", "Program that prints tear sheets as PDF; without it, a Chromium or Chrome of the PATH.", _OPTIONAL_PATH),
    Setting("alerts_file", "TEARSHEET_ALERTS_FILE", "logs/performance-alerts.jsonl", "Alert log file (JSON Lines).", _PATH),
    Setting("webhook_url", "TEARSHEET_WEBHOOK_URL", "", "Webhook URL that receives every alert change (signed). Empty: off.",
            optional(text_rule("an http:// or https:// address", _http_url))),
    Setting("webhook_secret_file", "TEARSHEET_WEBHOOK_SECRET_FILE", "", "File with the webhook signing secret.", _OPTIONAL_PATH),
    Setting("webhook_log", "TEARSHEET_WEBHOOK_LOG", "logs/alert-deliveries.jsonl", "Webhook delivery log.", _PATH),
    Setting("targets_file", "TEARSHEET_TARGETS_FILE", "config/dashboard-targets.yaml", "Targets and limits file.", _PATH),
    Setting("instruments_file", "TEARSHEET_INSTRUMENTS_FILE", "config/instruments.yaml", "File with your own contract multipliers and currencies.", _PATH),
    Setting("layouts_dir", "TEARSHEET_LAYOUTS", "config/layouts", "Folder of your own layouts (TOML), and of those that the import page remembers.", _PATH),
    Setting("database_url", "DATABASE_URL", "sqlite:///logs/performance/tearsheet.db", "Database URL of the ledger.",
            text_rule("sqlite:///relative/path, sqlite:////absolute/path, a plain path, or postgresql://user:password@host:port/database", _database)),
    Setting("create_ledger", "TEARSHEET_CREATE_LEDGER", "yes", "Whether a ledger is made where none is known yet; without it only `tearsheet sources accept ledger` makes one.",
            _YES_OR_NO),
    Setting("redis_url", "REDIS_URL", "", "Redis URL of the shared cache. Empty: one cache per worker.",
            optional(text_rule("redis://…, rediss://… or unix://…", _redis))),
    Setting("cache_ttl_s", "TEARSHEET_CACHE_TTL_S", "45", "Cache lifetime of API responses, in seconds. A response is never reused after the ledger changes.",
            whole_number(30, 60)),
    Setting("sync_every_s", "TEARSHEET_SYNC_EVERY_S", "1", "Seconds between checks of the log folder by the API. 0: on every request.",
            whole_number(0, 3600)),
    Setting("tokens_file", "TEARSHEET_TOKENS_FILE", "config/api-tokens.json", "File with the hashed API tokens, managed by `tearsheet tokens`.", _PATH),
    Setting("anonymous_read", "TEARSHEET_ANONYMOUS_READ", "no", "Allow reading without a token (trusted networks only).", _YES_OR_NO),
    Setting("max_body_bytes", "TEARSHEET_MAX_BODY_BYTES", "20000000", "Maximum request body size, in bytes.",
            whole_number(1000, 1_000_000_000)),
    Setting("host", "TEARSHEET_HOST", "127.0.0.1", "Address that `tearsheet serve` listens at.", text_rule("an address or a host name", _text)),
    Setting("port", "TEARSHEET_PORT", "5000", "Port that `tearsheet serve` listens at; without it `PORT`, as hosting platforms set it.", whole_number(0, 65_535)),
    Setting("workers", "TEARSHEET_WORKERS", "2", "Number of worker processes of `tearsheet serve`.", whole_number(1, 64)),
    Setting("max_streams", "TEARSHEET_MAX_STREAMS", "8", "Event streams that each worker process keeps open.",
            whole_number(0, 1000)),
    Setting("guard_absent_minutes", "TEARSHEET_GUARD_ABSENT_MINUTES", "0", "Minutes without a verdict request for an account before the service warns that no guard is polling. 0: never.",
            whole_number(0, 10_080)),
    Setting("trade_log_mode", "TEARSHEET_TRADE_LOG_MODE", "auto", "Whether records of the trade log are results or executions; auto decides by account.",
            either("auto", "trades", "fills")),
    Setting("currency", "TEARSHEET_CURRENCY", "USD", "Default currency, and the currency reported when a period contains several.",
            CURRENCY),
    Setting("starting_balance", "TEARSHEET_STARTING_BALANCE", "", "Starting balance. Required for Sharpe, Sortino, Calmar and drawdown %.",
            optional(number("a positive number", above="0"))),
    Setting("breakeven_band", "TEARSHEET_BREAKEVEN_BAND", "0", "Trades with a net P&L within ± this amount count as breakeven.",
            number("a number not below 0", least="0")),
    Setting("breakeven_streak", "TEARSHEET_BREAKEVEN_STREAK", "ignore", "Whether a breakeven trade ends a streak.",
            either("ignore", "break")),
    Setting("log_level", "TEARSHEET_LOG_LEVEL", "WARNING", "Log level of standard error.", _LEVELS),
    Setting("log_format", "TEARSHEET_LOG_FORMAT", "text", "Log format.", either("text", "json")),
    Setting("log_file", "TEARSHEET_LOG_FILE", "", "Additional log file (JSON, level INFO and above, rotated).", _OPTIONAL_PATH),
    Setting("log_file_max_bytes", "TEARSHEET_LOG_FILE_MAX_BYTES", "10000000", "Maximum log file size, in bytes, before rotation.",
            whole_number(10_000, 10_000_000_000)),
    Setting("log_file_keep", "TEARSHEET_LOG_FILE_KEEP", "5", "Number of rotated log files to keep.", whole_number(1, 1000)),
)  # fmt: skip
