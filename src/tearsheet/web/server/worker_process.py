"""What the application asks of the process that it runs in.

Apart from `context`, since the server imports it before the Prometheus client may be imported.
"""


class WorkerProcess:
    """Process that runs the application; this default has no timeout and ends without notice."""

    def beat(self) -> None:
        """Report progress, so that the server does not replace the process as hung."""

    @property
    def is_ending(self) -> bool:
        """Return whether the process ends soon, so that event streams must end."""
        return False
