"""The commands formats and doctor, and the options that describe a statement."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import click

from tearsheet.app.imports.formats import broker_guides
from tearsheet.app.imports.import_file import diagnose_file, known_formats
from tearsheet.cli import EXIT_BAD_DATA, EXIT_OK
from tearsheet.cli.options import DateType, F, zone_from_option
from tearsheet.cli.tables import columns, format_rejection
from tearsheet.errors import UsageError
from tearsheet.settings import Settings
from tearsheet.sources.guides.catalogue import Guide
from tearsheet.sources.statements.diagnosis import Diagnosis, PositionSketch
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.trade.amount import parse_amount, to_plain_string
from tearsheet.trade.fill import Fill

_LAYOUTS = Path("config/layouts")
_MARKS: dict[str, Literal[".", ","]] = {"point": ".", "comma": ","}
_MAX_HEADER_LENGTH = 300
_MAX_POSITIONS = 20
_MAX_UNMATCHED = 10


def formats_dir_option(command: F) -> F:
    """Add --layouts: the folder of the user's format definitions."""
    return click.option(
        "--layouts",
        type=click.Path(path_type=Path),
        default=_LAYOUTS,
        envvar="TEARSHEET_LAYOUTS",
        show_default=True,
        show_envvar=True,
        help="Folder with your own format definitions (TOML).",
    )(command)


def file_options(command: F) -> F:
    """Add the options for what a statement does not contain: time zone, account, layout and more."""
    for option in reversed(
        (
            click.option(
                "--timezone",
                metavar="ZONE",
                help="Time zone of the times in the file, for example America/Chicago.",
            ),
            click.option("-a", "--account", help="Account, if the file does not state one."),
            click.option("--layout", help="File format, if it cannot be detected from the header."),
            click.option(
                "--date-order",
                type=click.Choice(["day-first", "month-first"]),
                help="Date order, if the dates are ambiguous.",
            ),
            click.option(
                "--decimal-mark",
                type=click.Choice(list(_MARKS)),
                help="Decimal separator, if the numbers are ambiguous.",
            ),
            click.option(
                "--map",
                "columns",
                multiple=True,
                metavar="COLUMN=FIELD",
                help="Map a column to a field, for files in an unsupported format; several of commission are added.",
            ),
            click.option(
                "--constant",
                "constants",
                multiple=True,
                metavar="FIELD=TEXT",
                help="A field that every row has, such as asset_class=future.",
            ),
            click.option(
                "--fee-sign",
                type=click.Choice(["positive", "negative"]),
                help="Sign of fees that are costs, if the format does not define it.",
            ),
            click.option(
                "--fee-rate",
                "rates",
                multiple=True,
                metavar="CODE=RATE",
                help="Exchange rate from the fee currency to the trade currency.",
            ),
            click.option("--date", type=DateType(), help="The day of a file that states times only."),
            click.option("--currency", metavar="CODE", help="The money of a file that states none."),
        )
    ):
        command = option(command)
    return formats_dir_option(command)


def file_options_from(values: Mapping[str, Any]) -> StatementOptions:
    """Return the values of `file_options` as one value. Raises UsageError."""
    mark = values["decimal_mark"]
    return StatementOptions(
        timezone=zone_from_option(values["timezone"]),
        account=values["account"],
        layout=values["layout"],
        date_order=values["date_order"],
        decimal_mark=_MARKS[mark] if mark else None,
        layouts=values["layouts"],
        mapping=_mapping(values["columns"]),
        constants=dict(_pair("--constant", text, "FIELD=TEXT") for text in values["constants"]),
        fee_sign=values["fee_sign"],
        fee_rates=dict(_rate(text) for text in values["rates"]),
        day=values["date"],
        currency=_currency(values["currency"]),
    )


@click.command(short_help="List supported formats.")
@click.argument("name", required=False)
@formats_dir_option
def formats(name: str | None, layouts: Path) -> None:
    """The formats of statements that can be imported; with the NAME of a format or of a broker, all of one.

    Recognized but unsupported formats are listed at the end, with the export to use instead.
    """
    known = known_formats(layouts)
    if name is not None:
        guide = broker_guides().get(name)
        if guide is not None:
            _print_guide(guide, [line.name for line in known.values() if guide.has(line.name)])
            return
        line = known.get(name)
        if line is None:
            names = ", ".join((*broker_guides(), *known))
            raise UsageError(f"there is no format or broker {name!r}", f"known are {names}")
        click.echo(f"{line.name}\n  {line.title}\n  files: {', '.join(line.kinds)}")
        click.echo(f"  columns: {', '.join(line.columns)}")
        for text in filter(None, (line.refused and f"not read: {line.refused}", line.notes)):
            click.echo(f"  {text}")
        return
    read = [(line.name, line.title, ", ".join(line.kinds)) for line in known.values() if not line.refused]
    click.echo(columns(("format", "what it is", "files"), read))
    click.echo("\nRecognized but not supported:")
    for line in known.values():
        if line.refused:
            click.echo(f"  {line.name}: {line.title}: {line.refused}")
    click.echo(f"\nWhich file to take, and where to click for it: {', '.join(broker_guides())}.")
    click.echo(
        "`tearsheet formats NAME` says all of a format or a broker, `tearsheet doctor FILE` looks at a file."
    )


def _print_guide(guide: Guide, formats: Sequence[str]) -> None:
    click.echo(click.style(guide.name, bold=True))
    for title, text in guide.rows:
        click.echo(f"  {title:<13} {text}")
    click.echo(f"  {'Formats':<13} {', '.join(formats)}")


