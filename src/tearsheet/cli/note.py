"""The note command: show and edit the note and tags of a position."""

import getpass
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import click

from tearsheet.app.analysis.notes import NoteView, TradeNotes
from tearsheet.cli.options import open_tracker
from tearsheet.cli.tables import strip_control
from tearsheet.errors import UsageError
from tearsheet.export.files import json_bytes
from tearsheet.trade.note import NoteText, NoteVersion, normalize_tag, validate_note

_MAX_ROWS = 1000


@click.command(short_help="Add a note or tags to a trade.")
@click.argument("position", required=False)
@click.argument("text", required=False)
@click.option("--tag", "tags", multiple=True, help="Add a tag (repeatable).")
@click.option("--untag", "untag", multiple=True, help="Remove a tag (repeatable).")
@click.option("--clear", "clear", is_flag=True, help="Delete the text and tags. The history is kept.")
@click.option("--orphaned", is_flag=True, help="List notes that are not attached to a trade.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def note(
    position: str | None,
    text: str | None,
    tags: tuple[str, ...],
    untag: tuple[str, ...],
    clear: bool,
    orphaned: bool,
    as_json: bool,
) -> None:
    """Set the note of a trade to TEXT, or show the current note.

    \b
    tearsheet note 0123456789abcdef                       show the note and its history
    tearsheet note 0123456789abcdef "chased it" --tag fomo
    tearsheet note 0123456789abcdef --untag fomo          removes a tag, keeps the text

    POSITION is a trade ID from `tearsheet positions`.
    """
    if orphaned is (position is not None):
        raise UsageError(
            "a trade ID is required", "pass a trade ID, or use --orphaned to list unattached notes"
        )
    change = _edit(text, tags, untag, clear=clear)
    with open_tracker() as tracker:
        tracker.sync()
        notes, zone = TradeNotes(tracker), tracker.settings.calendar.timezone
        if position is None:
            _print(notes.unattached(_MAX_ROWS), [], zone, as_json=as_json)
            return
        if change is not None:
            notes.modify(position, change, getpass.getuser())
        views = notes.for_trade(position)
        _print(views, notes.versions(views[0].id), zone, as_json=as_json)


def _edit(
    text: str | None, tags: Sequence[str], untag: Sequence[str], *, clear: bool
) -> Callable[[NoteText], NoteText] | None:
    """Return the function that edits a note, or None if it is only shown. Raises UsageError."""
    if clear and (text is not None or tags or untag):
        raise UsageError(
            "--clear cannot be combined with text or tags", "remove the text and tags from the command"
        )
    if clear:
        return lambda before: NoteText()
    if text is None and not tags and not untag:
        return None
    removed = {normalize_tag(tag) for tag in untag}

    def change(before: NoteText) -> NoteText:
        remaining = [tag for tag in before.tags if tag not in removed]
        return validate_note(before.text if text is None else text, [*remaining, *tags])

    return change


def _print(
    notes: Sequence[NoteView], versions: Sequence[NoteVersion], zone: ZoneInfo, *, as_json: bool
) -> None:
    if as_json:
        click.echo(json_bytes({"notes": notes, "versions": versions}).decode(), nl=False)
        return
    non_empty = [one for one in notes if one.text or one.tags]
    click.echo("\n\n".join(_format_note(one, zone) for one in non_empty) or "No note.")
    for one in versions[:-1]:
        tags = f" [{', '.join(one.tags)}]" if one.tags else ""
        first_line = strip_control(one.text.partition("\n")[0]) or "taken back"
        click.echo(
            f"  version {one.version}, {one.by}, {one.at.astimezone(zone):%Y-%m-%d %H:%M}: {first_line}{tags}"
        )


def _format_note(one: NoteView, zone: ZoneInfo) -> str:
    head = f"{one.symbol} · {one.account} · fill of {one.filled_at.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone.key}"
    lines = [click.style(head, bold=True)]
    lines += [f"  {strip_control(line)}" for line in one.text.splitlines()]
    if one.tags:
        lines.append(f"  tags: {', '.join(one.tags)}")
    assert one.at is not None
    where = one.position or "not attached to a trade"
    lines.append(f"  version {one.version} by {one.by}, {one.at.astimezone(zone):%Y-%m-%d %H:%M}, on {where}")
    return "\n".join(lines)


COMMANDS = {"note": note}
