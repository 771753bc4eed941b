"""The commands of those who host the API: serve, tokens."""

from datetime import UTC, datetime

import click
from msgspec.structs import replace

from tearsheet import log
from tearsheet.cli.tables import columns
from tearsheet.settings import Settings


@click.command(short_help="The HTTP API.")
@click.option("--host", help="Address to listen at.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen at.  [default: 5000]")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes.  [default: 2]")
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Threads of each process; more than one for clients that keep a request open.",
)
@click.option(
    "--allow-anonymous-read",
    is_flag=True,
    help="Let anybody who reaches it read, as in a network that you trust.",
)
def serve(
    host: str | None,
    port: int | None,
    workers: int | None,
    threads: int,
    allow_anonymous_read: bool,
) -> None:
    """Answer HTTP requests until stopped; /docs describes them.

    \b
    Without a token it answers this machine only. For others:
      tearsheet tokens add risk-desk             a token that may read
      tearsheet tokens add bot --write           one that may write too
      tearsheet serve --host 0.0.0.0
    """
    from tearsheet.web import create_app
    from tearsheet.web.serving import serve as run

    settings = Settings.load()
    given = {"host": host, "port": port, "workers": workers}
    settings = replace(
        settings,
        **{name: value for name, value in given.items() if value is not None},
        anonymous_read=settings.anonymous_read or allow_anonymous_read,
    )
    verbose = click.get_current_context().find_root().obj or 0
    log.configure(settings, verbose=max(verbose, 1))
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    click.echo(f"Tearsheet listens at http://{shown}:{settings.port} (docs at /docs)", err=True)
    run(settings, lambda: create_app(settings), threads=threads)


@click.group(short_help="Who may ask the API.")
def tokens() -> None:
    """Who may ask the API: bearer tokens, of which only the hash is kept."""


@tokens.command("add")
@click.argument("name")
@click.option("--write", is_flag=True, help="Let it write too; else it may read only.")
def add_token(name: str, write: bool) -> None:
    """Make a token and print it, this once."""
    from tearsheet.web.access import Tokens

    kept = Tokens(Settings.load().tokens_file)
    click.echo(kept.add(name, "write" if write else "read", datetime.now(UTC)))


@tokens.command("list")
def list_tokens() -> None:
    """Every token's name and what it allows."""
    from tearsheet.web.access import Tokens

    kept = Tokens(Settings.load().tokens_file).all()
    rows = [(token.name, token.right, f"{token.made_at:%Y-%m-%d %H:%M}") for token in kept]
    click.echo(columns(("name", "may", "made (UTC)"), rows, "lll") if rows else "No tokens.")


@tokens.command("revoke")
@click.argument("name")
def revoke_token(name: str) -> None:
    """Take a token back; it is refused from the next request on."""
    from tearsheet.web.access import Tokens

    Tokens(Settings.load().tokens_file).revoke(name)
    click.echo(f"{name} is revoked.")


COMMANDS = {"serve": serve, "tokens": tokens}
