"""The watch command: sync and import continuously."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from tearsheet import log
from tearsheet.cli.formats import file_options, file_options_from
from tearsheet.cli.options import check_paths
from tearsheet.export.files import json_line
from tearsheet.settings import Settings
from tearsheet.watch.watcher import Watcher, WatchEvent


@click.command(short_help="Follow the logs and dropped statements.")
@click.option(
    "--statements",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Also import files dropped into this folder (repeatable).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines (default when not in a terminal).")
@click.option(
    "--while-parent", type=int, hidden=True, help="Exit when the parent process is no longer this PID."
)
@file_options
def watch(statements: tuple[Path, ...], as_json: bool, while_parent: int | None, **values: Any) -> None:
    """Read new trade-log entries as they are written, and check targets and limits, until stopped.

    Alerts are checked on every change and at least every 60 seconds. Each change is printed on one
    line. If several watchers use one ledger, one is active and the others stand by.

    \b
    tearsheet watch
    tearsheet watch --statements ~/Downloads/fills --timezone America/Chicago
    """
    settings = Settings.load()
    log.configure(settings, verbose=click.get_current_context().find_root().obj or 0)
    format_line = _json_line if as_json or not sys.stdout.isatty() else _text_line
    folders = [folder.expanduser().absolute() for folder in statements]
    check_paths(settings, folders)
    watcher = Watcher(
        settings,
        lambda change: _write(format_line(change)),
        folders,
        file_options_from(values),
        is_wanted=lambda: while_parent is None or os.getppid() == while_parent,
    )
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: watcher.stop())
    watcher.run()


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _text_line(change: WatchEvent) -> str:
    return f"{change.at:%H:%M:%S}  {change.message}"


def _json_line(change: WatchEvent) -> str:
    line = {"time": change.at.isoformat(timespec="milliseconds"), "event": f"watch.{change.kind}"}
    return json_line({**line, "words": change.message, **change.fields}).decode()


COMMANDS = {"watch": watch}
