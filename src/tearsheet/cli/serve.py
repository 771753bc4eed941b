"""The commands serve and tokens."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from tearsheet import log
from tearsheet.cli.tables import columns
from tearsheet.errors import UsageError
from tearsheet.settings import Settings


@click.command(short_help="The HTTP API.")
@click.option("--host", help="Address to listen at.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen at.  [default: 5000]")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes.  [default: 2]")
@click.option("--threads", type=int, hidden=True, expose_value=False, callback=lambda *_: None)
@click.option(
    "--allow-anonymous-read",
    is_flag=True,
    help="Let anybody who reaches it read, as in a network that you trust.",
)
@click.option("--watch", is_flag=True, help="Run `tearsheet watch` beside it, as a process of its own.")
@click.option(
    "--statements",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="With --watch: also import what is dropped into this folder.",
)
def serve(
    host: str | None,
    port: int | None,
    workers: int | None,
    allow_anonymous_read: bool,
    watch: bool,
    statements: tuple[Path, ...],
) -> None:
    """Answer HTTP requests until stopped; /docs describes them.

    \b
    Without a token it answers this machine only. For others:
      tearsheet tokens add risk-desk             a token that may read
      tearsheet tokens add bot --write           one that may write too
      tearsheet tokens add chief --risk          one that may lift breaches, loosen limits, change settings
      tearsheet serve --host 0.0.0.0
    """
    from tearsheet.web import create_app
    from tearsheet.web.server.gunicorn_server import serve as run

    if statements and not watch:
        raise UsageError("--statements is for a watcher", "say --watch too")
    settings = Settings.load()
    options = {"host": host, "port": port, "workers": workers}
    settings = settings.with_values(
        **{name: value for name, value in options.items() if value is not None},
        anonymous_read=settings.anonymous_read or allow_anonymous_read,
    )
    verbose = click.get_current_context().find_root().obj or 0
    log.configure(settings, verbose=max(verbose, 1))
    host_part = f"[{settings.host}]" if ":" in settings.host else settings.host
    click.echo(f"Tearsheet listens at http://{host_part}:{settings.port} (docs at /docs)", err=True)
    watch_command = list(_watch_command(statements, verbose)) if watch else None
    run(settings, lambda: create_app(settings), watch_command=watch_command)


def _watch_command(statements: tuple[Path, ...], verbose: int) -> Iterator[str]:
    """Yield the arguments of `tearsheet watch` in this installation; the server appends its process id."""
    yield from (sys.executable, "-c", "from tearsheet.cli import run; run()")
    yield from ["-v"] * verbose
    yield "watch"
    for folder in statements:
        yield from ("--statements", str(folder))
    yield "--while-parent"


@click.group(short_help="Who may ask the API.")
def tokens() -> None:
    """Who may ask the API: bearer tokens, of which only the hash is kept."""


@tokens.command("add")
@click.argument("name")
@click.option("--write", is_flag=True, help="Let it write too; else it may read only.")
@click.option(
    "--risk",
    "--desk",
    "risk",
    is_flag=True,
    help="Let it also lift breaches, loosen limits and change settings.",
)
def add_token(name: str, write: bool, risk: bool) -> None:
    """Make a token and print it, this once."""
    from tearsheet.web.http.auth import Permission, Tokens

    registry = Tokens(Settings.load().tokens_file)
    permission: Permission = "risk" if risk else "write" if write else "read"
    click.echo(registry.add(name, permission, datetime.now(UTC)))


@tokens.command("list")
def list_tokens() -> None:
    """Every token's name and what it allows."""
    from tearsheet.web.http.auth import Tokens

    entries = Tokens(Settings.load().tokens_file).all()
    rows = [(token.name, token.permission, f"{token.made_at:%Y-%m-%d %H:%M}") for token in entries]
    click.echo(columns(("name", "may", "made (UTC)"), rows, "lll") if rows else "No tokens.")


@tokens.command("revoke")
@click.argument("name")
def revoke_token(name: str) -> None:
    """Take a token back; it is refused from the next request on."""
    from tearsheet.web.http.auth import Tokens

    Tokens(Settings.load().tokens_file).revoke(name)
    click.echo(f"{name} is revoked.")


COMMANDS = {"serve": serve, "tokens": tokens}
