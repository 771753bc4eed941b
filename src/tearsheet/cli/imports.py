"""The imports command, and the events that only the operator knows: settle, opening and cash."""

import getpass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from tearsheet.app.analysis.lists import Lists
from tearsheet.app.analysis.table_rows import check_filters
from tearsheet.app.imports.api_posts import state_cash
from tearsheet.app.imports.history import Import, ImportHistory, UndoInfo
from tearsheet.app.imports.preview import Preview
from tearsheet.app.imports.stated_events import ENDS, open_from_reported, settle, state_opening
from tearsheet.app.reports import ImportReport
from tearsheet.cli import EXIT_BAD_DATA, EXIT_OK
from tearsheet.cli.options import (
    MAX_ROWS,
    CurrencyType,
    most_option,
    open_tracker,
    scope,
    scope_options,
    window_from_options,
    window_options,
    zone_from_option,
)
from tearsheet.cli.tables import columns, format_rejection
from tearsheet.export.files import json_bytes
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.trade.amount import parse_amount, to_plain_string
from tearsheet.trade.event import MONEY_KINDS
from tearsheet.trade.value_rule import COIN


class _ImportsGroup(click.Group):
    """Group that accepts `imports 12` for `imports show 12`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0].isdigit():
            return "show", self.commands["show"], args
        return super().resolve_command(ctx, args)


@click.group(cls=_ImportsGroup, invoke_without_command=True, short_help="List imports; undo one.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def imports(ctx: click.Context, as_json: bool) -> None:
    """List imports, newest first.

    \b
    tearsheet imports            list them
    tearsheet imports 12         show import 12 and its rejected rows
    tearsheet imports undo 12    undo import 12
    """
    if ctx.invoked_subcommand is not None:
        return
    with open_tracker() as tracker:
        records = ImportHistory(tracker).list(MAX_ROWS)
    if as_json:
        click.echo(json_bytes(records))
        return
    rows = [(*_counts(b), b.layout, f"{b.file}{_undo_suffix(b.undone)}") for b in records]
    head = ("import", "read (UTC)", "new", "known", "rejected", "format", "file")
    click.echo(columns(head, rows, "rlrrrll") if rows else "No imports.")


@imports.command()
@click.argument("number", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(number: int, as_json: bool) -> None:
    """Show one import and its rejected rows."""
    with open_tracker() as tracker:
        record = ImportHistory(tracker).get(number)
        rejected = ImportHistory(tracker).rejections(number, MAX_ROWS)
    if as_json:
        click.echo(json_bytes({"batch": record, "rejections": rejected}))
        return
    _, read_at, new, known, refused = _counts(record)
    click.echo(
        f"Import {number}: {record.file} ({record.layout}), {read_at} UTC{_undo_suffix(record.undone)}"
    )
    click.echo(f"  {new} new, {known} known, {refused} rejected")
    if record.events:
        click.echo(f"  {record.events:,} events")
    if record.tie_out is not None:
        click.echo(f"  when it was compared last, it {record.tie_out.text}")
    for rule, count in record.skipped.items():
        click.echo(f"  changes nothing: {count:,} {rule}")
    for one in rejected:
        click.echo(format_rejection(one.rejection) + ("" if one.counts else "\n      no longer rejected"))


@imports.command()
@click.argument("number", metavar="ID", type=int)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def undo(number: int, dry_run: bool) -> None:
    """Undo an import. Fills that another import also contains are kept."""
    with open_tracker() as tracker:
        if dry_run:
            preview = ImportHistory(tracker).preview_undo(number, getpass.getuser())
            click.echo(f"Import {number} would go with {preview.report.gone:,} fills")
            click.echo("\n".join(format_changes(preview)))
            return
        what = "rates" if ImportHistory(tracker).get(number).layout == "rates" else "fills"
        report = ImportHistory(tracker).undo(number, getpass.getuser())
    click.echo(
        f"Import {number} ({report.file}) is undone: {report.gone:,} {what} went, {report.stayed:,} stayed "
        f"because other imports brought them too, revision {report.revision}"
    )


def format_changes(preview: Preview) -> list[str]:
    """Return tables of the days and positions that a change affects."""
    days = [
        (str(d.session), d.account, to_plain_string(d.before), to_plain_string(d.after), d.currency)
        for d in preview.days
    ]
    positions = [
        (
            p.account,
            p.symbol,
            to_plain_string(p.open_before),
            to_plain_string(p.open_after),
            f"{p.closed_before:,}",
            f"{p.closed_after:,}",
        )
        for p in preview.positions
    ]
    lines: list[str] = []
    if days:
        lines += ["", columns(("session", "account", "net before", "net after", ""), days, "llrrl")]
    if positions:
        head = ("account", "symbol", "open before", "after", "closed before", "after")
        lines += ["", columns(head, positions, "llrrrr")]
    return lines or ["No changes to any day or position."]


def _counts(b: Import) -> tuple[str, ...]:
    read_at = f"{b.read_at:%Y-%m-%d %H:%M}"
    return str(b.id), read_at, f"{b.new:,}", f"{b.known:,}", f"{b.rejected:,}"


def _undo_suffix(undo: UndoInfo | None) -> str:
    return "" if undo is None else f"  (undone {undo.at:%Y-%m-%d %H:%M} by {undo.by})"


class _AmountType(click.ParamType[Decimal]):
    """An exact amount."""

    name = "AMOUNT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            return value if isinstance(value, Decimal) else parse_amount(str(value))
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


class _MomentType(click.ParamType[datetime]):
    """An instant with its offset."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            self.fail(f"{value!r} is no time with an offset, such as 2026-01-16T21:20:00Z", param, ctx)
        return at


