"""The commands serve, open and tokens."""

import os
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import click

from tearsheet import log
from tearsheet.cli.options import check_paths
from tearsheet.cli.tables import columns
from tearsheet.errors import UsageError
from tearsheet.settings import Settings

_START_PATIENCE_S = 20


@click.command(short_help="Serve the HTTP API and the dashboard.")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on.  [default: 5000]")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes.  [default: 2]")
@click.option("--threads", type=int, hidden=True, expose_value=False, callback=lambda *_: None)
@click.option(
    "--allow-anonymous-read",
    is_flag=True,
    help="Allow reading without a token, for a network that you trust.",
)
@click.option("--watch", is_flag=True, help="Also run `tearsheet watch`, as a separate process.")
@click.option(
    "--statements",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="With --watch: also import the files of this folder.",
)
def serve(
    host: str | None,
    port: int | None,
    workers: int | None,
    allow_anonymous_read: bool,
    watch: bool,
    statements: tuple[Path, ...],
) -> None:
    """Run the dashboard and the HTTP API until stopped. The API reference is at /docs.

    \b
    Without tokens, only this machine has access. For other machines:
      tearsheet tokens add risk-desk             a token to read
      tearsheet tokens add bot --write           a token to read and write
      tearsheet tokens add chief --risk          also to release breaches, loosen limits, change settings
      tearsheet serve --host 0.0.0.0
    """
    from tearsheet.web import create_app, import_application
    from tearsheet.web.server.gunicorn_server import serve as run

    if statements and not watch:
        raise UsageError("--statements needs a watcher", "add --watch")
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
    check_paths(settings, [folder.expanduser().absolute() for folder in statements])
    watch_command = list(_watch_command(statements, verbose)) if watch else None
    run(settings, lambda: create_app(settings), preload=import_application, watch_command=watch_command)


def _watch_command(statements: tuple[Path, ...], verbose: int) -> Iterator[str]:
    """Yield the arguments of `tearsheet watch` in this installation; the server appends its process id."""
    yield from (sys.executable, "-c", "from tearsheet.cli import run; run()")
    yield from ["-v"] * verbose
    yield "watch"
    for folder in statements:
        yield from ("--statements", str(folder))
    yield "--while-parent"


@click.command("open", short_help="Look at a folder's results in the browser.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Port to listen on.  [default: 5000, or a free one]"
)
@click.option("--no-browser", is_flag=True, help="Only say the address.")
def open_folder(folder: Path, port: int | None, no_browser: bool) -> None:
    """Serve the dashboard of FOLDER to this machine until stopped, and open it in the browser.

    FOLDER holds the ledger and the settings; one that does not exist is made. Without a file in it yet, the
    first page takes one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the folder {folder} cannot be made: {error.strerror}", "name another") from error
    settings = Settings.load(os.environ, folder.resolve())
    log.configure(settings, verbose=click.get_current_context().find_root().obj or 0)
    serve_local(settings, port=port, browser=not no_browser)


def serve_local(settings: Settings, *, port: int | None = None, browser: bool = False) -> None:
    """Serve to this machine on a port (default: the configured one, else a free one), until stopped."""
    from tearsheet.web import create_app, import_application
    from tearsheet.web.server.gunicorn_server import serve

    chosen = _free_port(settings.port if port is None else port, any_other=port is None)
    local = settings.with_values(host="127.0.0.1", port=chosen, workers=1)
    address = f"http://127.0.0.1:{chosen}"
    click.echo(f"Tearsheet is open at {address}/   (Ctrl-C ends it)")
    if browser and _has_browser():
        threading.Thread(target=_open_when_ready, args=(address,), daemon=True).start()
    serve(local, lambda: create_app(local), preload=import_application)


def _free_port(preferred: int, *, any_other: bool) -> int:
    for port in (preferred, 0) if any_other else (preferred,):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(listener.getsockname()[1])
    raise UsageError(f"port {preferred} at 127.0.0.1 is in use", "name another, or leave --port out")


def _has_browser() -> bool:
    """Return whether a browser with a window can be opened here."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _open_when_ready(address: str) -> None:
    """Open the browser once the service answers."""
    deadline = time.monotonic() + _START_PATIENCE_S
    while time.monotonic() < deadline:
        try:
            with urlopen(f"{address}/healthz", timeout=2):
                webbrowser.open(f"{address}/")
                return
        except (URLError, OSError):
            time.sleep(0.1)


@click.group(short_help="Manage API tokens.")
def tokens() -> None:
    """Manage API tokens. Only their hashes are stored."""


@tokens.command("add")
@click.argument("name")
@click.option("--write", is_flag=True, help="Allow writing too; by default a token only reads.")
@click.option(
    "--risk",
    "--desk",
    "risk",
    is_flag=True,
    help="Also allow releasing breaches, loosening limits and changing settings.",
)
def add_token(name: str, write: bool, risk: bool) -> None:
    """Create a token and print it; it is never shown again."""
    from tearsheet.web.http.auth import Permission, Tokens

    registry = Tokens(Settings.load().tokens_file)
    permission: Permission = "risk" if risk else "write" if write else "read"
    click.echo(registry.add(name, permission, datetime.now(UTC)))


@tokens.command("list")
def list_tokens() -> None:
    """List the tokens with their permissions."""
    from tearsheet.web.http.auth import Tokens

    entries = Tokens(Settings.load().tokens_file).all()
    rows = [(token.name, token.permission, f"{token.made_at:%Y-%m-%d %H:%M}") for token in entries]
    click.echo(columns(("name", "may", "made (UTC)"), rows, "lll") if rows else "No tokens.")


@tokens.command("revoke")
@click.argument("name")
def revoke_token(name: str) -> None:
    """Revoke a token; the next request with it is rejected."""
    from tearsheet.web.http.auth import Tokens

    Tokens(Settings.load().tokens_file).revoke(name)
    click.echo(f"{name} is revoked.")


COMMANDS = {"serve": serve, "open": open_folder, "tokens": tokens}
