"""The demo command: import a sample and show results, alerts, limits and exports."""

import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from tearsheet import log
from tearsheet.app.analysis.balances import account_list
from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.app.judgement import Judge
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.cli.limits import format_verdict
from tearsheet.cli.serve import serve_local
from tearsheet.cli.tables import format_alert, format_rejection, format_summary
from tearsheet.errors import UsageError
from tearsheet.export.files import export_summary
from tearsheet.performance.summary import Scope
from tearsheet.sample import CurrenciesSample, SampleReport, write_currencies, write_limits, write_sample
from tearsheet.sample.account import FUTURES_ZONE
from tearsheet.sample.currencies import CURRENCIES_ACCOUNT
from tearsheet.settings import Settings
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import DAY, Window

_MARKER_FILE = ".tearsheet-demo"


@click.command(short_help="Create sample data and show the main features.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("tearsheet-demo"))
@click.option("--seed", default=7, show_default=True, help="Random seed of the sample.")
@click.option("--serve", "serves", is_flag=True, help="Open the dashboard on the sample until stopped.")
def demo(folder: Path, seed: int, serves: bool) -> None:
    """Create several months of sample data in FOLDER, import it and show the results.

    Three accounts: futures from NinjaTrader statements, equities from a bot's trade log, and an earlier one in EUR
    and USDT with deposits, funding and a dividend. The data has a losing week, a malformed row, an overnight
    position, a late fill and active limits.
    """
    _prepare_folder(folder)
    settings = Settings.load(_environment(os.environ), folder.resolve())
    # the last complete session, so that no day is missing or in the future
    last_day = settings.calendar.trading_day_of(datetime.now(UTC)) - DAY
    sample = write_sample(folder, until=last_day, seed=seed)
    log.configure(settings)
    click.echo(
        click.style(f"1. Sample data from {sample.first_day} to {sample.last_day} in {folder}/", bold=True)
    )
    with PerformanceTracker(settings) as tracker:
        _import_sample(tracker, sample)
        _show(tracker, sample)
        _show_limits(tracker, sample)
        _export_days(tracker, sample, folder)
        currencies = write_currencies(folder, before=sample.first_day, until=last_day)
        _show_currencies(tracker, currencies)
    _print_next_steps(folder, sample)
    if serves:
        click.echo(click.style("\nThe dashboard:", bold=True))
        serve_local(settings)


def _environment(env: os._Environ[str]) -> dict[str, str]:
    """Return the settings of the sample; only the log level comes from the environment."""
    return {
        "PERFORMANCE_SUMMARY_TIMEZONE": FUTURES_ZONE,
        "TEARSHEET_DAY_STARTS_AT": "17:00",
        "TEARSHEET_STARTING_BALANCE": "25000",
        "TEARSHEET_LOG_LEVEL": env.get("TEARSHEET_LOG_LEVEL", "ERROR"),
    }


def _prepare_folder(folder: Path) -> None:
    """Create the folder, or empty it if an earlier demo made it. Raises UsageError for any other content."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARKER_FILE).exists():
            raise UsageError(
                f"{folder} is not empty and was not made by `tearsheet demo`", "choose another folder"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARKER_FILE).write_text("made by `tearsheet demo`; safe to delete\n", "utf-8")
    (folder / "tearsheet.env").write_text(
        "".join(f"export {key}={value}\n" for key, value in _environment(os.environ).items()), "utf-8"
    )


def _import_sample(tracker: PerformanceTracker, sample: SampleReport) -> None:
    report = tracker.sync()
    click.echo(
        f"   trade log of EQ-1: {report.files} files, {report.records:,} records, "
        f"{report.rejected} rejected line, kept and shown:"
    )
    for rejection in tracker.rejections(1):
        click.echo(format_rejection(rejection))
    for path in sample.statements:
        zone = ZoneInfo(FUTURES_ZONE)
        imported = tracker.import_file(path, timezone=zone)
        click.echo(f"   {path.name}: {imported.new:,} new fills, {imported.known:,} known")
        if path == sample.statements[0]:
            _print_late_day(tracker, sample, "without one fill of")
    _print_late_day(tracker, sample, "with the late fill of")


def _print_late_day(tracker: PerformanceTracker, sample: SampleReport, label: str) -> None:
    window = Window.containing("daily", sample.late_fill_day)
    summary = tracker.get_summary(window, scope=Scope(account="FUT-1"))
    net, trades = summary.value("net_pnl"), summary.value("total_trades")
    click.echo(f"     FUT-1 {label} {sample.late_fill_day}: net {net}, {trades} trades closed")


def _show(tracker: PerformanceTracker, sample: SampleReport) -> None:
    judge = Judge(tracker)
    click.echo(click.style("\n2. Last week, both accounts, compared with the targets", bold=True))
    week = judge.judge(tracker.get_summary(Window.containing("weekly", sample.last_day)), save=True)
    click.echo(format_summary(week.summary, week.alerts, week.raised))
    click.echo(click.style("3. Alerts in the losing week", bold=True))
    losing = tracker.get_summary(Window.containing("weekly", sample.losing_week))
    for alert in judge.judge(losing, save=True).raised:
        click.echo(format_alert(alert, tracker.settings.calendar.timezone, new=True))
    click.echo(click.style("\n4. Fills behind a number: net_pnl of FUT-1 on the last day", bold=True))
    day = Window.containing("daily", sample.last_day)
    behind = tracker.explain("net_pnl", day, scope=Scope(account="FUT-1"))
    click.echo(
        f"   {len(behind.bookings)} bookings add up to {behind.total}; the summary shows {behind.value.value}"
    )
    check = tracker.verify()
    rows = ", ".join(f"{number:,} {name}" for name, number in check.rows.items())
    verdict = "agrees" if check.matches else "DIFFERS"
    click.echo(f"   rebuilt from the stored fills and compared row by row ({rows}): {verdict}")


def _show_limits(tracker: PerformanceTracker, sample: SampleReport) -> None:
    write_limits(sample)
    zone = tracker.settings.calendar.timezone
    click.echo(click.style("\n5. Limit status", bold=True))
    click.echo("\n".join(format_verdict(one, zone) for one in account_verdicts(tracker).all()).rstrip())


def _export_days(tracker: PerformanceTracker, sample: SampleReport, folder: Path) -> None:
    click.echo(click.style("\n6. Files", bold=True))
    judge = Judge(tracker)
    for kind, day in (("daily", sample.last_day), ("weekly", sample.last_day), ("monthly", sample.last_day)):
        summary = tracker.get_summary(Window.containing(kind, day))  # type: ignore[arg-type]
        judged = judge.judge(summary, save=True)
        for file in export_summary(judged.summary, judged.alerts, tracker.settings.output_dir):
            click.echo(f"   {file.path.relative_to(folder.resolve())}")


def _show_currencies(tracker: PerformanceTracker, sample: CurrenciesSample) -> None:
    click.echo(click.style("\n7. An account in EUR and USDT, with money beside its trading", bold=True))
    AccountsEditor(tracker).set_file(sample.accounts, "demo")
    for path in (sample.fills, sample.cash):
        tracker.import_file(path)
    balances = next(one.balance for one in account_list(tracker) if one.account == CURRENCIES_ACCOUNT)
    for currency, stated in sample.closing.items():
        word = "agrees with" if balances[currency] == stated else "DIFFERS from"
        click.echo(f"   {CURRENCIES_ACCOUNT}: {balances[currency]} {currency} {word} its broker's {stated}")


def _print_next_steps(folder: Path, sample: SampleReport) -> None:
    click.echo(click.style("\nTry these commands:", bold=True))
    if sys.prefix != sys.base_prefix:
        click.echo(f"   . {sys.prefix}/bin/activate")
    click.echo(f"   cd {folder} && . ./tearsheet.env")
    for command in (
        f"summary --window weekly --start {sample.losing_week}   # the losing week",
        "summary --window monthly --account FUT-1",
        f"explain net_pnl --window daily --start {sample.late_fill_day} --account FUT-1",
        "positions --open",
        "verdict",
        "accounts list",
        "replay        # the same limits applied to earlier months",
        "alerts",
        "rejections",
        "verify",
    ):
        click.echo(f"   tearsheet {command}")


COMMANDS = {"demo": demo}
