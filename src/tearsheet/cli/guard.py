"""The guard command: run a command when an account must be flat."""

import hashlib
import re
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from tearsheet.cli import EXIT_BREACH, EXIT_GUARD_FAILED, EXIT_OK, EXIT_UNKNOWN
from tearsheet.guard.audit import AuditLog
from tearsheet.guard.client import ApiUrl, TokenFile, VerdictClient
from tearsheet.guard.command import Command
from tearsheet.guard.events import EventListener
from tearsheet.guard.guard import Guard, GuardOptions
from tearsheet.guard.state import StateFile
from tearsheet.guard.validation import ValidationLimits

_SECONDS = click.FloatRange(0.2, 86_400)


@click.command(short_help="Act when an account's limit is broken.")
@click.option("--url", required=True, help="URL of the service, for example https://tearsheet.example.")
@click.option("-a", "--account", required=True, help="Account to guard.")
@click.option(
    "--on-breach", "command", required=True, metavar="COMMAND", help="Command to run once for each breach."
)
@click.option(
    "--on-unknown",
    type=click.Choice(["hold", "breach"]),
    required=True,
    help="Without a usable verdict for --dead-after seconds: hold (do nothing), or breach (run the command).",
)
@click.option("--every", type=_SECONDS, default=30, show_default=True, help="Seconds between two polls.")
@click.option(
    "--dead-after",
    type=_SECONDS,
    default=120,
    show_default=True,
    help="Seconds without a usable verdict until --on-unknown applies.",
)
@click.option(
    "--timeout", type=_SECONDS, default=10, show_default=True, help="Timeout of a request, in seconds."
)
@click.option(
    "--max-skew",
    type=_SECONDS,
    default=30,
    show_default=True,
    help="Maximum difference between the clocks of the service and this machine, in seconds.",
)
@click.option(
    "--max-data-age",
    type=_SECONDS,
    help="Maximum age of the account's data, in seconds; by default the service decides (stale_after).",
)
@click.option(
    "--command-timeout",
    type=_SECONDS,
    default=60,
    show_default=True,
    help="Timeout of the command, in seconds.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 1000),
    default=5,
    show_default=True,
    help="Retries of a failed command.",
)
@click.option(
    "--repeat-if-unsure",
    is_flag=True,
    help="Run the command again if it is unknown whether it ran; only for commands that are safe to run twice.",
)
@click.option("--shell", is_flag=True, help="Run the command by /bin/sh.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="File with the API token; by default the environment variable TEARSHEET_TOKEN.",
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path),
    help="CA certificates to trust instead of the system's (PEM).",
)
@click.option("--allow-http", is_flag=True, help="Allow another machine without TLS.")
@click.option(
    "--state", type=click.Path(path_type=Path), help="State file.  [default: logs/guard/ACCOUNT.json]"
)
@click.option(
    "--audit",
    type=click.Path(path_type=Path),
    help="Audit log, one line for each decision.  [default: logs/guard/ACCOUNT.audit.jsonl]",
)
@click.option(
    "--accept-lower-sequence",
    is_flag=True,
    help="Accept a lower sequence number once, after the ledger of the service was recreated.",
)
@click.option("--once", is_flag=True, help="Poll once, act, and report the result by the exit code.")
def guard(url: str, account: str, command: str, **values: Any) -> int:
    """Poll an account's verdict, and run a command when the account must be flat. See docs/guard.md.

    \b
    tearsheet guard --url https://tearsheet.example --account Sim101 \\
        --on-breach 'flatten --account Sim101' --on-unknown hold --token-file /run/secrets/token

    \b
    Exit codes: 0 stopped normally · 2 with --once: the account must be flat, and the command ran
                69 with --once: no usable verdict · 75 another guard runs, or the state file is not writable
                76 a command failed after all retries, or it is unknown whether it ran
    """
    options = GuardOptions(
        values["every"],
        values["dead_after"],
        values["on_unknown"],
        values["retries"],
        values["repeat_if_unsure"],
    )
    address = ApiUrl(url, values["ca_file"], allow_http=values["allow_http"])
    token = TokenFile(values["token_file"])
    token.headers()
    runner = Command(command, values["command_timeout"], shell=values["shell"])
    validation = ValidationLimits(values["max_skew"], values["max_data_age"])
    with closing(StateFile(values["state"] or _default_path(account, ".json"), account)) as state_file:
        if values["accept_lower_sequence"]:
            state_file.state.sequence = 0
        audit = AuditLog(values["audit"] or _default_path(account, ".audit.jsonl"), account, click.echo)
        client = VerdictClient(address, token, account, values["timeout"])
        guarding = Guard(options, validation, client, runner, state_file, audit)
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signal_number, lambda *_: guarding.end())
        if not values["once"]:
            EventListener(address, token, account, guarding.wake).start()
        guarding.run(once=values["once"])
        return _exit_code(guarding, once=values["once"])


def _exit_code(guarding: Guard, *, once: bool) -> int:
    if guarding.failed:
        return EXIT_GUARD_FAILED
    if once and guarding.must_be_flat:
        return EXIT_BREACH
    return EXIT_UNKNOWN if once and guarding.state == "unknown" else EXIT_OK


def _default_path(account: str, suffix: str) -> Path:
    """Return the file of an account; unsafe characters are replaced, a hash keeps the name unique."""
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", account)[:60]
    if stem != account:
        stem += f"-{hashlib.sha256(account.encode()).hexdigest()[:8]}"
    return Path("logs") / "guard" / f"{stem}{suffix}"


COMMANDS = {"guard": guard}