_AMOUNT, _MOMENT, _CURRENCY = _AmountType(), _MomentType(), CurrencyType(COIN)


@click.command(name="settle", short_help="Close a position that no row closes.")
@click.argument("account")
@click.argument("symbol")
@click.option(
    "--at", "price", type=_AMOUNT, required=True, help="The price at which it ended, 0 for worthless."
)
@click.option("--quantity", type=_AMOUNT, help="How much of it ended; without it, all.")
@click.option("--time", "at", type=_MOMENT, help="When it ended; without it, at its expiry, else now.")
@click.option("--how", type=click.Choice(ENDS), default=ENDS[0], show_default=True, help="By what it ended.")
def settle_(
    account: str, symbol: str, price: Decimal, quantity: Decimal | None, at: datetime | None, how: str
) -> int:
    """Close the open position of ACCOUNT in SYMBOL, because no statement says how it ended.

    \b
    tearsheet settle A "SPY   260306C00690000" --at 0
    tearsheet settle A XYZ --at 0 --how delisting --time 2026-03-20T20:00:00Z

    It is an import of its own: `tearsheet imports undo` takes it back.
    """
    with open_tracker() as tracker:
        tracker.sync()
        report = settle(tracker, account, symbol, price, at, quantity, how, getpass.getuser())
    return _print(report)


@click.command(name="opening", short_help="State what was held before the history begins.")
@click.argument("account")
@click.argument("symbol", required=False)
@click.argument("quantity", type=_AMOUNT, required=False)
@click.option("--cost", type=_AMOUNT, help="What it had cost in all; without it, its exits have no result.")
@click.option("--time", "at", type=_MOMENT, help="Since when it is held, at the latest.")
@click.option("--currency", type=_CURRENCY, help="The currency of the cost.")
@click.option(
    "--from-reported",
    is_flag=True,
    help="Take the broker's own results of closing fills without an opening; the cost follows from them.",
)
def opening_(
    account: str,
    symbol: str | None,
    quantity: Decimal | None,
    cost: Decimal | None,
    at: datetime | None,
    currency: str | None,
    from_reported: bool,
) -> int:
    """State that ACCOUNT held QUANTITY of SYMBOL; a short position has -QUANTITY, behind a `--`.

    \b
    tearsheet opening A NVDA 10 --cost 1000 --time 2026-01-01T00:00:00Z
    tearsheet opening A --from-reported

    The second form is for files that begin in the middle of positions and state the broker's result of each closing
    fill; the windows say `opening_from_reported`. With a SYMBOL it holds for that alone. It is an import of its own: `tearsheet imports undo` takes it back.
    """
    with open_tracker() as tracker:
        tracker.sync()
        if from_reported:
            if quantity is not None or cost is not None or at is not None:
                raise click.UsageError("--from-reported states neither quantity, cost nor time")
            report = open_from_reported(tracker, account, symbol, getpass.getuser())
        elif symbol is None or quantity is None or at is None:
            raise click.UsageError("state SYMBOL, QUANTITY and --time; or --from-reported")
        else:
            report = state_opening(tracker, account, symbol, quantity, cost, at, currency, getpass.getuser())
    return _print(report)


@click.group(short_help="Money of accounts beside fills: add, import, list.")
def cash() -> None:
    """Deposits, withdrawals, payouts, interest, fees, taxes; funding and dividends of positions too.

    \b
    tearsheet cash add A deposit 5000 --time 2026-03-02T09:00:00Z
    tearsheet cash add A data_fee -25 --id M1 --note "market data"
    tearsheet cash import cash.csv
    tearsheet cash list -a A
    tearsheet imports undo 12    takes back what import 12 brought
    """