def diagnose(file: Path, values: dict[str, Any]) -> int:
    """Print what an import would see in a file; return the exit code."""
    diagnosis = diagnose_file(file, Settings.load(), file_options_from(values))
    click.echo("\n".join(_format_diagnosis(diagnosis)))
    for rejection in diagnosis.rejections:
        click.echo(format_rejection(rejection))
    if diagnosis.error:
        click.echo(click.style(f"Cannot be imported: {diagnosis.error}", fg="red", bold=True))
        if diagnosis.hint:
            click.echo(f"  hint: {diagnosis.hint}")
    else:
        click.echo(click.style("Readable", fg="green", bold=True))
    return EXIT_OK if diagnosis.is_readable else EXIT_BAD_DATA


def _format_diagnosis(diagnosis: Diagnosis) -> list[str]:
    lines = [click.style(diagnosis.file, bold=True)]
    table = diagnosis.separator and f", separated by {diagnosis.separator}"
    facts = {
        "file": f"{diagnosis.kind}{diagnosis.encoding and f', {diagnosis.encoding}'}{table}",
        "header": f"line {diagnosis.header_line}: {', '.join(filter(None, diagnosis.header))}"[
            :_MAX_HEADER_LENGTH
        ],
        "layout": f"{diagnosis.layout}: {diagnosis.title}"
        if diagnosis.layout
        else "no supported format matches",
        "know": diagnosis.notes,
        "states": ", ".join(f"{field} {value}" for field, value in diagnosis.header_values.items()),
        "zone": diagnosis.zone,
        "numbers": diagnosis.decimal_mark and f"decimal {diagnosis.decimal_mark}",
        "dates": diagnosis.date_order,
    }
    if not diagnosis.header_line:
        facts["header"] = ""
    lines += [f"  {name:<9}{text}" for name, text in facts.items() if text]
    lines += [f"  assumed  {assumption}" for assumption in diagnosis.assumed]
    lines += [
        f"  {'not' if one.missing else 'also'} {one.name}"
        + (f": lacks {', '.join(one.missing)}" if one.missing else ": also matches; select it with --layout")
        for one in diagnosis.alternatives
    ]
    if diagnosis.fills or diagnosis.rejected:
        events = f"{diagnosis.events:,} events, " if diagnosis.events else ""
        lines.append(f"  rows     {diagnosis.fills:,} fills, {events}{diagnosis.rejected:,} rejected")
    lines += [f"  changes nothing: {number:,} {name}" for name, number in diagnosis.skipped.items()]
    lines += [
        click.style(f"  orphan   {orphan.message}", fg="yellow")
        for orphan in diagnosis.unmatched_closes[:_MAX_UNMATCHED]
    ]
    lines += map(_fill_line, diagnosis.first)
    if diagnosis.fills > len(diagnosis.first):
        lines.append(f"    … and {diagnosis.fills - len(diagnosis.first):,} more")
    if diagnosis.positions:
        lines.append("  come to, without what the ledger holds")
    lines += map(_position_line, diagnosis.positions[:_MAX_POSITIONS])
    if len(diagnosis.positions) > _MAX_POSITIONS:
        lines.append(f"    … and {len(diagnosis.positions) - _MAX_POSITIONS:,} more instruments")
    return lines


def _position_line(position: PositionSketch) -> str:
    trades = f"{position.closed:,} {'trade' if position.closed == 1 else 'trades'} closed"
    held = f"  open {to_plain_string(position.open_quantity)}" if position.open_quantity else ""
    net = f"net {to_plain_string(position.net)} {position.currency}"
    return f"    {position.account}  {position.symbol}  {trades}, {net}{held}"


def _fill_line(fill: Fill) -> str:
    when = fill.time.isoformat(" ", "seconds")
    return (
        f"    {fill.account}  {when}  {fill.side.value:<4} {to_plain_string(fill.quantity)} {fill.symbol} "
        f"@ {to_plain_string(fill.price)}  fee {to_plain_string(fill.commission)} {fill.currency}  "
        f"x{to_plain_string(fill.multiplier)}  {fill.fill_id or 'no id'}"
    )


def _pair(option: str, text: str, syntax: str) -> tuple[str, str]:
    left, separator, right = text.rpartition("=")
    if not (separator and left.strip() and right.strip()):
        raise UsageError(f"{option} {text!r} is not understood", f"write {option} {syntax}")
    return left.strip(), right.strip()


def _mapping(columns: Sequence[str]) -> dict[str, str]:
    """Return the fields of each column, with a + between several."""
    found: dict[str, str] = {}
    for text in columns:
        column, field = _pair("--map", text, "COLUMN=FIELD")
        found[column] = f"{found[column]}+{field}" if column in found else field
    return found


def _rate(text: str) -> tuple[str, Decimal]:
    code, number = _pair("--fee-rate", text, "CODE=RATE")
    try:
        rate = parse_amount(number)
    except ValueError as error:
        raise UsageError(f"--fee-rate {text!r}: {error}", "such as --fee-rate BNB=612.5") from None
    if rate <= 0:
        raise UsageError(f"--fee-rate {text!r} is not above 0", "such as --fee-rate BNB=612.5")
    return code.upper(), rate


def _currency(code: str | None) -> str | None:
    if code is None or (code.isascii() and code.isalnum() and 2 <= len(code) <= 10):
        return code and code.upper()
    raise UsageError(f"--currency {code!r} is no code", "write a code of money, such as EUR")


COMMANDS = {"formats": formats}
