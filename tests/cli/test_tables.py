"""Progress of long work, on a terminal and elsewhere."""

import contextlib
import logging
import os
import pty
import sys

import pytest

from tearsheet.cli import tables as module
from tearsheet.cli.tables import progress


def everything(master: int) -> str:
    """All that was written to a terminal whose other end is closed."""
    parts = []
    with contextlib.suppress(OSError):  # the end of a terminal is an error
        while part := os.read(master, 4096):
            parts.append(part)
    return b"".join(parts).decode()


def test_a_terminal_gets_a_bar_for_long_work_only(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        with progress("Reading trade logs") as on_progress:
            on_progress(0, 1000, "small.jsonl")
        with progress("Importing fills.csv") as on_progress:
            on_progress(0, 10_000_000, "fills.csv")
            on_progress(5_000_000, 10_000_000, "fills.csv")
            on_progress(10_000_000, 10_000_000, "booking")
    shown = everything(master)
    os.close(master)
    assert "Importing fills.csv" in shown
    assert "booking" in shown
    assert "Reading trade logs" not in shown


def test_elsewhere_it_is_a_log_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tearsheet"):
        with progress("Reading trade logs") as on_progress:
            on_progress(1, 2, "a.jsonl")
        assert caplog.records == []
        monkeypatch.setattr(module, "_LOG_SECONDS", 0.0)
        with progress("Reading trade logs") as on_progress:
            on_progress(1, 2, "a.jsonl")
    assert [record.getMessage() for record in caplog.records] == ["tearsheet.progress"]
