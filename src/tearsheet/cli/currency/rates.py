"""The exchange rates: import, add, list."""

import getpass
from pathlib import Path
from typing import Any

import click

from tearsheet.app.currency.stated_rates import RatesFilter, StatedRates
from tearsheet.app.reports import RatesReport
from tearsheet.cli import EXIT_BAD_DATA, EXIT_OK
from tearsheet.cli.options import CurrencyType, DateType, most_option, open_tracker
from tearsheet.cli.tables import columns, format_rejection
from tearsheet.export.files import json_bytes
from tearsheet.trade.value_rule import COIN


@click.group(short_help="Exchange rates: import, add, list.")
def rates() -> None:
    """Exchange rates, by which `--base` shows results of several currencies in one.

    \b
    tearsheet rates import eurofxref-hist.zip       the European Central Bank's file, as CSV, XML or ZIP
    tearsheet rates import rates.csv                a table with the header date,from,to,rate,source
    tearsheet rates add 2026-03-02 EUR USD 1.085    1 EUR = 1.085 USD on that day
    tearsheet rates list --from EUR --to USD

    No rate is ever fetched. A rate of a pair and day that has one is a correction: both are kept, the later counts,
    and what was converted is converted again. `tearsheet imports undo` takes an import back.
    """


@rates.command("import", short_help="Import a file of rates.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def import_(file: Path, as_json: bool) -> int:
    """Import a file of rates, all or none: one wrong rate would make a day wrong without a sign of it."""
    with open_tracker() as tracker:
        return _print(StatedRates(tracker).import_file(file, getpass.getuser()), as_json=as_json)


@rates.command("add", short_help="State one rate.")
@click.argument("day", metavar="DATE")
@click.argument("from_currency", metavar="FROM")
@click.argument("to_currency", metavar="TO")
@click.argument("rate")
@click.option("--source", default="", help="Who states it; without it, the user of this machine.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def add(day: str, from_currency: str, to_currency: str, rate: str, source: str, as_json: bool) -> int:
    """State that one unit of FROM was RATE units of TO on a day."""
    who = getpass.getuser()
    with open_tracker() as tracker:
        texts = (day, from_currency, to_currency, rate, source or who)
        return _print(StatedRates(tracker).add(texts, who), as_json=as_json)


@rates.command("list", short_help="List the newest rates.")
@click.option(
    "--from", "from_currency", type=CurrencyType(COIN), metavar="CODE", help="Only from this currency."
)
@click.option("--to", "to_currency", type=CurrencyType(COIN), metavar="CODE", help="Only to this currency.")
@click.option("--start", type=DateType(), help="First day.")
@click.option("--end", type=DateType(), help="Last day (inclusive).")
@most_option("Number of rates to show, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with exact decimals.")
def list_(most: int, as_json: bool, **values: Any) -> None:
    """List rates, the newest first, with their source and import; those too that a later import corrected."""
    wanted = RatesFilter(values["from_currency"], values["to_currency"], values["start"], values["end"])
    with open_tracker() as tracker:
        found = StatedRates(tracker).list(wanted, most)
    if as_json:
        click.echo(json_bytes(found).decode(), nl=False)
        return
    rows = [
        (
            str(rate.day),
            rate.from_currency,
            rate.to_currency,
            format(rate.rate, "f"),
            rate.source,
            str(rate.import_id),
            f"{rate.recorded_at:%Y-%m-%d %H:%M}",
            "" if rate.counts else "corrected",
        )
        for rate in found
    ]
    head = ("date", "from", "to", "rate", "source", "import", "recorded (UTC)", "")
    click.echo(columns(head, rows, "lllrlrll") if rows else "No rates.")


def _print(report: RatesReport, *, as_json: bool) -> int:
    if as_json:
        click.echo(json_bytes(report).decode(), nl=False)
        return EXIT_BAD_DATA if report.rejections else EXIT_OK
    for rejection in report.rejections:
        click.echo(format_rejection(rejection))
    if report.rejections:
        click.echo(f"Nothing was kept: {report.rejected:,} wrong rates.")
        return EXIT_BAD_DATA
    kept = f"{report.new:,} new rates, {report.corrected:,} corrected, {report.known:,} known"
    click.echo(f"{kept}{'' if report.id is None else f', import {report.id}'}, revision {report.revision}")
    return EXIT_OK


COMMANDS: dict[str, Any] = {"rates": rates}
