"""The commands that judge: summary, check, alerts; and sync, which they begin with."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from tearsheet.app.judgement import Judge, Judged
from tearsheet.cli import EXIT_BAD_DATA, EXIT_BREACH, EXIT_OK, EXIT_UNAVAILABLE
from tearsheet.cli.options import (
    base_option,
    open_tracker,
    scope,
    scope_options,
    window_from_options,
    window_options,
)
from tearsheet.cli.tables import feeds_lines, format_alert, format_summary, format_unknown_limits, progress
from tearsheet.errors import NotFoundError, SettingsError, UsageError
from tearsheet.export.files import ExportedFile, export_summary, json_bytes, summary_json
from tearsheet.export.pdf import find_chromium, print_pdf
from tearsheet.performance.summary import PartialReason, PerformanceSummary, Scope, SummaryState
from tearsheet.rules import AlertEvent
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import DAY, Window, WindowKind

#: How far back the last traded window is looked for: over a week without trading.
_LOOK_BACK = 14 * DAY
#: How long a command waits for another writer before it reads the logs.
_PATIENCE_S = 30.0
#: Exit code by the state of a summary.
_EXIT_CODES: dict[SummaryState, int] = {
    "ok": EXIT_OK,
    "breach": EXIT_BREACH,
    "unknown": EXIT_UNAVAILABLE,
    "partial": EXIT_UNAVAILABLE,
}


@click.command()
def sync() -> None:
    """Import new records of the trade logs. Other commands sync by themselves.

    Unchanged files are not opened; appended files are read from the last position.
    """
    with open_tracker() as tracker, progress("Reading trade logs") as on_progress:
        report = tracker.sync(on_progress)
    click.echo(
        f"{report.files} log files: {report.unchanged_files} unchanged, {report.read_files} read, "
        f"{report.records:,} new records, {report.rejected:,} rejected lines, "
        f"revision {report.revision}"
    )
    if report.rebuilt:
        click.echo("Settings changed: all positions and tallies were rebuilt.")
    if report.rejected:
        click.echo("Run `tearsheet rejections` to see the rejected rows.")
    if report.vanished:
        click.echo(
            f"{report.vanished:,} records are gone from their file; `tearsheet sources` says what to do."
        )


@click.command(short_help="Show the results of a day, week, month or any period.")
@window_options
@scope_options
@base_option
@click.option("--export", is_flag=True, help="Write JSON, Markdown and an SVG chart to logs/performance/.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "html", "pdf"]),
    default="json",
    show_default=True,
    help="With --export: html also writes a self-contained tear sheet, pdf prints it, too.",
)
@click.option(
    "--backfill",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="The summaries of the last N days, the present one included; with --window, of the last N weeks, months ….",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON with exact decimals.")
@click.option("--allow-partial", is_flag=True, help="Exit 0 although something may be missing.")
def summary(
    export: bool, form: str, backfill: int | None, as_json: bool, allow_partial: bool, **values: Any
) -> int:
    """Show results for a day, week, month or any period, compared with your targets.

    Reads new trade-log entries first. Exit code 2 says that a target is missed or a limit
    breached; else 75 that a limit is unknown, or that something may be missing in the window.

    \b
    tearsheet summary                                  today
    tearsheet summary --window weekly --start 2026-11-16
    tearsheet summary --start 2026-11-01 --end 2026-11-15 --account EQ-1
    tearsheet summary --window weekly --last           the last whole week, for a scheduler
    tearsheet summary --rolling 50 --json
    tearsheet summary --backfill 7 --export            files of the last 7 days
    tearsheet summary --backfill 3 --window weekly     the last 3 weeks
    tearsheet summary --window monthly --export --format html
    tearsheet summary --window all --export --format pdf
    """
    if form != "json" and not export:
        raise UsageError(f"--format {form} is for files", "say --export too")
    if form == "pdf":
        find_chromium(Settings.load().chromium)  # said before anything is computed
    with open_tracker() as tracker:
        if backfill is None:
            summaries = [
                tracker.get_summary(
                    window_from_options(tracker, values),
                    scope=scope(values),
                    currency=values["currency"],
                    base=values["base"],
                )
            ]
        else:
            summaries = tracker.backfill(
                backfill,
                kind=_backfill_kind(values),
                scope=scope(values),
                currency=values["currency"],
                base=values["base"],
            )
        evaluation = _Evaluation(tracker, values["account"], allow_partial=allow_partial)
        _report(tracker, evaluation, summaries, form if export else "", as_json)
        return evaluation.exit_code


def _backfill_kind(values: dict[str, Any]) -> WindowKind:
    """Return the kind of the windows of --backfill. Raises UsageError for options that exclude it."""
    for name in ("start", "end", "rolling"):
        if values[name] is not None:
            raise UsageError(
                f"--backfill counts back from today, so --{name} has no meaning", "leave one out"
            )
    kind: WindowKind = values["kind"]
    if kind == "all":
        raise UsageError("--backfill needs windows that follow each other", "choose daily, weekly or longer")
    return kind


@click.command(short_help="Check targets and limits; print only problems.")
@window_options
@scope_options
@base_option
@click.option("--allow-partial", is_flag=True, help="Exit 0 although something may be missing.")
def check(allow_partial: bool, **values: Any) -> int:
    """Judge targets and limits and raise alerts, printing only what is wrong; for a scheduler.

    Exit code 2 says that a target is missed, a rolling rule broken or a limit breached; else 75 that a
    limit is unknown, or that something may be missing in the window. Targets that are due at the end of a
    window are judged for the last traded one before the present window. Exit code 65 says that nothing is broken, but
    that an alert could not be delivered by the settings, or tokens could not be read.
    """
    with open_tracker() as tracker:
        evaluation = _Evaluation(tracker, values["account"], allow_partial=allow_partial)
        window, wanted = window_from_options(tracker, values), scope(values)
        summary_ = tracker.get_summary(window, scope=wanted, currency=values["currency"], base=values["base"])
        if summary_.is_empty:
            _check_filter(tracker, wanted, values["currency"])
        alerts = list(evaluation.add(summary_).alerts)
        if window.start <= tracker.today < window.end and window.last_trades is None:
            alerts += evaluation.add_due(window, wanted, values["currency"], values["base"])
        for alert in dict.fromkeys(alerts):
            click.echo(format_alert(alert, tracker.settings.calendar.timezone))
        for line in evaluation.uncertainties():
            click.echo(line)
        if evaluation.exit_code != EXIT_OK:
            for line in evaluation.heard():
                click.echo(f"  {line}")
        problems = _settings_problems(tracker.settings)
        for problem in problems:
            click.echo(f"  SETTINGS     {problem.message}: {problem.hint}")
        code = evaluation.exit_code
        return EXIT_BAD_DATA if problems and code != EXIT_BREACH else code


def _settings_problems(settings: Settings) -> list[SettingsError]:
    """Return what the service would need besides the ledger and cannot use: the webhook's secret, the tokens."""
    found: list[SettingsError] = []
    if settings.webhook_url is not None:
        from tearsheet.app.alerts.webhook import webhook_problem  # an HTTP client, 30 ms

        found += filter(None, [webhook_problem(settings)])
    if settings.tokens_file.exists():
        from tearsheet.web.http.auth import Tokens  # Flask, 150 ms

        try:
            Tokens(settings.tokens_file).all()
        except SettingsError as error:
            found.append(error)
    return found


