"""The application with a clock that stands where a file says, for servers of several processes."""

import os
from datetime import datetime
from pathlib import Path

from flask import Flask

from tearsheet import log
from tearsheet.settings import Settings
from tearsheet.web import create_app


def app() -> Flask:
    """The application from the environment; `CLOCK_FILE` holds the present instant."""
    file = Path(os.environ["CLOCK_FILE"])
    settings = Settings.load()
    log.configure(settings, verbose=1)
    return create_app(settings, lambda: datetime.fromisoformat(file.read_text()))
