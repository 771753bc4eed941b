"""The command for what is left to pass and what is nearest to break: status."""

from zoneinfo import ZoneInfo

import click

from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.cli.limits import EXIT_CODES_BY_STATE, STATE_COLORS
from tearsheet.cli.options import open_tracker
from tearsheet.cli.tables import columns
from tearsheet.export.files import json_bytes
from tearsheet.rules.limit import format_usage, limit_label
from tearsheet.rules.objective import ObjectiveView
from tearsheet.rules.status import AccountStatus, LimitDetail
from tearsheet.words import format_number

_OBJECTIVE_COLUMNS = ("  objective", "state", "value", "of", "missing", "")


@click.command(short_help="What is left to pass, and what is nearest to break?")
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with exact decimals.")
def status(account: str, as_json: bool) -> int:
    """Show every rule of ACCOUNT with its numbers and how they came: limits, objectives, preset.

    Exit codes are those of `tearsheet verdict`.
    """
    with open_tracker() as tracker:
        stale = tracker.refresh(30.0)
        found = account_verdicts(tracker).status(account, stale)
        zone = tracker.settings.calendar.timezone
    if as_json:
        click.echo(json_bytes(found).decode(), nl=False)
    else:
        click.echo(format_status(found, zone))
    return EXIT_CODES_BY_STATE[found.state]


def format_status(status: AccountStatus, zone: ZoneInfo) -> str:
    """Format what is left to pass, what is nearest to break, and every rule with its numbers."""
    state = click.style(status.state.upper(), fg=STATE_COLORS[status.state], bold=True)
    flat = click.style(" · must be flat", fg="red", bold=True) if status.must_be_flat else ""
    title = click.style(f"{status.account} · {status.trading_day} · {status.currency}", bold=True)
    lines = [f"{title}  {state}{flat}"]
    if status.balance is not None:
        equity = "unknown" if status.equity is None else format_number(status.equity)
        lines.append(f"  balance {format_number(status.balance)}, equity {equity}")
    if status.preset is not None:
        lines += [f"  preset {status.preset.label}", *(f"    {one}" for one in status.cautions)]
    if status.nearest is not None:
        lines.append(f"  nearest to break: {limit_label(status.nearest)}")
    if status.objectives:
        left = ", ".join(map(limit_label, status.left)) or "nothing"
        lines.append(f"  left to pass: {left}")
        lines.append(
            columns(_OBJECTIVE_COLUMNS, [_objective_row(one) for one in status.objectives], "llrrrl")
        )
    for one in status.limits:
        lines += _limit_lines(one, zone)
    lines += [
        f"  {r.code}: {limit_label(r.limit) + ': ' if r.limit else ''}{r.detail}" for r in status.reasons
    ]
    return "\n".join([*lines, ""])


def _limit_lines(one: LimitDetail, zone: ZoneInfo) -> list[str]:
    view = one.view
    numbers = ", ".join(
        f"{name} {format_usage(view.name, value)}"
        for name, value in (
            ("value", view.value),
            ("of", view.threshold),
            ("left", view.headroom),
            ("floor", view.floor),
        )
        if value is not None
    )
    resets = f"until {view.resets_at.astimezone(zone):%Y-%m-%d %H:%M}" if view.resets_at else "until released"
    head = f"  {view.name}: {view.level}, {numbers}{' ' if numbers else ''}({resets})"
    return [head, *(f"    {step}" for step in one.how), *([f"    {view.note}"] if view.note else [])]


def _objective_row(one: ObjectiveView) -> tuple[str, ...]:
    value, of, missing = (
        "" if part is None else format_number(part) for part in (one.value, one.threshold, one.missing)
    )
    more = [one.reason or ""]
    if one.best is not None:
        more.append(f"best {format_number(one.best)}")
    if one.profit_needed is not None:
        more.append(f"profit needed {format_number(one.profit_needed)}")
    return (f"  {one.name}", one.state, value, of, missing, ", ".join(filter(None, more)))


COMMANDS = {"status": status}
