"""The command that compares a broker's report with our books: reconcile."""

from pathlib import Path
from typing import Any

import click

from tearsheet.cli import BREACHED, HEALTHY
from tearsheet.cli.options import opened_tracker
from tearsheet.cli.statements import file_options, said
from tearsheet.cli.tables import columns
from tearsheet.export import json_bytes
from tearsheet.tracker.tie_out import Difference, TieOut, missing_of, tie_out
from tearsheet.trade.amount import plain


@click.command(short_help="Do we agree with the broker?")
@click.argument("statement", type=click.Path(path_type=Path))
@file_options
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def reconcile(statement: Path, as_json: bool, **values: Any) -> int:
    """Compare a broker's own results, fees, positions and balances with ours, per day and account.

    Exit code 0: they agree; 2: they differ; 65: the statement cannot be read.

    \b
    tearsheet reconcile broker.csv
    tearsheet reconcile "NinjaTrader Grid.csv" --timezone America/New_York
    """
    options = said(values)
    with opened_tracker() as tracker:
        found = tie_out(tracker, statement, **options)
    if as_json:
        click.echo(json_bytes(found).decode(), nl=False)
    else:
        click.echo("\n".join(_told(found)))
    return HEALTHY if found.agrees else BREACHED


def _told(found: TieOut) -> list[str]:
    lines = [
        f"{found.file} ({found.layout}): {found.lines:,} lines, {found.compared:,} numbers compared"
    ]
    if found.agrees:
        return [*lines, click.style("They agree.", fg="green", bold=True)]
    head = ("session", "account", "symbol", "what", "theirs", "ours", "kind", "because")
    if found.differences:
        lines += ["", columns(head, map(_row, found.differences), "llllrrll")]
    if found.missing:
        lines += [
            "",
            click.style("Missing fills", bold=True),
            *(f"  {m}" for m in missing_of(found)),
        ]
    number = len(found.differences) + len(found.missing)
    return [*lines, "", click.style(f"{number:,} differences.", fg="red", bold=True)]


def _row(d: Difference) -> tuple[str, ...]:
    return (
        str(d.session), d.account, d.symbol or "all", d.what, plain(d.theirs), plain(d.ours),
        d.kind, d.words,
    )  # fmt: skip


COMMANDS = {"reconcile": reconcile}
