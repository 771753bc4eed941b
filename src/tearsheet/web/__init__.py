"""The HTTP API: `create_app()` for any WSGI server, `serving.serve` for gunicorn."""

from collections.abc import Callable
from datetime import UTC, datetime

from flask import Flask

from tearsheet.settings import Settings


def create_app(
    settings: Settings | None = None, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Flask:
    """The WSGI application by the settings of this place; `clock` gives the present instant (UTC).

    Raises SettingsError. The ledger is opened at the first request, and again after a failure.
    """
    # imported here because the Prometheus client settles where it counts when it is imported
    from tearsheet.web.app import create_application

    return create_application(settings, clock)