def _check_filter(tracker: PerformanceTracker, wanted: Scope, currency: str | None) -> None:
    """Raise NotFoundError for a filter that nothing ever matched: a misspelled one would be healthy for ever."""
    if not wanted.needs_row_filter or tracker.open_positions(wanted):
        return
    ever = tracker.get_summary("all", scope=wanted, currency=currency)
    if ever.is_empty:
        raise NotFoundError(
            f"nothing was ever traded in {wanted.label}", "`tearsheet positions` lists symbols and strategies"
        )


class _Evaluation:
    """Judges summaries, raises their alerts, and determines the exit code."""

    def __init__(self, tracker: PerformanceTracker, account: str | None, *, allow_partial: bool) -> None:
        self._tracker = tracker
        self._judge = Judge(tracker, account, tracker.refresh(_PATIENCE_S))
        self._states: set[SummaryState | None] = set()
        self._partial: dict[PartialReason, None] = {}
        if allow_partial:
            self._exit_codes = {**_EXIT_CODES, "partial": EXIT_OK}
        else:
            self._exit_codes = _EXIT_CODES

    def add(self, summary: PerformanceSummary) -> Judged:
        """Judge a summary and raise its alerts."""
        judged = self._judge.judge(summary, save=True)
        summary = judged.summary
        self._states.add(summary.state)
        self._partial |= dict.fromkeys(summary.partial_reasons)
        return judged

    def heard(self) -> list[str]:
        """Return what each source said last."""
        return feeds_lines(self._judge.feeds, self._tracker.settings.calendar.timezone)

    def add_due(
        self, window: Window, wanted: Scope, currency: str | None, base: str | None
    ) -> list[AlertEvent]:
        """Judge what was due at the end of the last traded window before this one; return its open alerts."""
        if window.kind in ("all", "custom"):
            return []
        tracker = self._tracker
        recent = Window.between(window.start - _LOOK_BACK, window.start - DAY)
        days = tracker.get_summary(recent, scope=wanted, currency=currency, base=base, sync=False).days
        if not days:
            return []
        last = Window.containing(window.kind, days[-1].session)
        summary = tracker.get_summary(last, scope=wanted, currency=currency, base=base, sync=False)
        due = self._judge.judge_due(summary)
        self._states.add("breach" if due.missed else None)
        return list(due.alerts)

    def uncertainties(self) -> Iterator[str]:
        """Yield a line for each reason for incomplete data and each unknown limit status."""
        for reason in self._partial:
            yield f"  PARTIAL      {reason.code}: {reason.detail}"
        yield from format_unknown_limits(self._judge.limits)

    @property
    def exit_code(self) -> int:
        """Return 2 for a missed target or breached limit, else 75 if anything is uncertain, else 0."""
        codes = {self._exit_codes[state] for state in self._states if state}
        return next((code for code in (EXIT_BREACH, EXIT_UNAVAILABLE) if code in codes), EXIT_OK)


