"""The command for the rules of the books: calendar."""

from datetime import UTC, datetime

import click

from tearsheet import log
from tearsheet.app.book_rules import ledger_name, settings_of_ledger
from tearsheet.app.config.change_trading_day import TradingDayChange
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
        wanted = change.requested(changes)
        preview = change.preview(wanted)
        click.echo(f"{len(preview.days)} trading days change, {len(preview.positions)} positions.")
        if dry_run:
            return
        if not by:
            raise UsageError("a change of the rules is recorded with who made it", "give --by NAME")
        if not change.apply(wanted, change.digest, by):
            raise UsageError("the settings file was changed meanwhile", "run the command again")
        click.echo(columns(("rule", "value"), change.rules(wanted), "ll"))


COMMANDS = {"calendar": calendar}
