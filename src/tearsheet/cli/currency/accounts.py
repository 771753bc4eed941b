"""The accounts: their names, what is stated of them, and their balances."""

import getpass
from pathlib import Path

import click

from tearsheet.app.analysis.balances import account_list
from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.cli.options import open_tracker
from tearsheet.cli.tables import columns, format_amounts
from tearsheet.export.files import json_bytes


@click.group(short_help="Accounts: names, starting balances, currencies.", invoke_without_command=True)
@click.pass_context
def accounts(ctx: click.Context) -> None:
    """List every account that traded, or that a rejected row names.

    \b
    tearsheet accounts                           their names
    tearsheet accounts list                      what is stated of them, and their balances
    tearsheet accounts set config/accounts.yaml  state starting balance, currency and calendar
    """
    if ctx.invoked_subcommand is None:
        with open_tracker() as tracker:
            tracker.sync()
            for account in tracker.accounts():
                click.echo(account)


@accounts.command("list", short_help="What is stated of each account, and its balances.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_accounts(as_json: bool) -> None:
    """Show starting balance, currency and calendar of each account, and its balance now by currency."""
    with open_tracker() as tracker:
        tracker.sync()
        found = account_list(tracker)
    if as_json:
        click.echo(json_bytes(found).decode(), nl=False)
        return
    rows = [
        (
            one.account,
            one.currency or "",
            format_amounts(one.starting_balance or {}),
            format_amounts(one.balance),
            " ".join(filter(None, (one.timezone, one.day_starts_at))),
        )
        for one in found
    ]
    head = ("account", "currency", "starting balance", "balance", "calendar")
    click.echo(columns(head, rows, "llrrl") if rows else "No accounts.")


@accounts.command("set", short_help="State accounts by a YAML file.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", metavar="NAME", help="Who states it; else the user of this machine.")
def set_accounts(file: Path, by: str | None) -> None:
    """Keep what FILE states of accounts in the ledger; accounts that it does not name stay as they are.

    \b
    accounts:
      FTMO-100K: {starting_balance: 100000, currency: USD, timezone: Europe/Prague}
      BINANCE: {starting_balance: {USDT: 5000, EUR: 0}}
      OLD: null                  # takes back what was stated of it
    """
    with open_tracker() as tracker:
        tracker.sync()
        editor = AccountsEditor(tracker)
        changes, similar = editor.set_file(file, by or getpass.getuser()), editor.similar_accounts()
    rows = [(one.name, one.old or "—", one.new or "—") for one in changes]
    click.echo(columns(("changed", "was", "is"), rows, "lll") if rows else "Nothing changed.")
    for group in similar:
        names = ", ".join(map(repr, group))
        click.echo(click.style(f"{names} may be one account with several spellings", fg="yellow"))


COMMANDS = {"accounts": accounts}
