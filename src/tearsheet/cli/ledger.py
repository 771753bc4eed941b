"""The commands for the ledger as a whole: calendar, sources."""

from datetime import UTC, datetime

import click

from tearsheet import log
from tearsheet.app.book_rules import ledger_name
from tearsheet.app.config.change_trading_day import TradingDayChange
from tearsheet.app.config.source_decisions import LEDGER, accept_ledger
from tearsheet.app.known_ledger import settings_of_ledger
from tearsheet.cli.tables import columns
from tearsheet.errors import UsageError
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker


@click.command(short_help="The rules of the books: trading day, log mode, breakeven.")
@click.option("--timezone", metavar="ZONE", help="Time zone of the trading day, such as America/Chicago.")
@click.option("--day-starts-at", metavar="HH:MM", help="When a trading day starts.")
@click.option("--trade-log-mode", metavar="MODE", help="auto, trades or fills.")
@click.option("--breakeven-band", metavar="AMOUNT", help="A net result within ± this amount is a breakeven.")
@click.option("--breakeven-streak", metavar="WORD", help="ignore or break.")
@click.option("--currency", metavar="CODE", help="Currency of trades that state none.")
@click.option("--by", metavar="NAME", help="Who changes them; recorded with the change.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and save nothing.")
def calendar(by: str | None, dry_run: bool, **given: str | None) -> None:
    """Show the rules of the ledger's books, or change them and rebuild the books.

    \b
      tearsheet calendar
      tearsheet calendar --timezone America/Chicago --day-starts-at 17:00 --by kim
    The rules belong to the ledger: every process uses them, and is refused where its settings state others.
    """
    stated = Settings.load()
    log.configure(stated, verbose=click.get_current_context().find_root().obj or 0)
    settings = settings_of_ledger(stated)
    with PerformanceTracker(settings, lambda: datetime.now(UTC)) as tracker:
        change = TradingDayChange(tracker)
        changes = {key: text for key, text in given.items() if text is not None}
        if not changes:
            click.echo(f"Ledger: {ledger_name(settings)}")
            click.echo(columns(("rule", "value"), change.rules(settings), "ll"))
            return
        new_settings = change.requested(changes)
        preview = change.preview(new_settings)
        click.echo(f"{len(preview.days)} trading days change, {len(preview.positions)} positions.")
        if dry_run:
            return
        if not by:
            raise UsageError("a change of the rules is recorded with who made it", "give --by NAME")
        if not change.apply(new_settings, change.digest, by):
            raise UsageError("the settings file was changed meanwhile", "run the command again")
        click.echo(columns(("rule", "value"), change.rules(new_settings), "ll"))


@click.group(short_help="What the numbers are made from, and what of it is gone.")
def sources() -> None:
    """Known sources, and decisions on those that are gone or replaced.

    \b
      tearsheet sources accept ledger --by kim     what is at its place now is the ledger
      tearsheet sources forget ledger --by kim     the ledger is gone for good: begin a new one
    """


def _decide(name: str, by: str) -> None:
    settings = Settings.load()
    log.configure(settings, verbose=click.get_current_context().find_root().obj or 0)
    if name != LEDGER:
        raise UsageError(f"{name!r} is no known source", f"known is {LEDGER}")
    identity = accept_ledger(settings, by)
    click.echo(f"The ledger is {ledger_name(settings)} with identity {identity}; recorded as said by {by}.")


_by = click.option("--by", metavar="NAME", envvar="USER", required=True, help="Who decides; recorded.")


@sources.command()
@click.argument("name")
@_by
def accept(name: str, by: str) -> None:
    """Take what is there now for the known source."""
    _decide(name, by)


@sources.command()
@click.argument("name")
@_by
def forget(name: str, by: str) -> None:
    """Give a source up for good; a forgotten ledger is begun anew."""
    _decide(name, by)


COMMANDS = {"calendar": calendar, "sources": sources}