@cash.command("add", short_help="State money that moved.", context_settings={"ignore_unknown_options": True})
@click.argument("account")
@click.argument("kind", type=click.Choice(MONEY_KINDS), metavar="KIND")
@click.argument("amount")
@click.option("--currency", type=_CURRENCY, help="Without one, that of the account.")
@click.option("--time", "at", type=_MOMENT, help="When it moved in the broker's books; without it, now.")
@click.option("--symbol", help="The instrument that caused it.")
@click.option("--leg", type=click.Choice(("long", "short")), help="The side that bore it, in hedge mode.")
@click.option("--ex-date", help="The day that decides which position bears it.")
@click.option("--id", "identity", help="The broker's id, unique within account and kind.")
@click.option("--note", help="What is to be remembered of it.")
@click.option("--refund", is_flag=True, help="A cost or tax that came back: AMOUNT is above 0.")
@click.option("--to-currency", type=_CURRENCY, help="Of a conversion: the other currency.")
@click.option("--to-amount", help="Of a conversion: what came of it.")
def add_cash(
    account: str, kind: str, amount: str, at: datetime | None, refund: bool, **given: str | None
) -> int:
    """State that AMOUNT moved on ACCOUNT; what was paid is below 0.

    KIND is deposit, withdrawal, payout, transfer, credit_interest, margin_interest, data_fee, platform_fee, account_fee,
    withholding_tax, adjustment, conversion, funding, swap, dividend and others; docs/data-formats.md lists all.
    """
    fields = {"account": account, "kind": kind, "amount": amount, "id": given.pop("identity")} | given
    fields["refund"] = "yes" if refund else None
    with open_tracker() as tracker:
        tracker.sync()
        fields["time"] = (at or tracker.now).isoformat(timespec="seconds")
        report = state_cash(tracker, fields)
    for rejection in report.rejections:
        click.echo(format_rejection(rejection))
    if not report.rejections:
        kept = f"Kept, revision {report.revision}."
        click.echo(kept if report.new else "It was stated before; nothing changed.")
    return EXIT_BAD_DATA if report.rejections else EXIT_OK


@cash.command("import", short_help="Import a CSV file of money that moved.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--account", help="Whose money it is, where the file does not say.")
@click.option("--timezone", help="Zone of times without an offset.")
def import_cash(file: Path, account: str | None, timezone: str | None) -> int:
    """Import FILE with the columns account,time,kind,currency,amount[,symbol,leg,ex_date,id,note,refund,to_currency,to_amount]."""
    from tearsheet.app.imports.import_file import ImportJob, import_file  # no other command here reads a file

    zone = zone_from_option(timezone)
    options = StatementOptions(layout="generic_events", account=account, timezone=zone)
    with open_tracker() as tracker:
        tracker.sync()
        report = import_file(tracker, ImportJob(path=file, options=options, who=getpass.getuser()))
    return _print(report)


@cash.command("list", short_help="Money that moved, newest first.")
@window_options
@scope_options
@most_option("Number of rows to show.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_cash(most: int, as_json: bool, **values: Any) -> None:
    """List money of accounts in a window: what it counts as, and the import that brought it."""
    with open_tracker() as tracker:
        tracker.sync()
        check_filters(tracker, account=values["account"])
        window = window_from_options(tracker, values)
        found = Lists(tracker).cash(window, scope(values), most, None).items
        zone = tracker.settings.calendar.timezone
    if as_json:
        click.echo(json_bytes(found).decode(), nl=False)
        return
    rows = [
        (
            f"{one.time.astimezone(zone):%Y-%m-%d %H:%M:%S}",
            one.account,
            one.kind.replace("_", " "),
            to_plain_string(one.amount),
            one.currency,
            one.counts_as or "nothing",
            one.symbol or "",
            one.id or "",
            str(one.import_id),
            one.note or "",
        )
        for one in found
    ]
    head = (
        f"time ({zone.key})",
        "account",
        "kind",
        "amount",
        "",
        "counts as",
        "symbol",
        "id",
        "import",
        "note",
    )
    click.echo(columns(head, rows, "lllrllllrl") if rows else "No money moved in this window.")


def _print(report: ImportReport) -> int:
    for rejection in report.rejections:
        click.echo(format_rejection(rejection))
    if report.repeated:
        click.echo("It was stated before; nothing changed.")
    elif report.events:
        click.echo(f"Kept as import {report.id}, revision {report.revision}.")
    return EXIT_BAD_DATA if report.rejections else EXIT_OK


COMMANDS: dict[str, Any] = {"imports": imports, "settle": settle_, "opening": opening_, "cash": cash}
