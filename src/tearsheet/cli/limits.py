"""The commands for limits: verdict, release, replay."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from tearsheet.app.limits.replay import load_replay_limits, replay_history
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.cli import EXIT_BREACH, EXIT_OK, EXIT_UNAVAILABLE
from tearsheet.cli.options import DateType, open_tracker
from tearsheet.cli.tables import columns, feeds_lines
from tearsheet.errors import UsageError
from tearsheet.export.files import json_bytes, write_file
from tearsheet.export.svg import replay_svg
from tearsheet.rules.limit import LIMITS, format_usage, limit_label
from tearsheet.rules.replay import Replay, Stop
from tearsheet.rules.verdict import UNLIMITED_REASON, LimitView, Verdict, worst_state
from tearsheet.trade.amount import ZERO, parse_amount
from tearsheet.words import format_money, format_number

STATE_COLORS = {"ok": "green", "warn": "yellow", "breach": "red", "unknown": "magenta"}
EXIT_CODES_BY_STATE = {"ok": EXIT_OK, "warn": EXIT_OK, "breach": EXIT_BREACH, "unknown": EXIT_UNAVAILABLE}
_VERDICT_COLUMNS = ("  limit", "state", "value", "of", "left", "resets at ({zone})", "")
_STOP_COLUMNS = ("stopped at", "limit", "until", "value", "of", "day's result", "rest", "saved", "left open")
_TIME = "%Y-%m-%d %H:%M:%S"


class Amount(click.ParamType[Decimal]):
    """Click type of an exact, non-negative amount."""

    name = "AMOUNT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Parse an amount."""
        try:
            return value if isinstance(value, Decimal) else parse_amount(value)
        except ValueError:
            self.fail(f"{value!r} is not a valid amount; use a number such as 250 or 0.5", param, ctx)


@click.command(short_help="Show the limit status of an account.")
@click.option("-a", "--account", help="One account (default: all accounts with limits).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with exact decimals.")
def verdict(account: str | None, as_json: bool) -> int:
    """Show the current limit status of each account.

    Exit codes: 0 ok or warning · 2 breached · 75 unknown. See docs/limits.md.
    """
    with open_tracker() as tracker:
        stale = tracker.refresh(30.0)
        verdicts = account_verdicts(tracker)
        results = verdicts.all(stale) if account is None else [verdicts.for_account(account, stale)]
        unlimited = verdicts.unlimited_accounts() if account is None else []
        error = verdicts.limits_error
        none = error.detail if error else "No limits are configured."
    if as_json:
        output = results if account is None else results[0]
        click.echo(json_bytes(output).decode(), nl=False)
    else:
        zone = tracker.settings.calendar.timezone
        shown = [format_verdict(one, zone) for one in results]
        click.echo("\n".join(shown) or none)
        for name in unlimited:
            click.echo(f"{name}: {UNLIMITED_REASON}", err=True)
    return EXIT_CODES_BY_STATE[worst_state(results)]


@click.command(short_help="Release a breach.")
@click.argument("account")
@click.argument("limit", type=click.Choice(list(LIMITS)), metavar="LIMIT")
@click.option("--by", "actor", envvar="USER", required=True, help="Who releases the breach.")
@click.option("--reason", required=True, help="Why.")
@click.option(
    "--allow",
    "allowance",
    type=Amount(),
    default=ZERO,
    help="Additional loss (or count) allowed before the limit is breached again.  [default: 0]",
)
def release(account: str, limit: str, actor: str, reason: str, allowance: Decimal) -> None:
    """Release the active breach of LIMIT for ACCOUNT. Your name and reason are recorded permanently."""
    if not reason.strip():
        raise UsageError("a reason is required", 'add --reason "…"')
    with open_tracker() as tracker:
        tracker.refresh(30.0)
        record, _ = account_verdicts(tracker).release(account, limit, actor, reason, allowance)
    assert record.release is not None
    click.echo(
        f"{limit} of {account} is released by {record.release.actor}. "
        f"It will be breached again beyond {format_number(record.release.allowed_value)}."
    )


