"""The commands for the ledger as a whole: calendar, sources, marks, fees."""

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tearsheet import log
from tearsheet.app.analysis.lists import Lists
from tearsheet.app.book_rules import ledger_name
from tearsheet.app.config.change_trading_day import TradingDayChange
from tearsheet.app.config.edit_fees import RULE_KEYS, FeeRules, FeesEditor
from tearsheet.app.config.source_decisions import Decision, decide, decide_unopened, doubts
from tearsheet.app.feeds import feeds
from tearsheet.app.imports.api_posts import ApiWrites
from tearsheet.app.known_ledger import KnownLedger, settings_of_ledger
from tearsheet.cli import EXIT_OK
from tearsheet.cli.formats import diagnose, file_options
from tearsheet.cli.options import open_tracker
from tearsheet.cli.tables import columns
from tearsheet.errors import UsageError
from tearsheet.export.files import json_bytes
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


def describe_ledger() -> None:
    """Print which ledger this is: identity, rules, sources and their age, and what is in doubt."""
    settings = Settings.load()
    click.echo(click.style(ledger_name(settings), bold=True))
    noted = KnownLedger(settings).noted_identity()
    if noted:  # said also of a ledger that is gone
        click.echo(f"  {'identity':<18}{noted}")
    with open_tracker() as tracker:
        tracker.refresh(30.0)
        if not noted:
            click.echo(f"  {'identity':<18}{tracker.known.identity}")
        for key, text in TradingDayChange(tracker).rules(tracker.settings):
            click.echo(f"  {key:<18}{text}")
        click.echo(f"  {'revision':<18}{tracker.revision}")
        zone = tracker.settings.calendar.timezone
        rows = [
            (
                feed.name if feed.place is None else f"{feed.name} {feed.place}",
                str(feed.sources),
                "—" if feed.last_at is None else f"{feed.last_at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
                "—" if feed.age_s is None else format_age(feed.age_s),
            )
            for feed in feeds(tracker)
        ]
        in_doubt = doubts(tracker)
    if rows:
        click.echo(columns((f"source (times in {zone.key})", "read", "last record", "age"), rows, "lrlr"))
    for one in in_doubt:
        click.echo(click.style(f"in doubt: {one.source}: {one.detail}", fg="yellow"))


