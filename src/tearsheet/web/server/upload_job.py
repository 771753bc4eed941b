"""Reads the files of an upload: first to see what they would change, then to bring them in."""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.imports.import_file import ImportJob, StatementOptions, describe_parse_rules, known_formats
from tearsheet.app.imports.preview import Preview, preview_change
from tearsheet.app.imports.uploads import (
    DetectedFormat,
    FileResult,
    ProgressWriter,
    Upload,
    UploadAction,
    UploadResult,
    UploadStore,
)
from tearsheet.app.reports import ImportReport
from tearsheet.errors import FormatError, InputError, StoreError, TearsheetError, UsageError
from tearsheet.tracker import PerformanceTracker

#: Rejected lines that are kept of a trial; those of an import are all in the ledger.
MOST_REJECTIONS = 10_000
_FILE_ERRORS = (FormatError, InputError, UsageError)


def run_upload(
    tracker: PerformanceTracker, uploads: UploadStore, upload: Upload, doing: UploadAction
) -> UploadResult:
    """Read an upload and say what came of it, also where the ledger failed; by who holds it."""
    work = _UploadJob(tracker, uploads, upload, doing)
    try:
        outcome = work.preview() if doing == "try" else work.import_all()
    except TearsheetError as error:
        outcome = UploadResult(doing, tracker.now, (), problem=error.message, hint=error.hint)
    uploads.save_result(upload.id, outcome)
    return outcome


class _UploadJob:
    """One reading of the files of an upload."""

    def __init__(
        self, tracker: PerformanceTracker, uploads: UploadStore, upload: Upload, doing: UploadAction
    ) -> None:
        self._tracker, self._uploads, self._upload = tracker, uploads, upload
        self._progress = ProgressWriter(uploads, upload, doing, tracker.now)
        self._problems: dict[int, FileResult] = {}
        self._formats: dict[int, DetectedFormat] = {}

    def preview(self) -> UploadResult:
        """What all files together would change; one that cannot be read is left out."""
        while True:
            left_out = len(self._problems)
            takes = self._open_jobs(self._tracker.now)
            preview = preview_change(self._tracker.ledger, lambda takes=takes: self._run_jobs(takes))  # type: ignore[misc]
            if len(self._problems) == left_out or not takes:
                return self._preview_result(preview)

    def import_all(self) -> UploadResult:
        """Bring in each file, in a transaction of its own; what the ledger refuses ends it."""
        files: list[FileResult] = []
        problem = hint = ""
        for number in range(len(self._upload.files)):
            self._progress.start_file(number)
            try:
                files.append(self._import_one(number))
            except StoreError as error:
                problem, hint = error.message, error.hint
                files.append(FileResult(problem=problem, hint=hint))
                break
        return UploadResult("keep", self._tracker.now, tuple(files), problem=problem, hint=hint)

    def _import_one(self, number: int) -> FileResult:
        path, file = self._uploads.path(self._upload.id, number), self._upload.files[number]
        try:
            report = self._tracker.import_file(
                path,
                name=file.name,
                who=self._upload.by,
                on_progress=self._progress,
                **file.said.to_statement_options(),
            )
        except _FILE_ERRORS as error:
            return self._failure(number, error)
        return FileResult(_truncate_rejections(report))

    def _open_jobs(self, now: datetime) -> Mapping[int, ImportJob]:
        """The files that can be recognised."""
        ledger, rules = self._tracker.ledger, booking_rules_from(self._tracker.settings)
        takes = {}
        for number, file in enumerate(self._upload.files):
            if number in self._problems:
                continue
            path = self._uploads.path(self._upload.id, number)
            options = StatementOptions(**file.said.to_statement_options())
            try:
                takes[number] = ImportJob(ledger, path, file.name, rules, options, now, self._progress)
            except _FILE_ERRORS as error:
                self._problems[number] = self._failure(number, error)
            else:
                self._formats[number] = _detected_format(takes[number])
        return takes

    def _run_jobs(self, takes: Mapping[int, ImportJob]) -> dict[int, ImportReport]:
        reports = {}
        for number, take in takes.items():
            self._progress.start_file(number)
            try:
                reports[number] = take.run()
            except _FILE_ERRORS as error:  # half of it was taken, so all is read again without it
                self._problems[number] = self._failure(number, error)
                break
        return reports

    def _preview_result(self, preview: Preview) -> UploadResult:
        reports: dict[int, ImportReport] = preview.report
        files = tuple(
            self._problems.get(number)
            or FileResult(_truncate_rejections(reports[number]), self._formats[number])
            for number in range(len(self._upload.files))
        )
        days, positions = tuple(preview.days), tuple(preview.positions)
        return UploadResult("try", self._tracker.now, files, days, positions)

    def _failure(self, number: int, error: TearsheetError) -> FileResult:
        """Why a file cannot be read, by its own name rather than ours."""
        path, name = (str(self._uploads.path(self._upload.id, number)), self._upload.files[number].name)
        return FileResult(None, None, error.message.replace(path, name), error.hint)


def _detected_format(take: ImportJob) -> DetectedFormat:
    if take.statement is None:
        return DetectedFormat(
            known_formats()["trade_log"].title, "stated with each time", "no doubt", "point"
        )
    formats, layout = known_formats(), take.statement.layout
    title = formats[layout].title if layout in formats else take.statement.detected.layout.title
    return DetectedFormat(title, *describe_parse_rules(take.statement))


def _truncate_rejections(report: ImportReport) -> ImportReport:
    return replace(report, rejections=report.rejections[:MOST_REJECTIONS])
