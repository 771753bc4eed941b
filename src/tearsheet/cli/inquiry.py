"""The commands that ask: explain, positions, accounts, rejections."""

from collections.abc import Iterable
from typing import Any

import click

from tearsheet.cli.options import (
    chosen_window,
    opened_tracker,
    scope,
    scope_options,
    window_options,
)
from tearsheet.cli.tables import columns, rejection_text
from tearsheet.export import json_bytes
from tearsheet.performance.metric import METRICS
from tearsheet.trade.position import Position
from tearsheet.words import number, shown


@click.command()
@click.argument("metric", type=click.Choice(list(METRICS)), metavar="METRIC")
@window_options
@scope_options
@click.option("-n", "most", default=20, show_default=True, help="How many terms to print.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with every term.")
def explain(metric: str, most: int, as_json: bool, **values: Any) -> None:
    """The bookings, positions and fills behind a number, summing to it exactly.

    METRIC is a name such as net_pnl, fees, win_rate; docs/metrics.md has them all.
    """
    with opened_tracker() as tracker:
        found = tracker.explain(
            metric,
            chosen_window(tracker, values),
            scope=scope(values),
            currency=values["currency"],
        )
    if as_json:
        click.echo(json_bytes(found).decode(), nl=False)
        return
    value = shown(METRICS[metric], found.value)
    click.echo(click.style(f"{found.label} {value} · {found.window} · {found.currency}", bold=True))
    click.echo(f"{found.words}\n")
    terms = found.bookings or found.positions
    if found.bookings:
        head = (
            "time (UTC)",
            "account",
            "symbol",
            "quantity",
            "price",
            "gross",
            "fees",
            "adds",
            "read from",
        )
        rows: Iterable[tuple[str, ...]] = (
            (
                f"{b.time:%Y-%m-%d %H:%M:%S}",
                b.account,
                b.symbol,
                number(b.quantity),
                number(b.price),
                number(b.gross),
                number(b.fees),
                number(b.adds),
                ", ".join(f"{p.file}:{p.line}" for p in b.places),
            )
            for b in found.bookings[:most]
        )
        click.echo(columns(head, rows, "lllrrrrrl"))
    elif found.positions:
        head = (
            "closed (UTC)",
            "account",
            "symbol",
            "side",
            "quantity",
            "net",
            "outcome",
            "adds",
            "position",
        )
        rows = (
            (
                f"{p.closed_at:%Y-%m-%d %H:%M:%S}",
                p.account,
                p.symbol,
                p.side,
                number(p.quantity),
                number(p.net),
                p.outcome,
                number(p.adds),
                p.id,
            )
            for p in found.positions[:most]
        )
        click.echo(columns(head, rows, "llllrrlrl"))
    if len(terms) > most:
        click.echo(f"… and {len(terms) - most:,} more; --json shows all")
    total = f"sum of {len(terms):,} {found.basis}: {number(found.total)}"
    click.echo(f"\n{total}{' = the value' if found.is_sum else ''}")  # fmt: skip


@click.command()
@window_options
@scope_options
@click.option("--open", "only_open", is_flag=True, help="Those that are not flat now.")
@click.option("-n", "most", default=50, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with exact digits.")
def positions(only_open: bool, most: int, as_json: bool, **values: Any) -> None:
    """Positions closed in a window, or those still open."""
    with opened_tracker() as tracker:
        tracker.sync()
        found = (
            tracker.open_positions(scope(values))
            if only_open
            else tracker.closed_positions(
                chosen_window(tracker, values), scope(values), values["currency"]
            )[::-1]
        )
    if as_json:
        click.echo(json_bytes(found[:most]).decode(), nl=False)
        return
    if not found:
        click.echo("No positions.")
        return
    head = (
        "closed (UTC)",
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
    )
    click.echo(columns(head, map(_position, found[:most]), "llllrrrrrll"))  # fmt: skip
    if len(found) > most:
        click.echo(f"… and {len(found) - most:,} more; -n {len(found)} shows all")


@click.command()
def accounts() -> None:
    """Every account that traded."""
    with opened_tracker() as tracker:
        tracker.sync()
        for account in tracker.accounts():
            click.echo(account)


@click.command()
@click.option("-n", "most", default=50, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rejections(most: int, as_json: bool) -> None:
    """Lines that could not be used: where they stand, why, and what to do."""
    with opened_tracker() as tracker:
        found = tracker.rejections(most)
    if as_json:
        click.echo(json_bytes(found).decode(), nl=False)
        return
    for rejection in found:
        click.echo(rejection_text(rejection))
    if not found:
        click.echo("No rejected lines.")


def _position(p: Position) -> tuple[str, ...]:
    closed = f"{p.closed_at:%Y-%m-%d %H:%M:%S}" if p.closed_at else "open"
    quantity = p.quantity if p.closed_at else p.open_quantity
    entry = number(p.average_entry) if p.entry_value or not p.closed_at else "—"
    leaving = number(p.average_exit) if p.exit_value else "—"
    side = "long" if p.side.value == "BUY" else "short"
    return (
        closed, p.account, p.symbol, side, number(quantity), entry, leaving, number(p.net),
        number(p.fees), p.strategy or "", p.id,
    )  # fmt: skip


COMMANDS = {
    "explain": explain,
    "positions": positions,
    "accounts": accounts,
    "rejections": rejections,
}
