"""The HTTP API and dashboard: `create_app()` for any WSGI server, `server.gunicorn_server.serve` for gunicorn."""

from collections.abc import Callable
from datetime import UTC, datetime

from flask import Flask

from tearsheet.settings import Settings


def create_app(
    settings: Settings | None = None, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Flask:
    """Return the WSGI application; without settings, those of the environment are loaded.

    `clock` returns the current time (UTC). The ledger is opened by the first request, and again after
    a failure. Raises SettingsError.
    """
    # imported here because the Prometheus client reads PROMETHEUS_MULTIPROC_DIR when it is imported
    from tearsheet.web.app import create_application

    return create_application(settings, clock)


def import_application() -> None:
    """Import the application's modules, so that worker processes forked later share them and start at once."""
    # imported here because the Prometheus client reads PROMETHEUS_MULTIPROC_DIR when it is imported
    import tearsheet.web.app  # noqa: F401
