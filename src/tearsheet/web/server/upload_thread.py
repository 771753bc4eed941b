"""Reads uploads in a thread of its own, so that no request waits for it and none that breaks off ends it."""

import threading

from tearsheet.app.imports.uploads import Upload, UploadAction, UploadResult, UploadStore
from tearsheet.errors import TearsheetError, UsageError
from tearsheet.web.server.context import AppContext
from tearsheet.web.server.upload_job import run_upload

#: How long a request waits, so that a small file is answered at once.
WAIT_S = 1.5
#: How long the reading waits for another writer.
_LOCK_TIMEOUT_S = 60.0


class UploadThread:
    """Reads uploads beside the requests of this process.

    A worker that is told to end waits for its threads; one that is killed leaves a transaction that
    never was, and a lock that is free again.
    """

    def __init__(self, served: AppContext, uploads: UploadStore) -> None:
        self._served, self._uploads = served, uploads

    def start(self, upload: Upload, doing: UploadAction) -> None:
        """Begin to read, and wait a little for the end. One that is being read already is left alone."""
        thread = threading.Thread(
            target=self._read, args=(upload, doing), name=f"upload {upload.id}", daemon=False
        )
        thread.start()
        thread.join(WAIT_S)

    def _read(self, upload: Upload, doing: UploadAction) -> None:
        try:
            with self._uploads.lock(upload.id):
                if self._is_already_imported(upload):
                    return
                self._uploads.clear_result(upload.id)
                self._run(upload, doing)
        except UsageError:  # another process reads it
            return
        finally:
            self._served.trackers.discard()

    def _is_already_imported(self, upload: Upload) -> bool:
        """Whether it was brought in before, so that saying so twice changes nothing."""
        outcome = self._uploads.result(upload.id)
        return outcome is not None and outcome.doing == "keep" and not outcome.problem

    def _run(self, upload: Upload, doing: UploadAction) -> None:
        try:
            with self._served.trackers.borrow() as tracker, tracker.ledger.lock_timeout(_LOCK_TIMEOUT_S):
                run_upload(tracker, self._uploads, upload, doing)
        except TearsheetError as error:  # the ledger cannot even be opened
            now = self._served.now
            outcome = UploadResult(doing, now, (), problem=error.message, hint=error.hint)
            self._uploads.save_result(upload.id, outcome)
