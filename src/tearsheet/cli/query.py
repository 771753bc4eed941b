"""The commands explain, positions, rejections and export."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from msgspec.structs import asdict

from tearsheet.api.packing import MONEY, Money, pack_chunks, with_money
from tearsheet.api.table_files import FORMATS, FileFormat, write, write_to
from tearsheet.app.analysis.notes import NoteSummary, TradeNotes
from tearsheet.app.analysis.table_columns import TABLES, TableName
from tearsheet.app.analysis.table_rows import TableRows, TableScope, check_filters
from tearsheet.app.reports import ExplainedFill, ExplainedTrade, Explanation, ReplacedFill
from tearsheet.cli.options import (
    DateType,
    base_option,
    open_tracker,
    scope,
    scope_options,
    window_from_options,
    window_options,
)
from tearsheet.cli.tables import columns, format_rejection
from tearsheet.errors import UsageError
from tearsheet.export.files import json_bytes
from tearsheet.performance.metric import METRICS
from tearsheet.trade.amount import exact
from tearsheet.trade.note import normalize_tag
from tearsheet.trade.position import Position
from tearsheet.words import format_metric, format_number

#: Rows of an export in memory at a time.
_ROWS_AT_ONCE = 16_384


@click.command(short_help="Show the fills behind a number.")
@click.argument("metric", type=click.Choice(list(METRICS)), metavar="METRIC")
@window_options
@scope_options
@base_option
@click.option("-n", "most", default=20, show_default=True, help="Number of rows to print.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with all rows.")
def explain(metric: str, most: int, as_json: bool, **values: Any) -> None:
    """Show the fills and trades behind a number. They add up to it exactly.

    METRIC is a name such as net_pnl, fees or win_rate. docs/metrics.md lists all of them.
    """
    with open_tracker() as tracker:
        explanation = tracker.explain(
            metric,
            window_from_options(tracker, values),
            scope=scope(values),
            currency=values["currency"],
            base=values["base"],
        )
    if as_json:
        click.echo(json_bytes(explanation).decode(), nl=False)
        return
    click.echo(format_explanation(explanation, most, tracker.settings.calendar.timezone))


@click.command()
@window_options
@scope_options
@click.option("--open", "only_open", is_flag=True, help="Open positions.")
@click.option("--tag", help="Filter by tag.")
@click.option("-n", "most", default=50, show_default=True, help="Number of trades to show, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with exact decimals.")
def positions(only_open: bool, tag: str | None, most: int, as_json: bool, **values: Any) -> None:
    """List closed trades or open positions, with notes and tags."""
    with open_tracker() as tracker:
        tracker.sync()
        trades = (
            tracker.open_positions(scope(values))
            if only_open
            else tracker.closed_positions(
                window_from_options(tracker, values), scope(values), values["currency"]
            )[::-1]
        )
        zone = tracker.settings.calendar.timezone
        notes = TradeNotes(tracker)
        if tag is not None:
            tagged = notes.with_tag(normalize_tag(tag))
            trades = [position for position in trades if position.id in tagged]
        remarks = notes.summaries([position.id for position in trades[:most]])
    if as_json:
        with exact():
            rows = [
                {**asdict(p), "net": p.net, **asdict(remarks.get(p.id, NoteSummary()))} for p in trades[:most]
            ]
        click.echo(json_bytes(rows).decode(), nl=False)
        return
    if not trades:
        other = "" if only_open else " in this period; use --window, --start or --rolling to choose another"
        click.echo("No open positions." if only_open else f"No trades{other}.")
        return
    head = (
        f"closed ({zone.key})",
        "account",
        "symbol",
        "side",
        "quantity",
        "entry",
        "exit",
        "net",
        "fees",
        "strategy",
        "id",
        "tags",
    )
    lines = [(*_position_cells(p, zone), _note_cell(remarks.get(p.id, NoteSummary()))) for p in trades[:most]]
    click.echo(columns(head, lines, "llllrrrrrlll"))
    if len(trades) > most:
        click.echo(f"… and {len(trades) - most:,} more; -n {len(trades)} shows all")


@click.command(short_help="List rejected rows, with the reason.")
@click.option("-n", "most", default=50, show_default=True, help="Number of rows to show, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rejections(most: int, as_json: bool) -> None:
    """Rejected rows with their location, the reason and how to fix them."""
    with open_tracker() as tracker:
        rejected = tracker.rejections(most)
    if as_json:
        click.echo(json_bytes(rejected).decode(), nl=False)
        return
    for rejection in rejected:
        click.echo(format_rejection(rejection))
    if not rejected:
        click.echo("No rejected rows.")


@click.command(short_help="Write a table of the ledger as CSV, Parquet or Arrow.")
@click.argument("table", type=click.Choice(list(TABLES)), metavar="TABLE")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Format of the file. [default: by the name of --output, else csv]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File to write, atomically. Without it, CSV and Arrow go to standard output.",
)
@click.option("--start", type=DateType(), help="First trading day.")
@click.option("--end", type=DateType(), help="Last trading day, inclusive.")
@scope_options
@click.option("--tag", help="Filter trades, positions and bookings by tag.")
@click.option(
    "--money",
    type=click.Choice(MONEY),
    default="decimal",
    show_default=True,
    help="Amounts as decimal128(38, 18), as the nearest floats, or as text with every digit.",
)
def export(
    table: TableName,
    form: FileFormat | None,
    output: Path | None,
    tag: str | None,
    money: Money,
    **values: Any,
) -> None:
    """Write TABLE row by row, so that a ledger of any size fits into memory.

    TABLE is fills, trades, positions, bookings, days, returns, equity or rejections; docs/python-tables.md lists their
    columns. What may be missing is said on standard error. Parquet needs `pip install 'tearsheet[frames]'`, Arrow
    `'tearsheet[arrow]'`.
    """
    form = form or _format_of(output)
    if output is None and form == "parquet":
        raise UsageError("a Parquet file needs a name", "say it with --output FILE")
    columns = with_money(TABLES[table], money)
    with open_tracker() as tracker:
        for reason in tracker.refresh(30.0):
            click.echo(f"  PARTIAL      {reason.code}: {reason.detail}", err=True)
        check_filters(tracker, account=values["account"], currency=values["currency"])
        chosen = TableScope(
            values["start"],
            values["end"],
            scope(values),
            None if tag is None else normalize_tag(tag),
            values["currency"],
        )
        chunks = pack_chunks(columns, TableRows(tracker, chosen).of(table), size=_ROWS_AT_ONCE)
        if output is None:
            write_to(sys.stdout.buffer, form, columns, chunks)
        else:
            click.echo(f"  written  {write(output, form, columns, chunks)}")


def _format_of(output: Path | None) -> FileFormat:
    suffix = "" if output is None else output.suffix.removeprefix(".").lower()
    return next((form for form in FORMATS if form == suffix), "csv")


def format_explanation(explanation: Explanation, most: int, zone: ZoneInfo) -> str:
    """Format an explanation with its first terms and the sum of all terms; times are in the trading day's zone."""
    value = format_metric(METRICS[explanation.metric], explanation.value)
    title = click.style(
        f"{explanation.label} {value} · {explanation.window} · {explanation.currency}", bold=True
    )
    lines = [title, explanation.words, ""]
    if explanation.bookings:
        rows = [_booking_cells(one, zone) for one in explanation.bookings[:most]]
        lines.append(columns((f"time ({zone.key})", *_BOOKING_HEAD), rows, "lllrrrrrl"))
        lines += _rate_lines(explanation.bookings[:most])
    elif explanation.positions:
        rows = [_closed_cells(one, zone) for one in explanation.positions[:most]]
        lines.append(columns((f"closed ({zone.key})", *_POSITION_HEAD), rows, "llllrrlrl"))
    count = len(explanation.bookings) or len(explanation.positions)
    if count > most:
        lines.append(f"… and {count - most:,} more; use --json for all")
    lines += [_replaced_line(one, zone) for one in explanation.superseded[:most]]
    total = f"sum of {count:,} {explanation.basis}: {format_number(explanation.total)}"
    return "\n".join([*lines, "", f"{total}{' = the value' if explanation.is_sum else ''}"])


