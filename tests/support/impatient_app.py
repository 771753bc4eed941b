"""The service with little patience for workers that give no sign of life, for tests of what takes long."""

from tearsheet import log
from tearsheet.settings import Settings
from tearsheet.web import create_app, import_application
from tearsheet.web.server import context, gunicorn_server, tracker_pool

#: A worker gives a sign each second; the rest is for cores that are busy.
PATIENCE_S = 6

if __name__ == "__main__":
    context._BEAT_S = 0.5
    gunicorn_server._TIMEOUT_S = PATIENCE_S
    tracker_pool._WRITE_LOCK_TIMEOUT_S = 4.0 * PATIENCE_S  # a request may wait for a writer that long
    settings = Settings.load()
    log.configure(settings, verbose=1)
    gunicorn_server.serve(settings, lambda: create_app(settings), preload=import_application)
