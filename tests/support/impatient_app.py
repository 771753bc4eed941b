"""The service with little patience for workers that give no sign of life, for tests of what takes long."""

from tearsheet import log
from tearsheet.settings import Settings
from tearsheet.web import create_app
from tearsheet.web.server import context as served
from tearsheet.web.server import gunicorn_server as serving

PATIENCE_S = 2

if __name__ == "__main__":
    served._BEAT_S = 0.5
    serving._TIMEOUT_S = PATIENCE_S
    settings = Settings.load()
    log.configure(settings, verbose=1)
    serving.serve(settings, lambda: create_app(settings))
