"""The command for the rules of firms that can be chosen: presets."""

from datetime import UTC, datetime

import click

from tearsheet.app.limits.preset_list import PresetView, preset_list
from tearsheet.cli.tables import columns
from tearsheet.export.files import json_bytes


@click.command(short_help="The rules of firms that can be chosen.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON with exact decimals.")
def presets(name: str | None, as_json: bool) -> None:
    """List the presets of firms, or show all numbers of NAME, such as topstep/combine-50k or a firm.

    A preset is chosen under `limits:` of the targets file with `preset: NAME@VERSION`; docs/presets.md says how.
    """
    found = preset_list(name, datetime.now(UTC).date())
    if as_json:
        click.echo(json_bytes(found).decode(), nl=False)
    elif name is None:
        rows = [_preset_row(one) for one in found]
        click.echo(columns(("preset", "read on", "age", "rests on"), rows, "lrrl"))
    else:
        click.echo("\n".join(format_preset(one) for one in found))


def _preset_row(one: PresetView) -> tuple[str, ...]:
    use = one.use
    age = "" if one.age_days is None else f"{one.age_days} days"
    return (use.label, use.read_on.isoformat() if use.read_on else "unknown", age, use.confidence)


def format_preset(one: PresetView) -> str:
    """Format a preset with all its numbers and what it rests on."""
    use = one.use
    lines = [click.style(use.label, bold=True)]
    lines += [f"  {limit}: {rule}" for limit, rule in one.limits.items()]
    lines += [f"  objective {name}: {rule}" for name, rule in one.objectives.items()]
    if use.calendar is not None:
        lines.append(f"  day begins at {use.calendar.day_starts_at} in {use.calendar.timezone}")
    if use.sizes:
        lines.append(f"  account sizes {', '.join(f'{size:,}' for size in use.sizes)}")
    lines += [f"  source {page}" for page in use.source]
    lines.append(f"  read on {use.read_on or 'an unknown day'}, confidence {use.confidence}")
    if use.valid_from or use.valid_to:
        lines.append(f"  valid from {use.valid_from or 'ever'} to {use.valid_to or 'now'}")
    lines += [f"  {note}" for note in (use.note, *one.cautions) if note]
    return "\n".join([*lines, ""])


COMMANDS = {"presets": presets}