def format_verdict(verdict: Verdict, zone: ZoneInfo) -> str:
    """Format a verdict with its limits and reasons; times are in the zone of the trading day."""
    state = click.style(verdict.state.upper(), fg=STATE_COLORS[verdict.state], bold=True)
    flat = click.style(" · must be flat", fg="red", bold=True) if verdict.must_be_flat else ""
    title = click.style(f"{verdict.account} · {verdict.trading_day} · {verdict.currency}", bold=True)
    lines = [f"{title}  {state}{flat}"]
    if verdict.limits:
        head = [name.format(zone=zone.key) for name in _VERDICT_COLUMNS]
        lines.append(columns(head, [_limit_row(view, zone) for view in verdict.limits], "llrrrll"))
    if verdict.preset is not None:
        lines.append("; ".join((f"  preset {verdict.preset}", *verdict.preset_cautions)))
    lines += _reasons(verdict)
    lines += [f"  {line}" for line in feeds_lines(verdict.feeds, zone)]
    return "\n".join([*lines, ""])


def _limit_row(view: LimitView, zone: ZoneInfo) -> Sequence[str]:
    value, threshold, remaining = (
        format_usage(view.name, one) for one in (view.value, view.threshold, view.headroom)
    )
    resets = f"{view.resets_at.astimezone(zone):%Y-%m-%d %H:%M}" if view.resets_at else "when released"
    return (f"  {view.name}", view.level, value, threshold, remaining, resets, view.note or "")


def _reasons(verdict: Verdict) -> list[str]:
    details = (f"{limit_label(r.limit)}: {r.detail}" if r.limit else r.detail for r in verdict.reasons)
    return [f"  {r.code}: {detail}" for r, detail in zip(verdict.reasons, details, strict=True)]


@click.command(short_help="Simulate limits on past fills.")
@click.option(
    "--limits",
    "limits_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="YAML file with `limits:` (default: the targets file).",
)
@click.option("--start", type=DateType(), help="First day (default: your first trading day).")
@click.option("--end", type=DateType(), help="Last day, inclusive (default: today).")
@click.option("-a", "--account", help="Filter by account.")
@click.option("--currency", metavar="CODE", help="Currency to report when there are several.")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write an SVG chart to FILE.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON with exact decimals.")
def replay(
    limits_file: Path | None,
    start: date | None,
    end: date | None,
    account: str | None,
    currency: str | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Apply limits to your trading history, fill by fill: when you would have been stopped, and what
    that would have saved or cost.

    Trades between a stop and its reset are excluded, and positions open at the stop are treated as
    closed. See docs/limits.md.

    \b
    tearsheet replay                                   with your current limits
    tearsheet replay --limits stricter.yaml --start 2026-01-01 --picture replay.svg
    """
    with open_tracker() as tracker:
        replays = replay_history(
            tracker,
            load_replay_limits(tracker, limits_file),
            start=start,
            end=end,
            account=account,
            currency=currency,
        )
        zone = tracker.settings.calendar.timezone
    if picture is not None:
        write_file(picture, replay_svg(replays).encode())
    if as_json:
        click.echo(json_bytes(replays).decode(), nl=False)
        return
    for one in replays:
        click.echo(format_replay(one, zone))
    if not replays:
        click.echo("No trades yet.")
    elif picture is not None:
        click.echo(f"  written  {picture}")


def format_replay(replay: Replay, zone: ZoneInfo) -> str:
    """Format a simulation with its stops, in the trading day's time zone, and the totals."""
    title = f"{replay.account} · {replay.start} to {replay.end} · {replay.currency}"
    lines = [click.style(title, bold=True)]
    if replay.stops:
        lines.append(columns(_STOP_COLUMNS, [_stop_row(stop, zone) for stop in replay.stops], "lllrrrrrl"))
    else:
        lines.append("  never stopped")
    verb, color = ("saved", "green") if replay.saved >= 0 else ("cost", "red")
    saved = click.style(f"{verb} {format_money(abs(replay.saved))}", fg=color, bold=True)
    lines.append(
        f"  as it was {format_money(replay.net)}, as stopped {format_money(replay.net_with_limits)}: {saved}"
    )
    lines += [f"  note: {note}" for note in replay.notes]
    return "\n".join([*lines, ""])


def _stop_row(stop: Stop, zone: ZoneInfo) -> tuple[str, ...]:
    limits = " + ".join((stop.limit, *stop.simultaneous_limits))
    until = stop.until.astimezone(zone).strftime(_TIME) if stop.until else "released"
    return (
        stop.at.astimezone(zone).strftime(_TIME),
        limits,
        until,
        format_number(stop.value),
        format_number(stop.threshold),
        format_money(stop.day_net),
        format_money(stop.pnl_after_stop),
        format_money(stop.saved),
        ", ".join(stop.open_at_stop),
    )


COMMANDS = {"verdict": verdict, "release": release, "replay": replay}
