"""Structured logging: one line per event, as text or JSON, without secrets."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TextIO

import msgspec

from tearsheet.errors import SettingsError
from tearsheet.settings import Settings

ROOT = "tearsheet"
_FIELDS = "tearsheet_fields"
_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


class JsonFormatter(logging.Formatter):
    """Formatter of events as JSON objects: time (UTC), level, event, and the event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _timestamp(record),
            "level": record.levelname,
            "event": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return _encode(line).decode()
        except UnicodeEncodeError:  # a file name that is not valid UTF-8
            return _encode({key: _to_text(value) for key, value in line.items()}).decode()


class TextFormatter(logging.Formatter):
    """Formatter of events as text: time, level, event, and its fields as key=value."""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, _FIELDS, {})
        pairs = "".join(f" {key}={_single_line(value)}" for key, value in fields.items())
        line = f"{_timestamp(record)} {record.levelname:<7} {record.getMessage()}{pairs}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def configure(settings: Settings, *, verbose: int = 0, stream: TextIO | None = None) -> None:
    """Log to standard error, and to a rotated file if one is set. Raises SettingsError."""
    logger = logging.getLogger(ROOT)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    level = {0: settings.log_level, 1: "INFO"}.get(verbose, "DEBUG")
    console: logging.Handler = logging.StreamHandler(stream or sys.stderr)
    console.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    console.setLevel(level)
    logger.addHandler(console)
    if settings.log_file is not None:
        logger.addHandler(_file_handler(settings))
    logger.setLevel(min(handler.level for handler in logger.handlers))
    logger.propagate = False


def log_event(logger: logging.Logger, name: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event with its fields."""
    if logger.isEnabledFor(level):
        # not `logger.log`: it walks the stack for the calling line at every event
        record = logging.LogRecord(logger.name, level, "", 0, name, None, None)
        record.__dict__[_FIELDS] = fields
        logger.handle(record)


class TimedEvent:
    """Level and fields of an event whose duration is being measured."""

    def __init__(self) -> None:
        self.level = logging.INFO
        self.fields: dict[str, Any] = {}

    def add(self, **fields: Any) -> None:
        """Add fields to the event."""
        self.fields |= fields


@contextmanager
def timed_event(logger: logging.Logger, name: str, **fields: Any) -> Iterator[TimedEvent]:
    """Log an event with `duration_ms` when the block ends; if it raises, no event is logged."""
    started = time.perf_counter()
    event = TimedEvent()
    event.add(**fields)
    yield event
    log_event(logger, name, level=event.level, duration_ms=elapsed_ms(started), **event.fields)


def elapsed_ms(started: float) -> float:
    """Return the milliseconds since a reading of `time.perf_counter`."""
    return round((time.perf_counter() - started) * 1000, 3)


def _file_handler(settings: Settings) -> logging.Handler:
    from logging.handlers import RotatingFileHandler  # imports sockets, so only if used

    assert settings.log_file is not None
    try:
        settings.log_file.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            settings.log_file,
            maxBytes=settings.log_file_max_bytes,
            backupCount=settings.log_file_keep,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError as error:
        raise SettingsError(
            f"environment variable TEARSHEET_LOG_FILE names {settings.log_file}, "
            f"which cannot be written: {error.strerror or error}",
            "choose a file in a writable folder",
        ) from None
    handler.setFormatter(JsonFormatter())
    handler.setLevel(logging.INFO)
    return handler


def _timestamp(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _single_line(value: object) -> str:
    """Format a value on one line, so that outside text cannot forge a log line."""
    text = f"{value:f}" if isinstance(value, Decimal) else str(_to_text(value))
    return repr(text) if " " in text or not text or not text.isprintable() else text


def _to_text(value: object) -> object:
    """Return text that UTF-8 can encode; numbers stay numbers."""
    if value is None or isinstance(value, int | float | Decimal):
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()