@click.group(invoke_without_command=True)
@click.option("--open", "only_open", is_flag=True, help="Only open alerts.")
@click.option("-n", "most", default=50, show_default=True, help="Number of alerts to show, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def alerts(ctx: click.Context, only_open: bool, most: int, as_json: bool) -> None:
    """List alerts and their status."""
    if ctx.invoked_subcommand is not None:
        return
    with open_tracker() as tracker:
        found = tracker.alerts.newest(most, only_open=only_open)
        if as_json:
            click.echo(json_bytes(found).decode(), nl=False)
            return
        for alert in found:
            click.echo(format_alert(alert, tracker.settings.calendar.timezone))
        if not found:
            click.echo("No alerts.")


@alerts.command()
@click.argument("identity", metavar="ID")
@click.option("--by", "actor", envvar="USER", required=True, help="Who acknowledges it.")
@click.option("--note", help="Action taken.")
def ack(identity: str, actor: str, note: str | None) -> None:
    """Acknowledge an alert. It stays open until the target or limit is met again."""
    with open_tracker() as tracker:
        alert = tracker.alerts.acknowledge(identity, actor, note, tracker.now)
        click.echo(format_alert(alert, tracker.settings.calendar.timezone))


@alerts.command()
@click.argument("identity", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(identity: str, as_json: bool) -> None:
    """Show the history of an alert."""
    with open_tracker() as tracker:
        found = tracker.alerts.changes(identity)
        zone = tracker.settings.calendar.timezone
    if as_json:
        click.echo(json_bytes(found).decode(), nl=False)
        return
    for change in found:
        click.echo(format_alert(change, zone))


@alerts.command()
@click.option("--once", is_flag=True, help="Try each pending alert once, then exit.")
def deliver(once: bool) -> int:
    """Send pending alerts to the configured webhook. `tearsheet serve` does this automatically.

    Exit code 75: some alerts were not delivered.
    """
    import time

    from tearsheet.app.alerts.webhook import open_queue

    deliveries = open_queue(Settings.load(), lambda: datetime.now(UTC))
    if deliveries is None:
        raise SettingsError("no webhook is configured", "set TEARSHEET_WEBHOOK_URL")
    while (left := deliveries.deliver_pending()) >= 0 and not once:
        time.sleep(deliveries.retry_delay_s())
    return EXIT_UNAVAILABLE if left else EXIT_OK


def _report(
    tracker: PerformanceTracker,
    evaluation: _Evaluation,
    summaries: Sequence[PerformanceSummary],
    export: str,
    as_json: bool,
) -> None:
    """Judge, print and export summaries."""
    results: list[dict[str, Any]] = []
    for summary in summaries:
        judged = evaluation.add(summary)
        results.append(summary_json(judged.summary, judged.alerts))
        if not as_json:
            click.echo(format_summary(judged.summary, judged.alerts, judged.raised))
        if export:
            _export(tracker, judged.summary, judged.alerts, export, quiet=as_json)
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
    from tearsheet.app.analysis.summary_picture import summary_picture  # drawn only for this

    files = export_summary(summary, alerts, tracker.settings.output_dir, summary_picture(tracker, summary))
    if file_format != "json":
        from tearsheet.web.rendering.tear_sheet import export_tear_sheet  # Jinja, only for this

        files.append(export_tear_sheet(tracker, summary, alerts))
    if file_format == "pdf":
        files.append(_print(tracker.settings, files[-1]))
    for file in files:
        if not quiet:
            click.echo(f"  {'written' if file.changed else 'unchanged'}  {file.path}")


def _print(settings: Settings, page: ExportedFile) -> ExportedFile:
    """Print a tear sheet, unless it is unchanged and printed already."""
    target = page.path.with_suffix(".pdf")
    is_needed = page.changed or not target.exists()
    if is_needed:
        print_pdf(find_chromium(settings.chromium), page.path, target)
    return ExportedFile(target, is_needed)


COMMANDS = {"sync": sync, "summary": summary, "check": check, "alerts": alerts}
