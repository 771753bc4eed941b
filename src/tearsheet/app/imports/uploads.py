"""Uploads: files sent for import that await confirmation, stored in a folder shared by all processes.

Each upload has its own folder with the files, their options, the progress and the result. A process that
reads an upload holds its file lock; the operating system releases the lock when the process ends.
"""

import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from tearsheet import shared_files
from tearsheet.app.imports.import_file import DetectedFormat
from tearsheet.app.imports.preview import DayChange, PositionChange
from tearsheet.app.imports.previewed_trades import PreviewedTrade
from tearsheet.app.reports import ImportReport
from tearsheet.errors import InputError, NotFoundError, UsageError
from tearsheet.export.files import replace_file
from tearsheet.shared_files import exclusive_lock
from tearsheet.sources.layouts.mapping import FeeSign
from tearsheet.sources.statements.diagnosis import ColumnSample
from tearsheet.sources.statements.options import StatementOptions

T = TypeVar("T")
#: `try` previews the files, `keep` imports them.
UploadAction = Literal["try", "keep"]
#: Time after its last change at which an upload expires.
RETENTION = timedelta(days=1)
_UNSAFE = re.compile(r"[^A-Za-z0-9+._-]")
_ID = re.compile(r"[0-9a-f]{32}")
_UPLOAD, _PROGRESS, _RESULT, _LOCK = "upload.json", "progress.json", "outcome.json", "lock"
#: Minimum seconds between two writes of the progress.
_PROGRESS_EVERY_S = 0.2
#: Seconds to wait for the lock, which `is_locked` holds briefly.
_LOCK_TIMEOUT_S = 0.5


class FileOptions(Struct, frozen=True):
    """Import options of an uploaded file; None means detected. Those that are `asked` have a proposal until stated."""

    layout: str | None = None
    account: str | None = None
    timezone: str | None = None
    date_order: Literal["day-first", "month-first"] | None = None
    decimal_mark: Literal[".", ","] | None = None
    mapping: dict[str, str] = {}
    fee_sign: FeeSign | None = None
    day: date | None = None
    currency: str | None = None
    #: options that the file leaves open, so that the page goes on to ask for them
    asked: tuple[str, ...] = ()
    #: it is imported even if its trades look like some that are there at a shift of a time zone
    other_trades: bool = False

    def to_statement_options(self) -> StatementOptions:
        """Return the options with their time zone loaded."""
        return StatementOptions(
            timezone=None if self.timezone is None else ZoneInfo(self.timezone),
            account=self.account,
            layout=self.layout,
            date_order=self.date_order,
            decimal_mark=self.decimal_mark,
            mapping=self.mapping,
            fee_sign=self.fee_sign,
            day=self.day,
            currency=self.currency,
        )


class UploadedFile(Struct, frozen=True):
    """An uploaded file: name, size in bytes, and import options."""

    name: str
    size: int
    options: FileOptions = field(name="said")


class Upload(Struct, frozen=True):
    """Files that were sent in one request, with sender and time; `zone` is the time zone of the sender's browser."""

    id: str
    by: str
    at: datetime
    files: tuple[UploadedFile, ...]
    zone: str = ""


class UploadProgress(Struct, frozen=True):
    """Progress of a preview or import: index of the file and bytes done; `phase` is reading or booking."""

    action: UploadAction = field(name="doing")
    file: int
    phase: str
    done: int
    total: int
    began_at: datetime


class FileResult(Struct, frozen=True):
    """Result of one file: a report and the time of its first fill, or the error with its hint and the columns."""

    report: ImportReport | None = None
    detected_format: DetectedFormat | None = field(default=None, name="seen")
    problem: str = ""
    hint: str = ""
    columns: tuple[ColumnSample, ...] = ()
    first_at: datetime | None = None


class UploadResult(Struct, frozen=True):
    """Result of an upload: every day and position that its import changes or would change, and the latest trades.

    `fees_unstated` counts fills without a fee, whose results are before fees.
    """

    action: UploadAction = field(name="doing")
    at: datetime
    files: tuple[FileResult, ...]
    days: tuple[DayChange, ...] = ()
    positions: tuple[PositionChange, ...] = ()
    problem: str = ""
    hint: str = ""
    trades: tuple[PreviewedTrade, ...] = ()
    fees_unstated: int = 0

    @property
    def closed(self) -> int:
        """The number of trades that are closed by it."""
        return sum(one.closed_after - one.closed_before for one in self.positions)

    @property
    def can_import(self) -> bool:
        """Whether at least one file is readable and was not imported before."""
        return any(file.report is not None and not file.report.repeated for file in self.files)


