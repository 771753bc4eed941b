"""The commands `tearsheet bulk …`; what reads and writes a lake is imported when a command runs."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import click

from tearsheet.cli import EXIT_BAD_DATA, EXIT_OK
from tearsheet.cli.options import KINDS, DateType, open_tracker
from tearsheet.cli.tables import columns
from tearsheet.errors import UsageError
from tearsheet.export.files import json_bytes, json_line
from tearsheet.performance.metric import METRICS
from tearsheet.trade.session import WindowKind
from tearsheet.words import format_metric

F = TypeVar("F", bound=Callable[..., Any])
_SHOWN = ("net_pnl", "total_trades", "win_rate", "profit_factor", "max_drawdown")


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
    tearsheet bulk verify --lake lake/       the same as this ledger has, or what differs
    tearsheet bulk summary --lake lake/ --window monthly

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


@bulk.command(short_help="Show the results of each account, or of all together.")
@lake_option
@click.option(
    "-w", "--window", "kind", type=click.Choice(KINDS), default="all", show_default=True, help="Period."
)
@click.option(
    "--start", type=DateType(), help="First day. Without --end: selects the period that contains it."
)
@click.option("--end", type=DateType(), help="Last day (inclusive).")
@click.option("-a", "--account", help="One account.")
@click.option(
    "--total", "is_total", is_flag=True, help="All accounts together, which `rebuild --total` makes."
)
@click.option("--currency", metavar="CODE", help="Only results in this currency.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each account and currency.")
def summary(
    lake: str,
    kind: WindowKind,
    start: date | None,
    end: date | None,
    account: str | None,
    is_total: bool,
    currency: str | None,
    as_json: bool,
) -> None:
    """Show the results of every account in each of its currencies; the numbers are those of `tearsheet summary`."""
    from tearsheet.bulk.lake import Lake
    from tearsheet.bulk.summary import LakeSummaries

    if account is not None and is_total:
        raise UsageError("--account and --total contradict each other", "leave one of them out")
    summaries = LakeSummaries(Lake.open(lake), datetime.now(UTC), kind, start, end, currency)
    if is_total:
        found = iter(summaries.of_all())
    else:
        found = summaries.of_accounts() if account is None else iter(summaries.of_account(account))
    if as_json:
        for one in found:
            click.echo(json_line(one).decode())
        return
    rows = [
        (
            one.account or "all accounts",
            one.currency,
            *(format_metric(METRICS[name], one.metrics[name]) for name in _SHOWN),
        )
        for one in found
    ]
    heads = ("account", "currency", *(METRICS[name].label for name in _SHOWN))
    click.echo(columns(heads, rows, "ll" + "r" * len(_SHOWN)) if rows else "No trades in this period.")


@bulk.command(short_help="Compare the lake with the ledger of this folder.")
@lake_option
@json_option
def verify(lake: str, as_json: bool) -> int:
    """Compare what the lake has of this folder's ledger, by a hash for each account and session, and its tallies.

    A difference is shown fill by fill, and then the exit code is 65.
    """
    from tearsheet.bulk.verify import compare

    with open_tracker() as tracker:
        report = compare(tracker, lake)
    if as_json:
        click.echo(json_bytes(report).decode(), nl=False)
    else:
        click.echo(
            f"  {report.fills:,} fills and {report.tallies:,} tallies of {report.accounts:,} accounts: "
            f"{report.different:,} of {report.sessions:,} sessions differ"
        )
        heads = ("account", "session", "what", "ledger", "lake")
        rows = [
            (one.account or "all accounts", str(one.session), one.what, one.ledger or "", one.lake or "")
            for one in report.differences
        ]
        if rows:
            click.echo(columns(heads, rows, "lllll"))
    return EXIT_BAD_DATA if report.different else EXIT_OK


COMMANDS = {"bulk": bulk}
