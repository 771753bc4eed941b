"""The reconcile command: compare a broker statement with the ledger."""

from pathlib import Path
from typing import Any

import click

from tearsheet.app.reconcile.reconcile import Difference, ReconciledDay, Reconciliation, reconcile_statement
from tearsheet.cli import EXIT_BREACH, EXIT_OK
from tearsheet.cli.formats import file_options, file_options_from
from tearsheet.cli.options import open_tracker
from tearsheet.cli.tables import format_rejection, table
from tearsheet.export.files import json_bytes
from tearsheet.trade.amount import to_plain_string

_MAX_LINES = 20
_DIFFERENCES = ("session", "account", "symbol", "what", "theirs", "ours", "difference", "kind", "because")
_DAYS = ("session", "account", "what", "theirs", "ours", "difference", "")
_LABELS = {"paid": "fees of trades", "net": "net of trades", "price": "average price"}


@click.command(short_help="Compare the ledger with a broker statement.")
@click.argument("statement", type=click.Path(path_type=Path))
@click.option(
    "--method",
    type=click.Choice(["average", "fifo"]),
    default="average",
    show_default=True,
    help="Cost basis for the comparison: average cost (default) or FIFO.",
)
@file_options
@click.option("--days", "by_day", is_flag=True, help="Show all days, including those that match.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def reconcile(statement: Path, method: Any, by_day: bool, as_json: bool, **values: Any) -> int:
    """Compare the broker's reported P&L, fees, positions and balances with your ledger, by day and account.

    Exit codes: 0 everything matches · 2 differences found · 65 the statement cannot be read

    \b
    tearsheet reconcile broker.csv
    tearsheet reconcile U1234567.csv --timezone America/New_York --method fifo
    """
    options = file_options_from(values)
    with open_tracker() as tracker:
        result = reconcile_statement(tracker, statement, options, method=method)
    if as_json:
        click.echo(json_bytes(result).decode(), nl=False)
    else:
        click.echo("\n".join(_format(result, by_day=by_day)))
    return EXIT_OK if result.agrees else EXIT_BREACH


def _format(result: Reconciliation, *, by_day: bool) -> list[str]:
    lines = [f"{result.file} ({result.layout}): {result.lines:,} lines, {result.compared:,} numbers compared"]
    if by_day or not result.agrees:
        days = [one for one in result.days if by_day or one.difference]
        lines += _section("Days", table(_DAYS, map(_day, days), "lllrrrl")) if days else []
    if result.agrees:
        lines += [f"note: {note}" for note in result.notes]
        return [*lines, click.style("They agree.", fg="green", bold=True)]
    if result.differences:
        rows = map(_row, result.differences[:_MAX_LINES])
        lines += _section("Differences", table(_DIFFERENCES, rows, "llllrrrll"))
        lines += _truncation_note(len(result.differences))
    if result.fills:
        lines += _section("Fills", "\n".join(f"  {one.description}" for one in result.fills[:_MAX_LINES]))
        lines += _truncation_note(len(result.fills))
    if result.orphans:
        lines += _section(
            "Orphan closes", "\n".join(f"  {one.message}" for one in result.orphans[:_MAX_LINES])
        )
        lines += _truncation_note(len(result.orphans))
    if result.unread:
        lines += _section("Unreadable rows", "\n".join(map(format_rejection, result.unread[:_MAX_LINES])))
        lines += _truncation_note(len(result.unread))
    lines += [f"note: {note}" for note in result.notes]
    return [*lines, "", click.style(f"They differ: {_difference_counts(result)}.", fg="red", bold=True)]


def _section(title: str, text: str) -> list[str]:
    return ["", click.style(title, bold=True), text]


def _truncation_note(number: int) -> list[str]:
    return [f"  … {number - _MAX_LINES:,} more; use --json for all"] if number > _MAX_LINES else []


def _difference_counts(result: Reconciliation) -> str:
    kinds = [one.kind for one in result.differences]
    counted = [f"{kinds.count(kind):,} {kind}" for kind in dict.fromkeys(kinds)]
    counted += [f"fills: {len(result.fills):,}"] if result.fills else []
    counted += [f"orphan closes: {len(result.orphans):,}"] if result.orphans else []
    counted += [f"unread lines: {len(result.unread):,}"] if result.unread else []
    return ", ".join(counted)


def _row(d: Difference) -> tuple[str, ...]:
    session = str(d.session) if d.since == d.session else f"{d.since} … {d.session}"
    return (
        session,
        d.account,
        d.symbol or "all",
        _LABELS.get(d.what, d.what),
        to_plain_string(d.theirs),
        to_plain_string(d.ours),
        to_plain_string(d.difference),
        d.kind,
        d.words,
    )


def _day(one: ReconciledDay) -> tuple[str, ...]:
    verdict = ", ".join(one.kinds) if one.kinds else "agrees" if not one.difference else "differs"
    return (
        str(one.session),
        one.account,
        _LABELS.get(one.what, one.what),
        to_plain_string(one.theirs),
        to_plain_string(one.ours),
        to_plain_string(one.difference),
        verdict,
    )


COMMANDS = {"reconcile": reconcile}
