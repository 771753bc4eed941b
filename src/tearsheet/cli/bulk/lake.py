"""The commands `tearsheet bulk …`; what reads and writes a lake is imported when a command runs."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tearsheet.cli.options import open_tracker
from tearsheet.export.files import json_bytes

F = TypeVar("F", bound=Callable[..., Any])


def lake_option(command: F) -> F:
    """Add --lake."""
    return click.option(
        "--lake", required=True, metavar="PLACE", help="Folder of the lake, or s3://bucket/folder."
    )(command)


def json_option(command: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON with exact decimals.")(command)


@click.group(short_help="Books of many accounts from a lake of Parquet files.")
def bulk() -> None:
    """Books of many accounts from a lake of Parquet files, with the digits of a ledger.

    \b
    tearsheet bulk write --lake lake/        the fills of this ledger, by buckets of accounts
    tearsheet bulk rebuild --lake lake/      bookings, positions and tallies of every account

    Needs `pip install 'tearsheet[bulk]'`; docs/bulk.md says how a firm runs it.
    """


@bulk.command(short_help="Write the fills of this ledger into a lake.")
@lake_option
@click.option(
    "--buckets",
    type=click.IntRange(1, 9999),
    metavar="N",
    help="Buckets of accounts in a new lake, for its life. [default: 16]",
)
@json_option
def write(lake: str, buckets: int | None, as_json: bool) -> None:
    """Write the fills of this ledger into a lake, which is made if it is missing.

    What the lake had of this ledger is replaced, all of it or nothing. A ledger with more than fills is refused.
    """
    from tearsheet.bulk.write import write_ledger

    with open_tracker() as tracker:
        tracker.refresh(30.0)
        report = write_ledger(tracker, lake, buckets)
    if as_json:
        click.echo(json_bytes(report).decode(), nl=False)
        return
    verb = "written" if report.is_new else "unchanged"
    click.echo(
        f"  {verb}  {report.fills:,} fills of {report.accounts:,} accounts in {report.files:,} files, {report.lake}"
    )


@bulk.command(short_help="Make bookings, positions and tallies of every account.")
@lake_option
@click.option(
    "--engine", default="local", show_default=True, help="What computes: processes of this machine."
)
@click.option(
    "--processes", type=click.IntRange(1, 1024), metavar="N", help="Number of them. [default: one a core]"
)
@click.option("--only-tallies", is_flag=True, help="No bookings and positions, which only replay needs.")
@click.option(
    "--total",
    "has_total",
    is_flag=True,
    help="Also the results of all accounts together, by one more pass in order of time.",
)
@json_option
def rebuild(
    lake: str, engine: str, processes: int | None, only_tallies: bool, has_total: bool, as_json: bool
) -> None:
    """Make the books of every account in the lake, and publish them when all are made.

    Killed at any moment, it goes on where it was. The same fills give the same files.
    """
    from tearsheet.bulk.rebuild import rebuild as make

    report = make(
        lake,
        engine=engine,
        processes=processes,
        has_rows=not only_tallies,
        has_total=has_total,
        on_part=lambda part, fills: click.echo(f"  {part}  {fills:,} fills", err=True),
    )
    if as_json:
        click.echo(json_bytes(report).decode(), nl=False)
        return
    click.echo(f"  run {report.run}: {report.made:,} of {report.parts:,} parts made, {report.fills:,} fills")


COMMANDS = {"bulk": bulk}
