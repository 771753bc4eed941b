"""The command that holds limits against one's own history: replay."""

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from tearsheet.app.limits.replay import limits_of, replay_history
from tearsheet.cli.options import DateType, open_tracker
from tearsheet.cli.tables import columns
from tearsheet.export.files import json_bytes, write_file
from tearsheet.export.svg import replay_svg
from tearsheet.rules.replay import Replay, Stop
from tearsheet.words import format_money, format_number


@click.command(short_help="When would my limits have stopped me?")
@click.option(
    "--limits",
    "limits_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file with `limits:`; without it, the targets file.",
)
@click.option("--start", type=DateType(), help="First day; without it, the first that was traded.")
@click.option("--end", type=DateType(), help="Last day, included; without it, today.")
@click.option("-a", "--account", help="Only this account.")
@click.option("--currency", metavar="CODE", help="Which money, where there are several.")
@click.option(
    "--picture", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Draw it as SVG, too."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON with exact digits.")
def replay(
    limits_file: Path | None,
    start: date | None,
    end: date | None,
    account: str | None,
    currency: str | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Hold limits against your own history, fill by fill: when would you have been stopped, and
    what would that have saved or cost?

    What was traded between a stop and its reset is left out, with what became of positions that
    were open at the stop; docs/limits.md says how.

    \b
    tearsheet replay                                   the limits you have
    tearsheet replay --limits stricter.yaml --start 2026-01-01 --picture replay.svg
    """
    with open_tracker() as tracker:
        found = replay_history(
            tracker, limits_of(tracker, limits_file), start=start, end=end, account=account, currency=currency
        )
        zone = tracker.settings.calendar.timezone
    if picture is not None:
        write_file(picture, replay_svg(found).encode())
    if as_json:
        click.echo(json_bytes(found).decode(), nl=False)
        return
    for one in found:
        click.echo(format_replay(one, zone))
    if not found:
        click.echo("No trades yet.")
    elif picture is not None:
        click.echo(f"  written  {picture}")


def format_replay(found: Replay, zone: ZoneInfo) -> str:
    """A replay as a person reads it: each stop by the clock of the trading day, and the sum."""
    title = f"{found.account} · {found.start} to {found.end} · {found.currency}"
    lines = [click.style(title, bold=True)]
    if found.stops:
        lines.append(columns(_COLUMNS, [_row(stop, zone) for stop in found.stops], "lllrrrrrl"))
    else:
        lines.append("  never stopped")
    verb, colour = ("saved", "green") if found.saved >= 0 else ("cost", "red")
    saved = click.style(f"{verb} {format_money(abs(found.saved))}", fg=colour, bold=True)
    lines.append(
        f"  as it was {format_money(found.net)}, as stopped {format_money(found.net_as_stopped)}: {saved}"
    )
    lines += [f"  note: {note}" for note in found.notes]
    return "\n".join([*lines, ""])


_COLUMNS = ("stopped at", "limit", "until", "value", "of", "day's result", "rest", "saved", "left open")
_TIME = "%Y-%m-%d %H:%M:%S"


def _row(stop: Stop, zone: ZoneInfo) -> tuple[str, ...]:
    limits = " + ".join((stop.limit, *stop.beside))
    until = stop.until.astimezone(zone).strftime(_TIME) if stop.until else "released"
    return (
        stop.at.astimezone(zone).strftime(_TIME),
        limits,
        until,
        format_number(stop.value),
        format_number(stop.threshold),
        format_money(stop.day_net),
        format_money(stop.rest),
        format_money(stop.saved),
        ", ".join(stop.open_at_stop),
    )


COMMANDS = {"replay": replay}
