"""The commands that bring facts in and check them: sync, import, formats, verify."""

from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import click

from tearsheet.cli import BAD_DATA, HEALTHY
from tearsheet.cli.options import opened_tracker
from tearsheet.cli.progress import progress
from tearsheet.cli.tables import rejection_text
from tearsheet.errors import UsageError
from tearsheet.tracker.imports import known_formats

_SHOWN = 10


@click.command()
def sync() -> None:
    """Read what is new in the trade logs. Other commands do it by themselves.

    Unchanged files are not opened; an appended one is read on from where it was left.
    """
    with opened_tracker() as tracker, progress("Reading logs") as on_progress:
        report = tracker.sync(on_progress)
    click.echo(
        f"{report.files} log files: {report.unchanged_files} unchanged, {report.read_files} read, "
        f"{report.records:,} new records, {report.rejected:,} rejected lines, "
        f"revision {report.revision}"
    )
    if report.rebuilt:
        click.echo("Settings changed: all positions and tallies were made anew.")
    if report.rejected:
        click.echo("`tearsheet rejections` shows the rejected lines.")


@click.command(name="import", short_help="Take files of fills into the ledger.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--timezone",
    metavar="ZONE",
    help="The zone of local times in the file, such as America/Chicago.",
)
@click.option("-a", "--account", help="Whose fills, where the file does not say.")
@click.option("--layout", help="The file's format, where its header does not settle it.")
@click.option(
    "--date-order",
    type=click.Choice(["day-first", "month-first"]),
    help="Where the file's dates leave it open.",
)
def import_(
    files: tuple[Path, ...],
    timezone: str | None,
    account: str | None,
    layout: str | None,
    date_order: Literal["day-first", "month-first"] | None,
) -> int:  # fmt: skip
    """Take files of fills into the ledger; a fill counts once, however often it is imported.

    \b
    tearsheet import fills.csv
    tearsheet import NinjaTrader.csv --timezone America/New_York
    """
    zone = _zone(timezone)
    failed = False
    with opened_tracker() as tracker:
        for path in files:
            with progress(f"Importing {path.name}") as on_progress:
                report = tracker.import_file(
                    path,
                    timezone=zone,
                    account=account,
                    layout=layout,
                    date_order=date_order,
                    on_progress=on_progress,
                )
            if report.repeated:
                click.echo(f"{path}: imported before, nothing changed ({report.known:,} fills)")
                continue
            click.echo(
                f"{path} ({report.layout}): {report.new:,} new, {report.known:,} known, "
                f"{report.rejected:,} rejected, revision {report.revision}"
            )
            for rejection in report.rejections[:_SHOWN]:
                click.echo(rejection_text(rejection))
            if len(report.rejections) > _SHOWN:
                click.echo("  … `tearsheet rejections` shows them all")
            failed = failed or (report.rejected > 0 and not report.new + report.known)
    return BAD_DATA if failed else HEALTHY


@click.command(short_help="What can be imported.")
def formats() -> None:
    """The formats of statements that can be imported, and the columns each needs."""
    for name, (title, columns) in known_formats().items():
        click.echo(f"{name}\n  {title}\n  columns: {', '.join(columns)}")


@click.command(short_help="Rebuild everything and compare row by row.")
def verify() -> int:
    """Make everything anew from the stored facts and compare it row by row with what is kept."""
    with opened_tracker() as tracker:
        tracker.sync()
        report = tracker.verify(lambda words: click.echo(f"  {words} …", err=True))
    for difference in report.differences:
        click.echo(f"DIFFERS  {difference}")
    counts = ", ".join(f"{number:,} {name}" for name, number in report.rows.items())
    verdict = "agrees" if report.agrees else f"{len(report.differences)} differences"
    click.echo(f"{verdict}: {counts}")
    return HEALTHY if report.agrees else BAD_DATA


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise UsageError(
            f"--timezone {name!r} is no known zone", "write an IANA name, such as America/Chicago"
        ) from None


COMMANDS = {"sync": sync, "import": import_, "formats": formats, "verify": verify}
