"""Logging: one line an event, in both forms, and no text from outside can forge or break one."""

import io
import json
import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tearsheet import log
from tearsheet.errors import SettingsError
from tearsheet.settings import Settings

_log = logging.getLogger("tearsheet")


@pytest.fixture(autouse=True)
def _quiet_again() -> Iterator[None]:
    """Leave the logger as it was."""
    before = (list(_log.handlers), _log.level, _log.propagate)
    yield
    for handler in _log.handlers:
        handler.close()
    _log.handlers, level, _log.propagate = before
    _log.setLevel(level)


def logged(folder: Path, verbose: int = 0, **env: str) -> io.StringIO:
    """Configure logging into a stream."""
    stream = io.StringIO()
    log.configure(Settings.load(env, folder), verbose=verbose, stream=stream)
    return stream


def test_an_event_is_one_line_of_text(tmp_path: Path) -> None:
    stream = logged(tmp_path, TEARSHEET_LOG_LEVEL="INFO")
    log.log_event(_log, "tearsheet.sync", duration_ms=1.5, trades=3, small=Decimal("1E-7"), why="a b")
    line = stream.getvalue()
    assert line.endswith("Z INFO    tearsheet.sync duration_ms=1.5 trades=3 small=0.0000001 why='a b'\n")


def test_a_timed_event_has_its_duration_and_what_was_added(tmp_path: Path) -> None:
    stream = logged(tmp_path, TEARSHEET_LOG_LEVEL="INFO", TEARSHEET_LOG_FORMAT="json")
    with log.timed_event(_log, "tearsheet.sync", files=2) as event:
        event.level = logging.WARNING
        event.add(trades=3)
    line = json.loads(stream.getvalue())
    assert list(line)[1:] == ["level", "event", "duration_ms", "files", "trades"]
    assert (line["level"], line["files"], line["trades"]) == ("WARNING", 2, 3)
    assert line["duration_ms"] >= 0


def test_a_timed_event_that_raises_is_not_logged(tmp_path: Path) -> None:
    stream = logged(tmp_path, TEARSHEET_LOG_LEVEL="INFO")
    with pytest.raises(ValueError, match="wrong"), log.timed_event(_log, "tearsheet.sync"):
        raise ValueError("wrong")
    assert stream.getvalue() == ""


def test_an_event_is_one_json_object(tmp_path: Path) -> None:
    stream = logged(tmp_path, TEARSHEET_LOG_LEVEL="INFO", TEARSHEET_LOG_FORMAT="json")
    log.log_event(_log, "tearsheet.sync", cache_hits=2, cache_misses=0, folder=tmp_path, who=None)
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "event": "tearsheet.sync",
        "cache_hits": 2,
        "cache_misses": 0,
        "folder": str(tmp_path),
        "who": None,
    }


@pytest.mark.parametrize(("verbose", "levels"), [(0, 1), (1, 2), (2, 3)])
def test_only_warnings_are_shown_unless_asked_for_more(tmp_path: Path, verbose: int, levels: int) -> None:
    stream = logged(tmp_path, verbose)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        log.log_event(_log, "an.event", level=level)
    assert len(stream.getvalue().splitlines()) == levels


@pytest.mark.parametrize("shape", ["text", "json"])
@pytest.mark.parametrize(
    "hostile", ["a\n2026-01-01 WARNING forged", "a\nb", "\x1b[31mred", "half \ud800 a pair", "caf\udce9.csv"]
)
def test_a_hostile_value_stays_on_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: str, hostile: str
) -> None:
    stream = logged(tmp_path, TEARSHEET_LOG_LEVEL="INFO", TEARSHEET_LOG_FORMAT=shape)
    log.log_event(_log, "tearsheet.import", file=hostile, trades=1)
    (line,) = stream.getvalue().splitlines()
    assert "\x1b" not in line
    assert line.encode("utf-8")
    if shape == "json":
        assert json.loads(line)["trades"] == 1
    assert capsys.readouterr().err == ""  # logging itself had nothing to complain of


@pytest.mark.parametrize("shape", ["text", "json"])
def test_an_exception_is_told_with_its_place(tmp_path: Path, shape: str) -> None:
    stream = logged(tmp_path, TEARSHEET_LOG_FORMAT=shape)
    try:
        raise ValueError("seven")
    except ValueError:
        _log.exception("internal error")
    assert "ValueError: seven" in stream.getvalue()
    assert "test_log.py" in stream.getvalue()


def test_the_file_is_json_from_info_on_whatever_is_shown(tmp_path: Path) -> None:
    stream = logged(tmp_path, TEARSHEET_LOG_FILE="new/t.log")
    log.log_event(_log, "an.event", n=1)
    log.log_event(_log, "too.fine", level=logging.DEBUG)
    assert stream.getvalue() == ""
    (line,) = (tmp_path / "new/t.log").read_text().splitlines()
    assert json.loads(line)["event"] == "an.event"


def test_the_file_rotates_and_as_many_are_kept_as_set(tmp_path: Path) -> None:
    sizes = {"TEARSHEET_LOG_FILE_MAX_BYTES": "10000", "TEARSHEET_LOG_FILE_KEEP": "2"}
    logged(tmp_path, TEARSHEET_LOG_FILE="t.log", **sizes)
    for n in range(500):
        log.log_event(_log, "an.event", n=n)
    files = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(files) == {"t.log", "t.log.1", "t.log.2"}
    assert max(files.values()) <= 10_000


def test_configuring_twice_logs_once(tmp_path: Path) -> None:
    logged(tmp_path, TEARSHEET_LOG_FILE="t.log")
    stream = logged(tmp_path)
    _log.warning("once")
    assert len(stream.getvalue().splitlines()) == 1
    assert (tmp_path / "t.log").read_text() == ""


def test_a_log_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        logged(tmp_path, TEARSHEET_LOG_FILE=".")
    assert str(caught.value) == (
        f"environment variable TEARSHEET_LOG_FILE names {tmp_path}, which cannot be written: "
        "Is a directory\n  hint: choose a file in a writable folder"
    )
