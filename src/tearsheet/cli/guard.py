"""The guard command: run a command when an account must be flat, for one account or many."""

import hashlib
import re
import signal
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click

from tearsheet.cli import EXIT_BREACH, EXIT_GUARD_FAILED, EXIT_OK, EXIT_UNKNOWN
from tearsheet.guard.audit import AuditLog
from tearsheet.guard.client import ApiUrl, TokenFile, VerdictClient, VerdictSource
from tearsheet.guard.command import Command
from tearsheet.guard.events import EventListener
from tearsheet.guard.fleet import OWN_POLL, Fleet
from tearsheet.guard.guard import Guard, GuardOptions
from tearsheet.guard.shared_verdicts import SharedVerdicts, SharedVerdictSource
from tearsheet.guard.state import StateFile, guarded_accounts
from tearsheet.guard.validation import ValidationLimits

_SECONDS = click.FloatRange(0.2, 86_400)
_FOLDER = Path("logs") / "guard"


@click.command(short_help="Run a command when a limit is breached.")
@click.option("--url", required=True, help="URL of the service, for example https://tearsheet.example.")
@click.option("-a", "--account", "accounts", multiple=True, help="Account to guard; repeat it for several.")
@click.option(
    "--all", "all_accounts", is_flag=True, help="Guard every account with limits, also one that comes later."
)
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
    "--state",
    type=click.Path(path_type=Path),
    help="State file, for several accounts a folder.  [default: logs/guard/ACCOUNT.json]",
)
@click.option(
    "--audit",
    type=click.Path(path_type=Path),
    help="Audit log, one line for each decision, of all accounts.  [default: logs/guard/ACCOUNT.audit.jsonl]",
)
@click.option(
    "--accept-lower-sequence",
    is_flag=True,
    help="Accept a lower sequence number once, after the ledger of the service was recreated.",
)
@click.option("--once", is_flag=True, help="Poll once, act, and report the result by the exit code.")
def guard(**values: Any) -> int:
    """Poll the verdicts of accounts, and run a command when one must be flat. See docs/guard.md.

    \b
    tearsheet guard --url https://tearsheet.example --account Sim101 \\
        --on-breach 'flatten --account Sim101' --on-unknown hold --token-file /run/secrets/token
    tearsheet guard --url https://tearsheet.example --all --shell \\
        --on-breach 'flatten --account "$TEARSHEET_VERDICT_ACCOUNT"' --on-unknown hold

    \b
    Exit codes: 0 stopped normally · 2 with --once: an account must be flat, and the command ran
                69 with --once: no usable verdict · 75 another guard runs, or the state file is not writable
                76 a command failed after all retries, it is unknown whether it ran, or a guard broke off
    """
    accounts = tuple(dict.fromkeys(values["accounts"]))
    if bool(accounts) == values["all_accounts"]:
        raise click.UsageError("specify the accounts with --account, or all of them with --all")
    with ExitStack() as files:
        launch = _Launch(files, values)
        if len(accounts) == 1:
            return _guard_one(launch, accounts[0], once=values["once"])
        return _guard_many(launch, accounts, once=values["once"])


class _Launch:
    """Guards as the options say; their state files are closed with `files`."""

    def __init__(self, files: ExitStack, values: dict[str, Any]) -> None:
        self._files, self._values = files, values
        self.every_s: float = values["every"]
        self.timeout_s: float = values["timeout"]
        self.address = ApiUrl(values["url"], values["ca_file"], allow_http=values["allow_http"])
        self.token = TokenFile(values["token_file"])
        self.token.headers()
        self._command = Command(values["command"], values["command_timeout"], shell=values["shell"])
        self._validation = ValidationLimits(values["max_skew"], values["max_data_age"])
        state: Path | None = values["state"]
        self.folder = _FOLDER if state is None else state

    def guard(self, account: str, source: VerdictSource, file: Path, *, every_s: float) -> Guard:
        """Return the guard of an account. Raises StoreError, SettingsError, UsageError."""
        values = self._values
        state_file = self._files.enter_context(closing(StateFile(file, account)))
        if values["accept_lower_sequence"]:
            state_file.state.sequence = 0
        audit_file = values["audit"] or _FOLDER / f"{_stem(account)}.audit.jsonl"
        options = GuardOptions(
            every_s, values["dead_after"], values["on_unknown"], values["retries"], values["repeat_if_unsure"]
        )
        audit = AuditLog(audit_file, account, click.echo)
        return Guard(options, self._validation, source, self._command, state_file, audit)

    def file(self, account: str) -> Path:
        """Return the state file of one of many accounts."""
        return self.folder / f"{_stem(account)}.json"


def _guard_one(launch: _Launch, account: str, *, once: bool) -> int:
    file = launch.folder if launch.folder is not _FOLDER else launch.file(account)
    client = VerdictClient(launch.address, launch.token, account, launch.timeout_s)
    guarding = launch.guard(account, client, file, every_s=launch.every_s)
    _end_on_signals(guarding.end)
    if not once:
        EventListener(launch.address, launch.token, account, guarding.wake).start()
    guarding.run(once=once)
    return _exit_code([guarding], once=once)


def _guard_many(launch: _Launch, accounts: Sequence[str], *, once: bool) -> int:
    """Guard several accounts; without names those that were guarded before, and all that the service judges."""
    shared = SharedVerdicts(launch.address, launch.token, launch.timeout_s)

    def make_guard(account: str) -> Guard:
        source = SharedVerdictSource(shared, account)
        return launch.guard(account, source, launch.file(account), every_s=OWN_POLL * launch.every_s)

    chosen = accounts or guarded_accounts(launch.folder)
    fleet = Fleet(make_guard, shared, chosen, launch.every_s, discovers=not accounts)
    _end_on_signals(fleet.end)
    if not once:
        EventListener(launch.address, launch.token, None, fleet.wake).start()
    fleet.run(once=once)
    if fleet.failed_accounts:
        return EXIT_GUARD_FAILED
    return _exit_code(fleet.guards.values(), once=once)


def _end_on_signals(end: Callable[[], None]) -> None:
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: end())


def _exit_code(guards: Collection[Guard], *, once: bool) -> int:
    """Return the worst of the guards' exit codes; none at all is unknown."""
    if any(one.failed for one in guards):
        return EXIT_GUARD_FAILED
    if once and any(one.must_be_flat for one in guards):
        return EXIT_BREACH
    is_unknown = not guards or any(one.state == "unknown" for one in guards)
    return EXIT_UNKNOWN if once and is_unknown else EXIT_OK


def _stem(account: str) -> str:
    """Return the file name of an account; unsafe characters are replaced, a hash keeps the name unique."""
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", account)[:60]
    return stem if stem == account else f"{stem}-{hashlib.sha256(account.encode()).hexdigest()[:8]}"


COMMANDS = {"guard": guard}