def _rate_lines(bookings: Sequence[ExplainedFill]) -> list[str]:
    """Return the rates by which bookings were converted, one for each currency, session and source."""
    used = dict.fromkeys(one.rate for one in bookings if one.rate is not None)
    return [
        f"{rate.session}: {rate.currency} at {format_number(rate.rate)} ({', '.join((*rate.stated, *rate.pegs))})"
        for rate in used
    ]


_BOOKING_HEAD = ("account", "symbol", "quantity", "price", "gross", "fees", "adds", "read from")
_POSITION_HEAD = ("account", "symbol", "side", "quantity", "net", "outcome", "adds", "position")


def _booking_cells(b: ExplainedFill, zone: ZoneInfo) -> tuple[str, ...]:
    places = ", ".join(f"{place.file}:{place.line}" for place in b.places)
    return (
        f"{b.time.astimezone(zone):%Y-%m-%d %H:%M:%S}",
        b.account,
        b.symbol or (b.event or "").replace("_", " "),
        format_number(b.quantity),
        format_number(b.price),
        format_number(b.gross),
        format_number(b.fees),
        format_number(b.adds),
        places,
    )


def _replaced_line(one: ReplacedFill, zone: ZoneInfo) -> str:
    return (
        f"superseded: {one.account} {one.symbol} {one.side} {format_number(one.quantity)} @ "
        f"{format_number(one.price)} fee {format_number(one.fees)} ({one.fill_id}, {one.place.file}:{one.place.line}), "
        f"by a {one.by} read {one.since.astimezone(zone):%Y-%m-%d %H:%M} ({one.by_place.file}:{one.by_place.line})"
    )


def _closed_cells(p: ExplainedTrade, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        f"{p.closed_at.astimezone(zone):%Y-%m-%d %H:%M:%S}" if p.closed_at else "",
        p.account,
        p.symbol,
        p.side,
        format_number(p.quantity),
        format_number(p.net),
        p.outcome,
        format_number(p.adds),
        p.id,
    )


def _position_cells(p: Position, zone: ZoneInfo) -> tuple[str, ...]:
    closed = f"{p.closed_at.astimezone(zone):%Y-%m-%d %H:%M:%S}" if p.closed_at else "open"
    quantity = p.quantity if p.closed_at else p.open_quantity
    entry = format_number(p.average_entry) if p.entry_value or not p.closed_at else "—"
    # a logged trade has one price; a position of fills may have an exit price of 0, as options do
    exit_ = format_number(p.average_exit) if p.exit_value or p.fills > 1 else "—"
    side = "long" if p.side.value == "BUY" else "short"
    return (
        closed,
        p.account,
        p.symbol,
        side,
        format_number(quantity),
        entry,
        exit_,
        format_number(p.net),
        format_number(p.fees),
        p.strategy or "",
        p.id,
    )


def _note_cell(remark: NoteSummary) -> str:
    """Format the tags, with a pen symbol if there is a note."""
    pen = "✎ " if remark.note else ""
    return f"{pen}{', '.join(remark.tags)}".strip()


COMMANDS = {"explain": explain, "positions": positions, "rejections": rejections, "export": export}
