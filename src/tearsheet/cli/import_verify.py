"""The commands import and verify."""

import getpass
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from tearsheet import log
from tearsheet.app.imports.import_file import ImportJob, import_file, save_mapping
from tearsheet.app.imports.preview import Preview
from tearsheet.app.reconcile.kept_tie_out import tie_out_import
from tearsheet.app.reconcile.tie_out import preview_import
from tearsheet.app.reports import ImportReport
from tearsheet.cli import EXIT_BAD_DATA, EXIT_BREACH, EXIT_OK
from tearsheet.cli.formats import file_options, file_options_from
from tearsheet.cli.imports import format_changes
from tearsheet.cli.options import open_tracker
from tearsheet.cli.tables import format_rejection, progress
from tearsheet.errors import FormatError, InputError, UsageError
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.amount import to_plain_string

_MAX_LINES = 10
_MAX_DIFFERENCES = 3


@click.command(name="import", short_help="Import broker files.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@file_options
@click.option("--save-layout", metavar="NAME", help="Save the columns of --map as a layout with this name.")
@click.option(
    "--other-trades",
    is_flag=True,
    help="Import trades that equal others at a shift of a time zone; else they are refused.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and save nothing.")
def import_(
    files: tuple[Path, ...], save_layout: str | None, other_trades: bool, dry_run: bool, **values: Any
) -> int:
    """Import files of fills; a fill is stored once, however often it is imported.

    \b
    tearsheet import fills.csv
    tearsheet import NinjaTrader.csv --timezone America/New_York
    tearsheet import own.csv --map Ticker=symbol --map Qty=quantity --save-layout own

    Exit code 2 says that a file states other results, fees, positions or fills than the books come to: the days that
    it is about are partial until they agree, or somebody accepts the import (`tearsheet sources`).
    """
    options = file_options_from(values)
    failed = contradicted = False
    with open_tracker() as tracker:
        for path in files:
            try:
                job = ImportJob(path=path, options=options, other_trades=other_trades, who=getpass.getuser())
                report, preview = _import_one(tracker, job, dry_run=dry_run)
            except (FormatError, InputError) as error:
                if len(files) == 1:
                    raise
                click.echo(f"tearsheet: {error}", err=True)
                failed = True
                continue
            _echo_report(path, report, dry_run=dry_run)
            if preview is not None and not report.repeated:
                click.echo("\n".join(format_changes(preview)))
            contradicted = contradicted or (report.tie_out is not None and report.tie_out.contradicts)
            failed = failed or (report.rejected > 0 and not report.new + report.events + report.known)
    if save_layout is not None and not dry_run:
        click.echo(
            f"Kept as {save_mapping(save_layout, options)}; files with these columns are recognized from now on."
        )
    if failed:
        return EXIT_BAD_DATA
    return EXIT_BREACH if contradicted else EXIT_OK


def _import_one(
    tracker: PerformanceTracker, job: ImportJob, *, dry_run: bool
) -> tuple[ImportReport, Preview | None]:
    with progress(f"Importing {job.path.name}") as on_progress:
        job = replace(job, on_progress=on_progress)
        if dry_run:
            preview = preview_import(tracker, job)
            return preview.report, preview
        report = import_file(tracker, job)
        report.tie_out = tie_out_import(tracker, job, report)
        return report, None


def _echo_report(path: Path, report: ImportReport, *, dry_run: bool) -> None:
    """Print what an import came to."""
    if report.repeated:
        click.echo(
            f"{path}: already imported, nothing changed ({report.known:,} fills); to read it in another way, "
            f"`tearsheet imports undo {report.id}` first"
        )
        _echo_tie_out(report)
        return
    saved_as = (
        "preview only, nothing imported" if dry_run else f"import {report.id}, revision {report.revision}"
    )
    events = f"{report.events:,} events, " if report.events else ""
    click.echo(
        f"{path} ({report.layout}): {report.new:,} new, {report.known:,} known, {events}"
        f"{report.rejected:,} rejected, {saved_as}"
    )
    if report.lane:
        click.echo(f"  read by {report.lane}")
    for rule, number in report.skipped.items():
        click.echo(f"  changes nothing: {number:,} {rule}")
    for assumption in report.assumed:
        click.echo(f"  {assumption}")
    if report.executed_legs:
        click.echo(
            f"  round trips: {report.executed_legs:,} of their fills stand among the executions too; "
            "the executions count"
        )
    for orphan in report.orphans[:_MAX_LINES]:
        click.echo(click.style(f"  orphan close: {orphan.message}", fg="yellow"))
    if report.orphans:
        click.echo(
            "  `tearsheet opening` states what was held before; with --from-reported it takes the broker's results, "
            "where the file has them"
        )
    _echo_tie_out(report)
    for rejection in report.rejections[:_MAX_LINES]:
        click.echo(format_rejection(rejection))
    if len(report.rejections) > _MAX_LINES:
        click.echo("  … run `tearsheet rejections` to see all")


def _echo_tie_out(report: ImportReport) -> None:
    """Print what the comparison of a file with the ledger comes to."""
    found = report.tie_out
    if found is None:
        return
    click.echo(f"  {found.text}" if found.agrees else click.style(f"  {found.text}", fg="yellow"))
    if found.agrees:
        return
    told = [one for one in found.differences if one.kind not in ("method", "rounding")]
    for one in told[:_MAX_DIFFERENCES]:
        click.echo(
            f"    {one.session} {one.account} {one.symbol or ''} {one.what}: theirs {to_plain_string(one.theirs)}, "
            f"ours {to_plain_string(one.ours)} ({one.kind})"
        )
    for description in found.fills[:_MAX_DIFFERENCES]:
        click.echo(f"    {description}")
    if len(told) + len(found.fills) > _MAX_DIFFERENCES:
        click.echo("    … `tearsheet reconcile` shows them all")
    if found.contradicts:
        click.echo(
            click.style("  the days it is about are partial", fg="yellow")
            + f" until they agree, or `tearsheet sources accept 'import {report.id}' --by NAME`"
        )


@click.command(short_help="Rebuild positions from stored fills and compare every row.")
@click.option(
    "--repair", "repairs", is_flag=True, help="Rebuild the books; save what a damaged file still has."
)
@click.option("--by", metavar="NAME", envvar="USER", help="Who repairs it; recorded.")
def verify(repairs: bool, by: str | None) -> int:
    """Rebuild the books from the stored facts and compare them row by row with the ledger.

    --repair rebuilds the books in the ledger itself. A file that is damaged or empty is moved aside, and a new one
    is made of the rows that can be read; logs are read from their files again.
    """
    if repairs:
        _repair(by)
    with open_tracker() as tracker:
        tracker.sync()
        report = tracker.verify(lambda words: click.echo(f"  {words} …", err=True))
    for difference in report.differences:
        click.echo(f"DIFFERS  {difference}")
    counts = ", ".join(f"{number:,} {name}" for name, number in report.rows.items())
    verdict = "agrees" if report.matches else f"{len(report.differences)} differences"
    click.echo(f"{verdict}: {counts}")
    return EXIT_OK if report.matches else EXIT_BAD_DATA


def _repair(by: str | None) -> None:
    from tearsheet.app.verification.repair import repair  # deferred: only where something is damaged

    if not by:
        raise UsageError("a repair is recorded with who made it", "give --by NAME")
    settings = Settings.load()
    log.configure(settings, verbose=click.get_current_context().find_root().obj or 0)
    report = repair(settings, by, lambda words: click.echo(f"  {words} …", err=True))
    if report.kept_as is None:
        click.echo("The books were rebuilt from the facts.")
        return
    click.echo(f"The damaged file is kept as {report.kept_as}; {report.rows:,} rows of it were saved.")
    if report.lost:
        click.echo(
            f"Not all could be read of: {', '.join(report.lost)}. Logs are read from their files; import statements again."
        )


COMMANDS = {"import": import_, "verify": verify}
