"""Reads the files of an upload: first to see what they would change, then to bring them in."""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from tearsheet.app.book_rules import book_rules
from tearsheet.app.imports.import_file import StatementOptions, Taking, describe_parse_rules, known_formats
from tearsheet.app.imports.preview import Preview, previewed
from tearsheet.app.imports.uploads import Doing, Noting, Outcome, Seen, Taken, Upload, Uploads
from tearsheet.app.reports import ImportReport
from tearsheet.errors import FormatError, InputError, StoreError, TearsheetError, UsageError
from tearsheet.tracker import PerformanceTracker

#: Rejected lines that are kept of a trial; those of an import are all in the ledger.
MOST_REJECTIONS = 10_000
_FILE_ERRORS = (FormatError, InputError, UsageError)


def work_on(tracker: PerformanceTracker, uploads: Uploads, upload: Upload, doing: Doing) -> Outcome:
    """Read an upload and say what came of it, also where the ledger failed; by who holds it."""
    work = _UploadJob(tracker, uploads, upload, doing)
    try:
        outcome = work.tried() if doing == "try" else work.kept()
    except TearsheetError as error:
        outcome = Outcome(doing, tracker.now, (), problem=error.message, hint=error.hint)
    uploads.finish(upload.id, outcome)
    return outcome


class _UploadJob:
    """One reading of the files of an upload."""

    def __init__(self, tracker: PerformanceTracker, uploads: Uploads, upload: Upload, doing: Doing) -> None:
        self._tracker, self._uploads, self._upload = tracker, uploads, upload
        self._progress = Noting(uploads, upload, doing, tracker.now)
        self._problems: dict[int, Taken] = {}
        self._seen: dict[int, Seen] = {}

    def tried(self) -> Outcome:
        """What all files together would change; one that cannot be read is left out."""
        while True:
            left_out = len(self._problems)
            takes = self._opened(self._tracker.now)
            preview = previewed(self._tracker.ledger, lambda takes=takes: self._read(takes))  # type: ignore[misc]
            if len(self._problems) == left_out or not takes:
                return self._preview_result(preview)

    def kept(self) -> Outcome:
        """Bring in each file, in a transaction of its own; what the ledger refuses ends it."""
        files: list[Taken] = []
        problem = hint = ""
        for number in range(len(self._upload.files)):
            self._progress.begin(number)
            try:
                files.append(self._kept(number))
            except StoreError as error:
                problem, hint = error.message, error.hint
                files.append(Taken(problem=problem, hint=hint))
                break
        return Outcome("keep", self._tracker.now, tuple(files), problem=problem, hint=hint)

    def _kept(self, number: int) -> Taken:
        path, file = self._uploads.path(self._upload.id, number), self._upload.files[number]
        try:
            report = self._tracker.import_file(
                path, name=file.name, who=self._upload.by, on_progress=self._progress, **file.said.options()
            )
        except _FILE_ERRORS as error:
            return self._trouble(number, error)
        return Taken(_truncate_rejections(report))

    def _opened(self, now: datetime) -> Mapping[int, Taking]:
        """The files that can be recognised."""
        ledger, rules = self._tracker.ledger, book_rules(self._tracker.settings)
        takes = {}
        for number, file in enumerate(self._upload.files):
            if number in self._problems:
                continue
            path = self._uploads.path(self._upload.id, number)
            options = StatementOptions(**file.said.options())
            try:
                takes[number] = Taking(ledger, path, file.name, rules, options, now, self._progress)
            except _FILE_ERRORS as error:
                self._problems[number] = self._trouble(number, error)
            else:
                self._seen[number] = _seen(takes[number])
        return takes

    def _read(self, takes: Mapping[int, Taking]) -> dict[int, ImportReport]:
        reports = {}
        for number, take in takes.items():
            self._progress.begin(number)
            try:
                reports[number] = take.all()
            except _FILE_ERRORS as error:  # half of it was taken, so all is read again without it
                self._problems[number] = self._trouble(number, error)
                break
        return reports

    def _preview_result(self, preview: Preview) -> Outcome:
        reports: dict[int, ImportReport] = preview.report
        files = tuple(
            self._problems.get(number) or Taken(_truncate_rejections(reports[number]), self._seen[number])
            for number in range(len(self._upload.files))
        )
        days, positions = tuple(preview.days), tuple(preview.positions)
        return Outcome("try", self._tracker.now, files, days, positions)

    def _trouble(self, number: int, error: TearsheetError) -> Taken:
        """Why a file cannot be read, by its own name rather than ours."""
        path, name = (str(self._uploads.path(self._upload.id, number)), self._upload.files[number].name)
        return Taken(None, None, error.message.replace(path, name), error.hint)


def _seen(take: Taking) -> Seen:
    if take.statement is None:
        return Seen(known_formats()["trade_log"].title, "stated with each time", "no doubt", "point")
    formats, layout = known_formats(), take.statement.layout
    title = formats[layout].title if layout in formats else take.statement.detected.layout.title
    return Seen(title, *describe_parse_rules(take.statement))


def _truncate_rejections(report: ImportReport) -> ImportReport:
    return replace(report, rejections=report.rejections[:MOST_REJECTIONS])
