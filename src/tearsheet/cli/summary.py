"""The commands that judge: summary, check, alerts."""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from tearsheet.app.alerts.evaluator import AlertCheck
from tearsheet.cli import EXIT_BREACH, EXIT_OK, EXIT_UNAVAILABLE
from tearsheet.cli.options import open_tracker, scope, scope_options, window_from_options, window_options
from tearsheet.cli.tables import format_alert, format_summary
from tearsheet.errors import SettingsError, UsageError
from tearsheet.export.files import export_summary, json_bytes
from tearsheet.log import log_event
from tearsheet.performance.summary import PartialReason, PerformanceSummary
from tearsheet.rules import AlertEvent, Targets, evaluate_targets
from tearsheet.rules.verdict import Verdict
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker

_log = logging.getLogger("tearsheet")
#: Open alerts of limits that a summary lists.
_MOST_ALERTS = 100


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
@click.option("--allow-partial", is_flag=True, help="Exit 0 although something may be missing.")
def summary(
    export: bool, form: str, backfill: int | None, as_json: bool, allow_partial: bool, **values: Any
) -> int:
    """How a day, week, month or any stretch went, beside its targets.

    Reads what is new in the trade logs first. Exit code 2 says that a target is missed or a limit
    breached; else 75 that a limit is unknown, or that something may be missing in the window.

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
        evaluation = _Evaluation(tracker, values["account"], allow_partial=allow_partial)
        _report(tracker, evaluation, summaries, targets, form if export else "", as_json)
        return evaluation.exit_code


@click.command(short_help="Judge targets and limits, print only what is wrong.")
@window_options
@scope_options
@click.option("--allow-partial", is_flag=True, help="Exit 0 although something may be missing.")
def check(allow_partial: bool, **values: Any) -> int:
    """Judge targets and limits and raise alerts, printing only what is wrong; for a scheduler.

    Exit code 2 says that a target is missed, a rolling rule broken or a limit breached; else 75 that a
    limit is unknown, or that something may be missing in the window.
    """
    with open_tracker() as tracker:
        evaluation = _Evaluation(tracker, values["account"], allow_partial=allow_partial)
        summary_ = tracker.get_summary(
            window_from_options(tracker, values), scope=scope(values), currency=values["currency"]
        )
        run = evaluation.add(summary_, tracker.targets())
        for alert in evaluation.open_alerts(summary_, run):
            click.echo(format_alert(alert))
        for line in evaluation.uncertainties():
            click.echo(line)
        return evaluation.exit_code


class _Evaluation:
    """Evaluates targets, limits and completeness of summaries, and determines the exit code."""

    def __init__(self, tracker: PerformanceTracker, account: str | None, *, allow_partial: bool) -> None:
        self._tracker = tracker
        self._account = account
        self._allow_partial = allow_partial
        self._missed = False
        self._partial: dict[PartialReason, None] = {}
        self._verdicts = _limit_verdicts(tracker, account)

    def add(self, summary: PerformanceSummary, targets: Targets) -> AlertCheck:
        """Evaluate a summary and raise its alerts."""
        run = self._tracker.check(summary, targets)
        self._missed = self._missed or run.breached
        self._partial |= dict.fromkeys(summary.partial_reasons)
        if summary.partial:
            window = summary.window
            reasons = [f"{reason.code}: {reason.detail}" for reason in summary.partial_reasons]
            log_event(
                _log,
                "tearsheet.partial",
                level=logging.WARNING,
                window=window.label,
                reasons="; ".join(reasons),
            )
        return run

    def open_alerts(self, summary: PerformanceSummary, run: AlertCheck) -> list[AlertEvent]:
        """Return the open alerts of a summary's targets and, if it includes today, of limits."""
        if summary.window.end < self._tracker.today:
            return [*run.open]
        newest = self._tracker.alerts.newest(_MOST_ALERTS, only_open=True)
        limit_alerts = [one for one in newest if one.kind == "limit" and self._account in (None, one.account)]
        return [*run.open, *limit_alerts]

    def uncertainties(self) -> Iterator[str]:
        """Yield a line for each reason for incomplete data and each unknown limit status."""
        for reason in self._partial:
            yield f"  PARTIAL      {reason.code}: {reason.detail}"
        for one in self._verdicts:
            if one.state == "unknown":
                why = "; ".join(reason.detail for reason in one.reasons) or "see `tearsheet verdict`"
                yield f"  UNKNOWN      limits of {one.account}: {why}"

    @property
    def exit_code(self) -> int:
        """Return 2 for a missed target or breached limit, else 75 if anything is uncertain, else 0."""
        states = {one.state for one in self._verdicts}
        if self._missed or "breach" in states:
            return EXIT_BREACH
        if "unknown" in states or (self._partial and not self._allow_partial):
            return EXIT_UNAVAILABLE
        return EXIT_OK


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


def _limit_verdicts(tracker: PerformanceTracker, account: str | None) -> list[Verdict]:
    """Return the verdicts of the accounts that have limits."""
    if not (tracker.ledger.get("limits") or tracker.settings.targets_file.exists()):
        return []
    from tearsheet.app.limits.verdicts import account_verdicts  # only if there are limits

    verdicts = account_verdicts(tracker).all(tracker.refresh(30.0))
    return [one for one in verdicts if account in (None, one.account)]


def _report(
    tracker: PerformanceTracker,
    evaluation: _Evaluation,
    summaries: Sequence[PerformanceSummary],
    targets: Targets,
    export: str,
    as_json: bool,
) -> None:
    """Evaluate, print and export summaries."""
    results: list[PerformanceSummary] = []
    for summary in summaries:
        run = evaluation.add(summary, targets)
        evaluated = evaluate_targets(summary, targets, tracker.settings.alert_min_sample)
        open_alerts = evaluation.open_alerts(summary, run)
        results.append(evaluated)
        if not as_json:
            click.echo(format_summary(evaluated, open_alerts, run.raised))
        if export:
            _export(tracker, evaluated, open_alerts, export, quiet=as_json)
    if as_json:
        click.echo(json_bytes(results[0] if len(results) == 1 else results).decode(), nl=False)


def _export(
    tracker: PerformanceTracker,
    summary: PerformanceSummary,
    alerts: Sequence[AlertEvent],
    file_format: str,
    *,
    quiet: bool,
) -> None:
    from tearsheet.app.analysis.charts import Charts, selection_of
    from tearsheet.export.svg import summary_svg  # drawn only for this

    days = Charts(tracker).daily_curve(selection_of(summary))
    picture = summary_svg(days, summary.currency) if days else ""
    files = export_summary(summary, alerts, tracker.settings.output_dir, picture)
    if file_format == "html":
        from tearsheet.web.rendering.tear_sheet import export_tear_sheet  # Jinja, only for this

        files.append(export_tear_sheet(tracker, summary, alerts))
    for file in files:
        if not quiet:
            click.echo(f"  {'written' if file.changed else 'unchanged'}  {file.path}")


COMMANDS = {"summary": summary, "check": check, "alerts": alerts}
