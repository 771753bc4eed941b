"""Options shared by several commands, and the tracker made from the settings."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from tearsheet import log
from tearsheet.app.context import LedgerContext
from tearsheet.app.known_paths import note_folders
from tearsheet.errors import OtherRulesError, StoreError, UsageError
from tearsheet.performance.summary import Scope
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window, WindowKind
from tearsheet.trade.value_rule import CURRENCY, TIME_ZONE, InvalidValueError, ValueRule

F = TypeVar("F", bound=Callable[..., Any])
MAX_ROWS = 1000
KINDS = ("daily", "weekly", "monthly", "quarterly", "yearly", "all")


class DateType(click.ParamType[date]):
    """A date, YYYY-MM-DD."""

    name = "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a valid date; use YYYY-MM-DD, for example 2026-01-31", param, ctx)


class CurrencyType(click.ParamType[str]):
    """A currency code."""

    name = "CODE"

    def __init__(self, rule: ValueRule[str] = CURRENCY) -> None:
        self._rule = rule

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return self._rule.convert(value)
        except ValueError:
            self.fail(f"{value!r} is no currency code; use one such as USD", param, ctx)


def window_options(command: F) -> F:
    """Add --window, --last, --start, --end, --rolling."""
    for option in reversed(
        (
            click.option(
                "-w",
                "--window",
                "kind",
                type=click.Choice(KINDS),
                default="daily",
                show_default=True,
                help="Period that contains --start, or the current one. Weeks run Monday to Sunday.",
            ),
            click.option(
                "--last",
                is_flag=True,
                help="The last finished day (of the exchange's days), week, month … instead of the present one.",
            ),
            click.option(
                "--start",
                type=DateType(),
                help="First day. Without --end: selects the period that contains it.",
            ),
            click.option("--end", type=DateType(), help="Last day (inclusive)."),
            click.option(
                "--rolling",
                type=click.IntRange(1, 100_000),
                metavar="N",
                help="Use the last N closed trades instead of dates.",
            ),
        )
    ):
        command = option(command)
    return command


def scope_options(command: F) -> F:
    """Add --account, --strategy, --symbol, --mode, --currency."""
    for option in reversed(
        (
            click.option("-a", "--account", help="Filter by account."),
            click.option("-s", "--strategy", help="Filter by strategy."),
            click.option("-y", "--symbol", help="Filter by symbol, spelled as in `tearsheet positions`."),
            click.option(
                "--mode",
                type=click.Choice(["PAPER", "LIVE"], case_sensitive=False),
                help="Filter trade-log entries: paper or live.",
            ),
            click.option("--currency", metavar="CODE", help="Currency to report when there are several."),
        )
    ):
        command = option(command)
    return command


def most_option(words: str) -> Callable[[F], F]:
    """Add -n, as many rows as a page of the API holds at most."""
    return click.option(
        "-n", "most", type=click.IntRange(1, MAX_ROWS), metavar="N", default=50, show_default=True, help=words
    )


def base_option(command: F) -> F:
    """Add --base."""
    return click.option(
        "--base",
        metavar="CODE",
        type=CurrencyType(),
        help="Convert all currencies into this one, each booking at the rate of its day.",
    )(command)


def scope(values: dict[str, Any]) -> Scope:
    """Return the scope from the options."""
    return Scope(values["account"], values["strategy"], values["symbol"], values["mode"])


def window_from_options(tracker: PerformanceTracker, values: dict[str, Any]) -> Window:
    """Return the window from the options. Raises UsageError if they contradict each other."""
    kind: WindowKind = values["kind"]
    if values["last"]:
        stated = [f"--{name}" for name in ("start", "end", "rolling") if values[name] is not None]
        previous = tracker.settings.calendar.previous_window(tracker.window(kind))
        if stated or previous is None:
            other = stated[0] if stated else f"--window {kind}"
            raise UsageError(f"--last and {other} contradict each other", "leave one of them out")
        return previous
    return tracker.window(kind, start=values["start"], end=values["end"], rolling=values["rolling"])


def check_paths(settings: Settings, folders: Sequence[Path] = ()) -> None:
    """Raise MissingSourceError if the settings name a path, or an option a folder, that never existed.

    A ledger that cannot be opened now is no obstacle: the process waits for it.
    """
    with suppress(StoreError, OtherRulesError), LedgerContext(settings) as context:
        note_folders(context.ledger, folders)


def zone_from_option(name: str | None) -> ZoneInfo | None:
    """Return the zone that --timezone names. Raises UsageError."""
    if name is None:
        return None
    try:
        return TIME_ZONE.parse(name)
    except InvalidValueError:
        raise UsageError(
            f"--timezone {name!r} is no known zone", "use an IANA name, for example America/Chicago"
        ) from None


@contextmanager
def open_tracker() -> Iterator[PerformanceTracker]:
    """Open a tracker with the settings of the working directory, after configuring logging."""
    settings = Settings.load()
    verbose = click.get_current_context().find_root().obj or 0
    log.configure(settings, verbose=verbose)
    with PerformanceTracker(settings) as tracker:
        yield tracker
