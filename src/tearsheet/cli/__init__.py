"""Command line `tearsheet …`: command table, exit codes, error output."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from tearsheet import __version__, errors

EXIT_OK = 0
EXIT_BREACH = 2
EXIT_USAGE = 64
EXIT_BAD_DATA = 65
EXIT_INTERNAL = 70
EXIT_UNKNOWN = 69
EXIT_UNAVAILABLE = 75
EXIT_GUARD_FAILED = 76
EXIT_INTERRUPTED = 130

#: Exit code of each error class; a test checks that every class is listed.
EXIT_CODES: dict[type[errors.TearsheetError], int] = {
    errors.TearsheetError: EXIT_INTERNAL,
    errors.UsageError: EXIT_USAGE,
    errors.ChangedMeanwhileError: EXIT_USAGE,
    errors.NotFoundError: EXIT_USAGE,
    errors.MixedCurrencyError: EXIT_USAGE,
    errors.SettingsError: EXIT_BAD_DATA,
    errors.OtherRulesError: EXIT_BAD_DATA,
    errors.MissingSourceError: EXIT_BAD_DATA,
    errors.InputError: EXIT_BAD_DATA,
    errors.FormatError: EXIT_BAD_DATA,
    errors.SchemaError: EXIT_BAD_DATA,
    errors.StoreError: EXIT_UNAVAILABLE,
    errors.LedgerGoneError: EXIT_UNAVAILABLE,
    errors.OtherLedgerError: EXIT_UNAVAILABLE,
    errors.InexactError: EXIT_BAD_DATA,
    errors.MissingExtra: EXIT_USAGE,
}

#: Commands and their modules in this package.
COMMANDS = {
    "summary": "summary",
    "check": "summary",
    "alerts": "summary",
    "explain": "query",
    "positions": "query",
    "note": "note",
    "export": "query",
    "accounts": "currency.accounts",
    "rejections": "query",
    "verdict": "limits",
    "status": "rules.status",
    "presets": "rules.presets",
    "release": "limits",
    "replay": "limits",
    "sync": "summary",
    "import": "import_verify",
    "imports": "imports",
    "settle": "imports",
    "opening": "imports",
    "cash": "imports",
    "fees": "ledger",
    "rates": "currency.rates",
    "bulk": "bulk.lake",
    "reconcile": "reconcile",
    "formats": "formats",
    "doctor": "ledger",
    "verify": "import_verify",
    "calendar": "ledger",
    "sources": "ledger",
    "marks": "ledger",
    "watch": "watch",
    "guard": "guard",
    "serve": "serve",
    "tokens": "serve",
    "demo": "demo",
    "open": "serve",
}

_EPILOG = """\b
Exit codes: 0 healthy · 2 a target is missed or a limit breached · 64 wrong use · 65 bad data or settings
            69 the guard cannot tell · 70 internal error · 75 the ledger is unavailable, a limit is
            unknown or data may be missing · 76 the guard could not act · 130 interrupted

Settings are read from environment variables and config/tearsheet.toml; see docs/settings.md.
"""


class LazyCommands(click.Group):
    """Imports a command's module when it is called.

    Modules that are slow to import (ruamel.yaml 40 ms, importlib.metadata 25 ms, importlib.resources 11 ms)
    are imported where they are used; this cut `tearsheet summary` from 160 ms to 110 ms.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        from importlib import import_module

        commands: dict[str, click.Command] = import_module(f"tearsheet.cli.{module}").COMMANDS
        return commands[cmd_name]


@click.group(
    cls=LazyCommands,
    invoke_without_command=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="tearsheet %(version)s")
@click.option("-v", "--verbose", count=True, help="More logging: -v for info, -vv for debug.")
@click.pass_context
def tearsheet(ctx: click.Context, verbose: int) -> None:
    """Trading performance, limits and alerts from your broker statements and bot logs.

    Reads trade logs from logs/ and the statements you import, rebuilds positions, and compares
    the results with the targets and limits in config/dashboard-targets.yaml.

    \b
    tearsheet                                  open the dashboard of this folder
    tearsheet demo                             try it with sample data
    tearsheet summary --window weekly          this week
    tearsheet import fills.csv --timezone America/Chicago
    tearsheet explain net_pnl --window daily   show the fills behind a number
    """
    ctx.obj = verbose
    if ctx.invoked_subcommand is None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise click.exceptions.NoArgsIsHelpError(ctx)
        command = tearsheet.get_command(ctx, "open")
        assert command is not None
        ctx.invoke(command, folder=Path(), port=None, no_browser=False)


def main(arguments: Sequence[str] | None = None, program: str = "tearsheet") -> int:
    """Run a command and return its exit code; catches every exception."""
    try:
        result = tearsheet.main(
            args=list(sys.argv[1:] if arguments is None else arguments),
            prog_name=program,
            standalone_mode=False,
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else EXIT_OK
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except errors.TearsheetError as error:
        click.echo(f"tearsheet: {error}", err=True)
        return EXIT_CODES[type(error)]
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # the reader closed the pipe: Python flushes standard output into /dev/null at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except Exception as error:  # noqa: BLE001 - the outermost function
        disk = errors.disk_error(error)
        if disk is None:
            return _report_internal_error(error)
        with suppress(OSError):  # where errors are written to may be full, too
            click.echo(f"tearsheet: {disk}", err=True)
        return EXIT_UNAVAILABLE


def _report_internal_error(error: Exception) -> int:
    import logging

    logging.getLogger("tearsheet").exception("internal error")
    click.echo(
        f"tearsheet: internal error: {type(error).__name__}: {error}\n"
        "  hint: this is a bug; see the traceback above. Your data was not changed.",
        err=True,
    )
    return EXIT_INTERNAL


def run() -> None:
    """Entry point of the console script."""
    sys.exit(main())
