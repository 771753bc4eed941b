"""The commands that judge: summary, check, alerts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from tearsheet.cli import EXIT_BREACH, EXIT_OK, EXIT_UNAVAILABLE
from tearsheet.cli.options import open_tracker, scope, scope_options, window_from_options, window_options
from tearsheet.cli.tables import format_alert, format_summary
from tearsheet.errors import SettingsError, UsageError
from tearsheet.export.files import export_summary, json_bytes
from tearsheet.performance.summary import PerformanceSummary
from tearsheet.rules import AlertEvent, Targets, evaluate_targets
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker


@click.command(short_help="How a day, week, month or any stretch went.")
@window_options
@scope_options
@click.option("--export", is_flag=True, help="Write JSON, Markdown and a chart (SVG) to logs/performance/.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "html"]),
    default="json",
    show_default=True,
    help="With --export: html writes a tear sheet of one file beside the JSON and Markdown.",
)
@click.option(
    "--backfill",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="The daily summaries of the last N days, today included.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON with exact digits.")
def summary(export: bool, form: str, backfill: int | None, as_json: bool, **values: Any) -> int:
    """How a day, week, month or any stretch went, beside its targets.

    Reads what is new in the trade logs first. Exit code 2 says that a target is missed.

    \b
    tearsheet summary                                  today
    tearsheet summary --window weekly --start 2026-11-16
    tearsheet summary --start 2026-11-01 --end 2026-11-15 --account EQ-1
    tearsheet summary --rolling 50 --json
    tearsheet summary --backfill 7 --export            files of the last 7 days
    tearsheet summary --window monthly --export --format html
    """
    if form == "html" and not export:
        raise UsageError("--format html is for files", "say --export too")
    with open_tracker() as tracker:
        targets = tracker.targets()
        if backfill is None:
            summaries = [
                tracker.get_summary(
                    window_from_options(tracker, values), scope=scope(values), currency=values["currency"]
                )
            ]
        else:
            summaries = tracker.backfill(backfill, scope=scope(values), currency=values["currency"])
        return _report(tracker, summaries, targets, form if export else "", as_json)


@click.command(short_help="Judge the targets, print only what is wrong.")
@window_options
@scope_options
def check(**values: Any) -> int:
    """Judge the targets and raise alerts, printing only what is wrong; for a scheduler.

    Exit code 2 says that a target is missed or a rolling rule is broken.
    """
    with open_tracker() as tracker:
        found = tracker.get_summary(
            window_from_options(tracker, values), scope=scope(values), currency=values["currency"]
        )
        run = tracker.check(found, tracker.targets())
        for alert in run.open:
            click.echo(format_alert(alert))
        return EXIT_BREACH if run.breached else EXIT_OK


@click.group(invoke_without_command=True)
@click.option("--open", "only_open", is_flag=True, help="Only those that are not resolved.")
@click.option("-n", "most", default=50, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def alerts(ctx: click.Context, only_open: bool, most: int, as_json: bool) -> None:
    """Alerts that were raised, and what became of them."""
    if ctx.invoked_subcommand is not None:
        return
    with open_tracker() as tracker:
        found = tracker.alerts.newest(most, only_open=only_open)
        if as_json:
            click.echo(json_bytes(found).decode(), nl=False)
            return
        for alert in found:
            click.echo(format_alert(alert))
        if not found:
            click.echo("No alerts.")


@alerts.command()
@click.argument("identity", metavar="ID")
@click.option("--by", "actor", envvar="USER", required=True, help="Who has seen it.")
@click.option("--note", help="What is done about it.")
def ack(identity: str, actor: str, note: str | None) -> None:
    """Say that you have seen an alert; it stays open until the rule is kept again."""
    with open_tracker() as tracker:
        alert = tracker.alerts.acknowledge(identity, actor, note, tracker.now)
        click.echo(format_alert(alert))


@alerts.command()
@click.argument("identity", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(identity: str, as_json: bool) -> None:
    """The life of an alert, from its beginning on."""
    with open_tracker() as tracker:
        found = tracker.alerts.changes(identity)
    if as_json:
        click.echo(json_bytes(found).decode(), nl=False)
        return
    for change in found:
        click.echo(format_alert(change))


@alerts.command()
@click.option("--once", is_flag=True, help="Try what is outstanding once, then stop.")
def deliver(once: bool) -> int:
    """Post alerts to the webhook of the settings; `serve` does that by itself.

    Exit code 75 says that something is still to be delivered.
    """
    import time

    from tearsheet.app.alerts.webhook import open_queue

    deliveries = open_queue(Settings.load(), lambda: datetime.now(UTC))
    if deliveries is None:
        raise SettingsError("no webhook is set", "name one with TEARSHEET_WEBHOOK_URL")
    while (left := deliveries.deliver_pending()) >= 0 and not once:
        time.sleep(deliveries.retry_delay_s())
    return EXIT_UNAVAILABLE if left else EXIT_OK


def _report(
    tracker: PerformanceTracker,
    summaries: Sequence[PerformanceSummary],
    targets: Targets,
    export: str,
    as_json: bool,
) -> int:
    """Judge, show and write summaries; the exit code says whether any misses a target."""
    breached = False
    shown: list[PerformanceSummary] = []
    for found in summaries:
        run = tracker.check(found, targets)
        breached = breached or run.breached
        whole = evaluate_targets(found, targets, tracker.settings.alert_min_sample)
        shown.append(whole)
        if not as_json:
            click.echo(format_summary(whole, run.open, run.raised))
        if export:
            _export(tracker, whole, run.open, export, quiet=as_json)
    if as_json:
        click.echo(json_bytes(shown[0] if len(shown) == 1 else shown).decode(), nl=False)
    return EXIT_BREACH if breached else EXIT_OK


def _export(
    tracker: PerformanceTracker,
    found: PerformanceSummary,
    alerts: Sequence[AlertEvent],
    form: str,
    *,
    quiet: bool,
) -> None:
    from tearsheet.app.analysis.charts import Charts, selection_of
    from tearsheet.export.svg import summary_svg  # drawn only for this

    days = Charts(tracker).daily_curve(selection_of(found))
    picture = summary_svg(days, found.currency) if days else ""
    files = export_summary(found, alerts, tracker.settings.output_dir, picture)
    if form == "html":
        from tearsheet.web.pages.tear_sheet import export_tear_sheet  # Jinja, only for this

        files.append(export_tear_sheet(tracker, found, alerts))
    for file in files:
        if not quiet:
            click.echo(f"  {'written' if file.changed else 'unchanged'}  {file.path}")


COMMANDS = {"summary": summary, "check": check, "alerts": alerts}
