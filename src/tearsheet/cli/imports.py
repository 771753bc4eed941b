"""The imports command: list imports, show one, undo one."""

import getpass
from typing import Any

import click

from tearsheet.app.imports.history import Import, ImportHistory, UndoInfo
from tearsheet.app.imports.preview import Preview
from tearsheet.cli.options import open_tracker
from tearsheet.cli.tables import columns, format_rejection
from tearsheet.export.files import json_bytes
from tearsheet.trade.amount import to_plain_string

_MAX_ROWS = 1000


class _ImportsGroup(click.Group):
    """Group that accepts `imports 12` for `imports show 12`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0].isdigit():
            return "show", self.commands["show"], args
        return super().resolve_command(ctx, args)


@click.group(cls=_ImportsGroup, invoke_without_command=True, short_help="What was imported; undo it.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def imports(ctx: click.Context, as_json: bool) -> None:
    """Every import with what it came to, the newest first.

    \b
    tearsheet imports            list them
    tearsheet imports 12         one, with its rejected lines
    tearsheet imports undo 12    take it out, as if it had never come
    """
    if ctx.invoked_subcommand is not None:
        return
    with open_tracker() as tracker:
        records = ImportHistory(tracker).list(_MAX_ROWS)
    if as_json:
        click.echo(json_bytes(records))
        return
    rows = [(*_counts(b), b.layout, f"{b.file}{_undo_suffix(b.undone)}") for b in records]
    head = ("import", "read (UTC)", "new", "known", "rejected", "format", "file")
    click.echo(columns(head, rows, "rlrrrll") if rows else "Nothing was imported.")


@imports.command()
@click.argument("number", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(number: int, as_json: bool) -> None:
    """One import: what it came to, and the lines that could not be used."""
    with open_tracker() as tracker:
        record = ImportHistory(tracker).get(number)
        rejected = ImportHistory(tracker).rejections(number, _MAX_ROWS)
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
    for rule, count in record.skipped.items():
        click.echo(f"  passed over: {count:,} {rule}")
    for one in rejected:
        click.echo(format_rejection(one.rejection) + ("" if one.counts else "\n      taken back since"))


@imports.command()
@click.argument("number", metavar="ID", type=int)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def undo(number: int, dry_run: bool) -> None:
    """Take an import out, as if it had never come; what other imports say too stays."""
    with open_tracker() as tracker:
        if dry_run:
            preview = ImportHistory(tracker).preview_undo(number, getpass.getuser())
            click.echo(f"Import {number} would go with {preview.report.gone:,} fills")
            click.echo("\n".join(format_changes(preview)))
            return
        report = ImportHistory(tracker).undo(number, getpass.getuser())
    click.echo(
        f"Import {number} ({report.file}) is undone: {report.gone:,} fills went, {report.stayed:,} stayed "
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
    return lines or ["No day and no position would change."]


def _counts(b: Import) -> tuple[str, ...]:
    read_at = f"{b.read_at:%Y-%m-%d %H:%M}"
    return str(b.id), read_at, f"{b.new:,}", f"{b.known:,}", f"{b.rejected:,}"


def _undo_suffix(undo: UndoInfo | None) -> str:
    return "" if undo is None else f"  (undone {undo.at:%Y-%m-%d %H:%M} by {undo.by})"


COMMANDS: dict[str, Any] = {"imports": imports}