class UploadStore:
    """Store of uploads in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(
        self,
        by: str,
        now: datetime,
        files: Sequence[tuple[str, FileOptions, Callable[[Path], None]]],
        zone: str = "",
    ) -> Upload:
        """Save an upload; each file is a name, its options, and a function that writes it to a path.

        Raises InputError if the folder cannot be written.
        """
        identity = secrets.token_hex(16)
        place = self._folder / identity
        try:
            place.mkdir(mode=0o700, parents=True)
            sent = []
            for number, (name, options, save) in enumerate(files):
                path = place / _stored_name(number, name)
                save(path)
                sent.append(UploadedFile(name, path.stat().st_size, options))
            upload = Upload(identity, by, now, tuple(sent), zone)
            self._write(identity, _UPLOAD, upload)
        except OSError as error:
            shutil.rmtree(place, ignore_errors=True)
            raise InputError(
                f"cannot save the upload in {self._folder}: {error.strerror or error}",
                "check TEARSHEET_UPLOAD_DIR, its permissions and the free disk space",
            ) from error
        return upload

    def get(self, identity: str) -> Upload:
        """Return an upload. Raises NotFoundError."""
        found = self._read(identity, _UPLOAD, Upload)
        if found is None:
            raise NotFoundError(
                "the upload has expired", "upload the files again (uploads are kept for one day)"
            )
        return found

    def set_options(self, identity: str, number: int, options: FileOptions) -> Upload:
        """Replace the options of a file and delete the previous result.

        Raises NotFoundError; UsageError if the upload is locked.
        """
        with self.lock(identity):
            upload = self.get(identity)
            if not 0 <= number < len(upload.files):
                raise NotFoundError(f"there is no file {number}", "choose one on the page")
            asked = upload.files[number].options.asked
            upload = self.save_options(upload, number, replace(options, asked=asked))
            self.clear_result(identity)
        return upload

    def save_options(self, upload: Upload, number: int, options: FileOptions) -> Upload:
        """Save the options of a file; the caller holds the lock."""
        files = list(upload.files)
        files[number] = replace(files[number], options=options)
        upload = replace(upload, files=tuple(files))
        self._write(upload.id, _UPLOAD, upload)
        return upload

    def path(self, identity: str, number: int) -> Path:
        """Return the path of an uploaded file."""
        return self._upload_folder(identity) / _stored_name(number, self.get(identity).files[number].name)

    def result(self, identity: str) -> UploadResult | None:
        """Return the result of an upload; None while it has no result."""
        return self._read(identity, _RESULT, UploadResult)

    def progress(self, identity: str) -> UploadProgress | None:
        """Return the progress that was recorded last; None before the first record."""
        return self._read(identity, _PROGRESS, UploadProgress)

    def save_result(self, identity: str, outcome: UploadResult) -> None:
        """Save the result of an upload; after a successful import, delete its files."""
        self._write(identity, _RESULT, outcome)
        if outcome.action == "keep" and not outcome.problem:
            for path in self._upload_folder(identity).glob("[0-9]*"):
                path.unlink()

    def clear_result(self, identity: str) -> None:
        """Delete the result and the progress of an upload."""
        for name in (_RESULT, _PROGRESS):
            (self._upload_folder(identity) / name).unlink(missing_ok=True)

    def record_progress(self, identity: str, progress: UploadProgress) -> None:
        """Record the progress, without fsync: losing it does no harm."""
        path = self._upload_folder(identity) / _PROGRESS
        shared_files.replace_file(path, msgspec.json.encode(progress), durable=False)

    @contextmanager
    def lock(self, identity: str) -> Iterator[None]:
        """Hold the exclusive lock of an upload. Raises UsageError if another process holds it, NotFoundError."""
        place = self._upload_folder(identity)
        if not place.is_dir():
            self.get(identity)
        with exclusive_lock(place / _LOCK, timeout_s=_LOCK_TIMEOUT_S, mode=0o600) as is_mine:
            if not is_mine:
                raise UsageError("these files are already being read", "wait until it has finished")
            yield

    def is_locked(self, identity: str) -> bool:
        """Return whether a process holds the lock of an upload."""
        with exclusive_lock(self._upload_folder(identity) / _LOCK, mode=0o600) as is_mine:
            return not is_mine

    def discard(self, identity: str) -> None:
        """Delete an upload. Raises UsageError while it is locked, NotFoundError."""
        with self.lock(identity):
            shutil.rmtree(self._upload_folder(identity), ignore_errors=True)

    def remove_expired(self) -> None:
        """Delete the uploads that did not change within `RETENTION`, except those that are locked."""
        since = time.time() - RETENTION / timedelta(seconds=1)
        for place in self._folder.glob("*") if self._folder.is_dir() else ():
            with suppress(OSError, UsageError, NotFoundError):
                if _ID.fullmatch(place.name) and place.stat().st_mtime < since:
                    self.discard(place.name)

    def _upload_folder(self, identity: str) -> Path:
        if not _ID.fullmatch(identity):
            raise NotFoundError("upload not found", "upload the files again")
        return self._folder / identity

    def _write(self, identity: str, name: str, value: Struct) -> None:
        replace_file(self._upload_folder(identity) / name, msgspec.json.encode(value), mode=0o600)

    def _read(self, identity: str, name: str, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode((self._upload_folder(identity) / name).read_bytes(), type=kind)
        except (FileNotFoundError, NotADirectoryError):
            return None


def safe_name(name: str) -> str:
    """Return the last 100 characters of a file name, with characters unsafe in paths replaced."""
    return _UNSAFE.sub("_", name)[-100:]


def _stored_name(number: int, name: str) -> str:
    return f"{number}-{safe_name(name)}"


class ProgressWriter:
    """Progress callback of an upload, limited to one write per 0.2 s while reading."""

    def __init__(self, uploads: UploadStore, upload: Upload, action: UploadAction, now: datetime) -> None:
        self._uploads, self._upload = uploads, upload
        self._action, self._started_at = action, now
        self._file, self._next = 0, 0.0

    def start_file(self, number: int) -> None:
        """Start the progress of a file."""
        self._file = number
        self._write("reading", 0, self._upload.files[number].size)

    def __call__(self, done: int, total: int, name: str) -> None:
        """Record the progress; called as `OnProgress`."""
        phase = "booking" if name == "booking" else "reading"
        if phase == "booking" or time.monotonic() >= self._next:
            self._write(phase, done, total)

    def _write(self, phase: str, done: int, total: int) -> None:
        self._next = time.monotonic() + _PROGRESS_EVERY_S
        progress = UploadProgress(self._action, self._file, phase, done, total, self._started_at)
        self._uploads.record_progress(self._upload.id, progress)