def format_age(seconds: float) -> str:
    """Format an age, such as 3 d 4 h or 12 s; a time ahead of the clock is in the future."""
    if seconds < 0:
        return "in the future"
    for unit, size, smaller, part in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} {int(seconds % size // part)} {smaller}"
    return f"{int(seconds)} s"


@click.group(short_help="What is known and gone, and decisions on it.", invoke_without_command=True)
@click.pass_context
def sources(ctx: click.Context) -> None:
    """Show what was known and is gone: it makes the days that need it partial, and their limits unknown.

    \b
      tearsheet sources                                  what is in doubt, and since when
      tearsheet sources keep 2026-11-30.jsonl --by kim    what was read of it stays; its absence is normal
      tearsheet sources accept 2026-11-30.jsonl --by kim  what is there now is all: the rest is taken out
      tearsheet sources forget logs --by kim             give it up, with all that was read of it
      tearsheet sources accept instruments --by kim      the books follow this process's instruments file
      tearsheet sources accept clock --by kim            the clock is right, a later one was wrong
      tearsheet sources accept ledger --by kim           what is at the ledger's place now is the ledger
      tearsheet sources forget ledger --by kim           the ledger is gone for good: begin a new one
    """
    if ctx.invoked_subcommand is not None:
        return
    with open_tracker() as tracker:
        tracker.refresh(30.0)
        found = doubts(tracker)
        zone = tracker.settings.calendar.timezone
    rows = [
        (one.source, one.code, one.accounts, f"{one.found_at.astimezone(zone):%Y-%m-%d %H:%M}", one.detail)
        for one in found
    ]
    click.echo(
        columns(("source", "in doubt", "for", "since", ""), rows, "lllll") if rows else "Nothing is in doubt."
    )


def _decide(name: str, decision: Decision, by: str) -> None:
    settings = Settings.load()
    log.configure(settings, verbose=click.get_current_context().find_root().obj or 0)
    if (what := decide_unopened(settings, name, decision, by)) is not None:
        click.echo(f"{what}; recorded as said by {by}.")
        return
    with open_tracker() as tracker:
        tracker.refresh(30.0)
        for one in decide(tracker, name, decision, by):
            click.echo(f"{one.source}: {one.detail}: {decision}, recorded as said by {by}.")


_by = click.option("--by", metavar="NAME", envvar="USER", required=True, help="Who decides; recorded.")


@sources.command()
@click.argument("name")
@_by
def accept(name: str, by: str) -> None:
    """Take what is there now for all there is; what was read beyond it is taken out."""
    _decide(name, "accept", by)


@sources.command()
@click.argument("name")
@_by
def keep(name: str, by: str) -> None:
    """Keep what was read, and take the absence for normal."""
    _decide(name, "keep", by)


@sources.command()
@click.argument("name")
@_by
def forget(name: str, by: str) -> None:
    """Remove a source and everything that was read from it; a forgotten ledger starts empty."""
    _decide(name, "forget", by)


@click.command(short_help="Last known prices; remove one.")
@click.option("--remove", metavar="SYMBOL", help="Remove the price of an instrument.")
def marks(remove: str | None) -> None:
    """List the last known prices of open positions, or remove a wrong one.

    \b
      tearsheet marks
      tearsheet marks --remove 'ES 12-26'
    """
    with open_tracker() as tracker:
        if remove is not None:
            mark = ApiWrites(tracker).remove_mark(remove)
            click.echo(f"The mark of {mark.symbol}, {mark.price} at {mark.time.isoformat()}, is removed.")
            return
        found = [(mark.symbol, str(mark.price), mark.time.isoformat()) for mark in Lists(tracker).marks()]
        click.echo(columns(("symbol", "price", "time"), found, "lrl") if found else "No marks.")


@click.command(short_help="Show which ledger this is, or check whether a file can be imported.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@file_options
def doctor(file: Path | None, **values: Any) -> int:
    """Read a file as an import would, without importing it, and report what was detected.

    Without a file, say which ledger this is: its identity and rules, its sources, the last record of each and
    its age, and what is in doubt.

    \b
    tearsheet doctor
    tearsheet doctor statement.csv
    tearsheet doctor statement.csv --timezone America/New_York --account U1
    """
    if file is None:
        describe_ledger()
        return EXIT_OK
    return diagnose(file, values)


@click.group(short_help="Fees of trades whose source states none.", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def fees(ctx: click.Context, as_json: bool) -> None:
    """Show the fee schedule, which gives the fees of trades whose source states none.

    \b
    tearsheet fees
    tearsheet fees set --root MNQ --per-contract 0.52
    tearsheet fees set --account Sim101 --venue CME --per-contract 1.29 --from 2026-01-01
    tearsheet fees remove 2 --digest 0f3c5a9e1b7d2468

    It is the list `fees` of the instruments file. A change is recorded, and the books are rebuilt by it.
    """
    if ctx.invoked_subcommand is None:
        with open_tracker() as tracker:
            _print_fees(FeesEditor(tracker).show(), as_json=as_json)


@fees.command("set", short_help="Add a rule, or replace the one that names the same.")
@click.option("--account", help="For this account.")
@click.option("--venue", help="For futures of this exchange, such as CME.")
@click.option("--root", help="For this future, such as MNQ.")
@click.option("--symbol", help="For this instrument.")
@click.option("--asset-class", help="For instruments of this kind, such as equity.")
@click.option("--from", "since", metavar="DATE", help="For trades from this day on.")
@click.option("--per-contract", metavar="AMOUNT", help="For each contract and side.")
@click.option("--per-share", metavar="AMOUNT", help="For each share and side.")
@click.option("--per-unit", metavar="AMOUNT", help="For each unit and side, whatever it is.")
@click.option("--round-turn", metavar="AMOUNT", help="For entry and exit of one unit together.")
@click.option("--per-order", metavar="AMOUNT", help="For the first fill of each order.")
@click.option("--percent", metavar="NUMBER", help="Of the value of the trade.")
@click.option("--minimum", metavar="AMOUNT", help="At least, for each fill.")
@click.option("--by", metavar="NAME", help="Who changes it; else the user of this machine.")
def set_fees(by: str | None, since: str | None, **given: str | None) -> None:
    """Add a rule. Of the rules that hold for a fill the one that names most counts, then the latest."""
    rule = {key: value for key, value in ({**given, "from": since}).items() if value}
    with open_tracker() as tracker:
        tracker.sync()
        _print_fees(FeesEditor(tracker).set_rule(rule, by or getpass.getuser()))


@fees.command("remove", short_help="Remove a rule by its number.")
@click.argument("number", type=int)
@click.option(
    "--digest", required=True, help="The digest of the schedule that the number is of, as `fees` shows it."
)
@click.option("--by", metavar="NAME", help="Who changes it; else the user of this machine.")
def remove_fees(number: int, digest: str, by: str | None) -> None:
    """Remove a rule of the fee schedule, and rebuild the books; refused if the schedule has changed since."""
    with open_tracker() as tracker:
        tracker.sync()
        _print_fees(FeesEditor(tracker).remove_rule(number, by or getpass.getuser(), digest))


def _print_fees(found: FeeRules, *, as_json: bool = False) -> None:
    if as_json:
        click.echo(json_bytes(found).decode(), nl=False)
        return
    used = [key for key in RULE_KEYS if any(key in rule for rule in found.rules)]
    rows = [(str(number), *(rule.get(key, "") for key in used)) for number, rule in enumerate(found.rules, 1)]
    click.echo(f"Fee schedule of {found.file}, digest {found.digest or 'none'}:")
    click.echo(columns(("", *used), rows, "r" + "l" * len(used)) if rows else "  no rules")


COMMANDS = {"calendar": calendar, "sources": sources, "doctor": doctor, "marks": marks, "fees": fees}
