"""The documented address of the gunicorn worker: `gunicorn --worker-class tearsheet.web.worker.StreamingWorker`."""

from tearsheet.web.server.gunicorn_worker import BufferedWorker as StreamingWorker

__all__ = ["StreamingWorker"]
