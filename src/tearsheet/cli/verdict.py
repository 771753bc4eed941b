"""The commands of limits: verdict, release."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import click

from tearsheet.app.limits.verdicts import verdicts_of
from tearsheet.cli.options import open_tracker
from tearsheet.cli.tables import columns
from tearsheet.errors import UsageError
from tearsheet.export.files import json_bytes
from tearsheet.rules.limit import LIMITS
from tearsheet.rules.verdict import LimitView, Verdict, worst_state
from tearsheet.trade.amount import ZERO, parse_amount
from tearsheet.words import format_number

_COLOURS = {"ok": "green", "warn": "yellow", "breach": "red", "unknown": "magenta"}


class Amount(click.ParamType[Decimal]):
    """An exact amount not below 0."""

    name = "AMOUNT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """The amount that a text states."""
        try:
            return value if isinstance(value, Decimal) else parse_amount(value)
        except ValueError:
            self.fail(f"{value!r} is no amount; write it like 250 or 0.5", param, ctx)


@click.command(short_help="May this account go on trading?")
@click.option("-a", "--account", help="Only this account; without it, all that have limits.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with exact digits.")
def verdict(account: str | None, as_json: bool) -> int:
    """Judge accounts by their limits, as they stand now.

    Exit code 0 says ok or warn, 2 that a limit is breached, 75 that nobody can say; see
    docs/limits.md.
    """
    from tearsheet.cli import EXIT_BREACH, EXIT_OK, EXIT_UNAVAILABLE

    with open_tracker() as tracker:
        stale = tracker.refresh(30.0)
        verdicts = verdicts_of(tracker)
        found = verdicts.all(stale) if account is None else [verdicts.of(account, stale)]
    if as_json:
        shown = found if account is None else found[0]
        click.echo(json_bytes(shown).decode(), nl=False)
    else:
        click.echo("\n".join(map(format_verdict, found)) or "No account has limits.")
    codes = {"ok": EXIT_OK, "warn": EXIT_OK, "breach": EXIT_BREACH, "unknown": EXIT_UNAVAILABLE}
    return codes[worst_state(found)]


@click.command(short_help="Lift a breach.")
@click.argument("account")
@click.argument("limit", type=click.Choice(list(LIMITS)), metavar="LIMIT")
@click.option("--by", "actor", envvar="USER", required=True, help="Who lifts it.")
@click.option("--reason", required=True, help="Why.")
@click.option(
    "--allow",
    "allowance",
    type=Amount(),
    default=ZERO,
    help="By how much the value may still worsen before the limit breaks again.  [default: 0]",
)
def release(account: str, limit: str, actor: str, reason: str, allowance: Decimal) -> None:
    """Lift the breach that LIMIT of ACCOUNT has now; who and why is kept for ever."""
    if not reason.strip():
        raise UsageError("a release needs a reason", 'say it with --reason "…"')
    with open_tracker() as tracker:
        tracker.refresh(30.0)
        record, _ = verdicts_of(tracker).release(account, limit, actor, reason, allowance)
    assert record.release is not None
    click.echo(
        f"{limit} of {account} is released by {record.release.actor}; "
        f"it breaks again beyond {format_number(record.release.upto)}"
    )


def format_verdict(found: Verdict) -> str:
    """A verdict as a person reads it."""
    state = click.style(found.state.upper(), fg=_COLOURS[found.state], bold=True)
    flat = click.style(" · must be flat", fg="red", bold=True) if found.must_be_flat else ""
    title = click.style(f"{found.account} · {found.trading_day} · {found.currency}", bold=True)
    lines = [f"{title}  {state}{flat}"]
    if found.limits:
        lines.append(columns(_COLUMNS, [_row(view) for view in found.limits], "llrrrll"))
    lines += _reasons(found)
    return "\n".join([*lines, ""])


_COLUMNS = ("  limit", "state", "value", "of", "left", "resets at (UTC)", "")


def _row(view: LimitView) -> Sequence[str]:
    value, threshold, left = (
        "—" if one is None else format_number(one) for one in (view.value, view.threshold, view.headroom)
    )
    resets = f"{view.resets_at:%Y-%m-%d %H:%M}" if view.resets_at else "when released"
    return (f"  {view.name}", view.level, value, threshold, left, resets, view.note or "")


def _reasons(found: Verdict) -> list[str]:
    shown = (f"{r.limit}: {r.detail}" if r.limit else r.detail for r in found.reasons)
    return [f"  {r.code}: {words}" for r, words in zip(found.reasons, shown, strict=True)]


COMMANDS = {"verdict": verdict, "release": release}
