"""Preview or import an upload, in a thread that neither delays its request nor ends with it."""

import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.column_guess import guess_mapping, is_enough
from tearsheet.app.imports.import_file import (
    DetectedFormat,
    FileImport,
    ImportJob,
    column_samples_of,
    import_file,
    mapping_name,
    save_mapping,
)
from tearsheet.app.imports.preview import Preview, preview_change
from tearsheet.app.imports.previewed_trades import ImportedTrades, imported_trades
from tearsheet.app.imports.uploads import (
    FileResult,
    ProgressWriter,
    Upload,
    UploadAction,
    UploadResult,
    UploadStore,
)
from tearsheet.app.reconcile.kept_tie_out import tie_out_import
from tearsheet.app.reconcile.tie_out import tie_out_within
from tearsheet.app.reports import ImportReport
from tearsheet.errors import FormatError, InputError, StoreError, TearsheetError, UsageError
from tearsheet.web.server.context import AppContext

#: Rejected rows stored with a preview; those of an import are all in the ledger.
_MAX_REJECTIONS = 10_000
_FILE_ERRORS = (FormatError, InputError, UsageError)
#: Trades that a preview lists.
_MAX_TRADES = 100
#: What the rows of a file are rejected for that leaves open whose they are, or in which time zone.
_OPEN = {"account": "account is empty", "timezone": "time has no zone"}
#: The account that is proposed for a file whose format names no broker.
_USUAL_ACCOUNT = "Main"
#: Titles of formats that are no broker's.
_OWN_TITLES = ("Your mapping", "Generic fills (CSV)", "Generic events (CSV)", "Trade log (JSON Lines)")


def _equals_preview(result: UploadResult, seen: UploadResult) -> bool:
    """Return whether an import brought what its preview said, and not less, as where it was imported meanwhile."""
    counts = [
        [None if one.report is None else (one.report.new, one.report.repeated) for one in side.files]
        for side in (result, seen)
    ]
    return counts[0] == counts[1] and None not in counts[0]


#: How long a request waits for the result, so that small files are answered directly.
WAIT_S = 1.5
#: How long an upload waits for another writer.
_LOCK_TIMEOUT_S = 60.0


class UploadThread:
    """Threads that process uploads.

    A worker that stops waits for them; if it is killed, their transaction is rolled back and their lock freed.
    """

    def __init__(self, app_context: AppContext, uploads: UploadStore) -> None:
        self._app_context, self._uploads = app_context, uploads

    def start(self, upload: Upload, action: UploadAction) -> None:
        """Start to process an upload and wait a moment; one in progress is left alone."""
        thread = threading.Thread(
            target=self._run, args=(upload, action), name=f"upload {upload.id}", daemon=False
        )
        thread.start()
        thread.join(WAIT_S)

    def _run(self, upload: Upload, action: UploadAction) -> None:
        try:
            with self._uploads.lock(upload.id):
                if not self._is_imported(upload):
                    upload, seen = self._uploads.get(upload.id), self._uploads.result(upload.id)
                    self._uploads.clear_result(upload.id)
                    result = self._result(upload, action)
                    if action == "keep" and seen is not None and _equals_preview(result, seen):
                        result = replace(
                            result,
                            days=seen.days,
                            positions=seen.positions,
                            trades=seen.trades,
                            fees_unstated=seen.fees_unstated,
                        )
                    self._uploads.save_result(upload.id, result)
        except UsageError:  # another process holds the lock
            return
        finally:
            self._app_context.tracker_pool.discard()

    def _is_imported(self, upload: Upload) -> bool:
        result = self._uploads.result(upload.id)
        return result is not None and result.action == "keep" and not result.problem

    def _result(self, upload: Upload, action: UploadAction) -> UploadResult:
        """Process an upload; an error of the ledger becomes its result."""
        try:
            with (
                self._app_context.tracker_pool.borrow() as tracker,
                tracker.ledger.lock_timeout(_LOCK_TIMEOUT_S),
            ):
                job = _UploadJob(tracker, self._uploads, upload, action)
                return job.preview() if action == "try" else job.import_all()
        except TearsheetError as error:
            return UploadResult(action, self._app_context.now, (), problem=error.message, hint=error.hint)


class _UploadJob:
    """One preview or import of an upload's files."""

    def __init__(
        self, context: LedgerContext, uploads: UploadStore, upload: Upload, action: UploadAction
    ) -> None:
        self._context, self._uploads, self._upload = context, uploads, upload
        self._progress = ProgressWriter(uploads, upload, action, context.now)
        self._problems: dict[int, FileResult] = {}
        self._formats: dict[int, DetectedFormat] = {}

    def preview(self) -> UploadResult:
        """Preview what all readable files together would change."""
        while True:
            unreadable = len(self._problems)
            imports = self._open_imports()
            preview = preview_change(self._context.ledger, partial(self._run_imports, imports))
            if (len(self._problems) == unreadable or not imports) and not self._propose_all(
                preview.report[0]
            ):
                return self._preview_result(preview)

    def _propose_all(self, reports: Mapping[int, ImportReport]) -> bool:
        """Propose what the rejected rows of files leave open; return whether anything is new."""
        proposed = False
        for number, report in reports.items():
            for name, reason in _OPEN.items():
                if any(row.reason.startswith(reason) for row in report.rejections):
                    proposed |= self._propose(number, name)
        return proposed

    def _propose(self, number: int, name: str) -> bool:
        """Propose the account or time zone that a file leaves open; return False if there is no new proposal."""
        options = self._upload.files[number].options
        if name in options.asked or getattr(options, name, None) is not None:
            return False
        value = self._upload.zone if name == "timezone" else self._broker_of(number)
        options = replace(options, asked=(*options.asked, name), **({name: value} if value else {}))
        self._upload = self._uploads.save_options(self._upload, number, options)
        return bool(value)

    def _broker_of(self, number: int) -> str:
        """Return the first word of the title of a file's format, which is the broker's name."""
        found = self._formats.get(number)
        title = found.title if found is not None else ""
        return title.split(" ")[0].rstrip(":,") if title and title not in _OWN_TITLES else _USUAL_ACCOUNT

    def import_all(self) -> UploadResult:
        """Import each file in a transaction of its own, until the ledger fails."""
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
        else:
            self._compare(files)
        return UploadResult("keep", self._context.now, tuple(files), problem=problem, hint=hint)

    def _compare(self, files: list[FileResult]) -> None:
        """Compare each file with the ledger once all are in it, since one may hold what another closes."""
        for number, file in enumerate(files):
            if file.report is not None:
                job = self._job(number, self._uploads.path(self._upload.id, number))
                file.report.tie_out = tie_out_import(self._context, job, file.report)

    def _import_one(self, number: int) -> FileResult:
        path = self._uploads.path(self._upload.id, number)
        try:
            report = import_file(self._context, self._job(number, path))
        except _FILE_ERRORS as error:
            return self._failure(number, error)
        self._remember_mapping(number)
        return FileResult(_truncate_rejections(report))

    def _remember_mapping(self, number: int) -> None:
        """Save the mapping of a file as a layout, so that files with these columns are recognized."""
        options = self._upload.files[number].options
        if options.mapping:
            name = mapping_name(options.mapping)
            folder = self._context.settings.layouts_dir
            if not (folder / f"{name}.toml").exists():
                options_with_folder = replace(options.to_statement_options(), layouts=folder)
                save_mapping(name, options_with_folder, Path(self._upload.files[number].name).stem[:60])

    def _job(self, number: int, path: Path) -> ImportJob:
        file = self._upload.files[number]
        options = file.options.to_statement_options()
        return ImportJob(
            path=path,
            name=file.name,
            options=options,
            other_trades=file.options.other_trades,
            who=self._upload.by,
            on_progress=self._progress,
        )

    def _open_imports(self) -> Mapping[int, FileImport]:
        """Open the readable files."""
        imports = {}
        for number in range(len(self._upload.files)):
            if number in self._problems:
                continue
            try:
                imports[number] = self._open(number)
            except _FILE_ERRORS as error:
                self._problems[number] = self._failure(number, error)
            else:
                self._formats[number] = imports[number].detected_format
        return imports

    def _open(self, number: int) -> FileImport:
        """Open a file, with the proposed time zone where it states none."""
        path = self._uploads.path(self._upload.id, number)
        try:
            return FileImport(self._context, self._job(number, path))
        except FormatError as error:
            if error.lacks == "mapping" and self._guess_columns(number, path):
                return self._open_guessed(number, path)
            if error.lacks != "timezone" or not self._propose(number, "timezone"):
                raise
            return FileImport(self._context, self._job(number, path))

    def _guess_columns(self, number: int, path: Path) -> bool:
        """Map the columns of an unknown file as they look; return False if that is not enough."""
        options = self._upload.files[number].options
        if "mapping" in options.asked or options.mapping:
            return False
        guess = guess_mapping(column_samples_of(path))
        if is_enough(guess):
            options = replace(options, asked=(*options.asked, "mapping"), mapping=guess)
            self._upload = self._uploads.save_options(self._upload, number, options)
        return is_enough(guess)

    def _open_guessed(self, number: int, path: Path) -> FileImport:
        """Open a file by guessed columns; without them, if it cannot be read so."""
        try:
            return FileImport(self._context, self._job(number, path))
        except _FILE_ERRORS:
            options = replace(self._upload.files[number].options, mapping={})
            self._upload = self._uploads.save_options(self._upload, number, options)
            raise

    def _run_imports(
        self, imports: Mapping[int, FileImport]
    ) -> tuple[dict[int, ImportReport], ImportedTrades]:
        reports: dict[int, ImportReport] = {}
        for number, file_import in imports.items():
            self._progress.start_file(number)
            try:
                reports[number] = file_import.run()
            except _FILE_ERRORS as error:  # part of it was read, so the preview starts again without it
                self._problems[number] = self._failure(number, error)
                return reports, ImportedTrades()
        for number, report in reports.items():
            job = self._job(number, self._uploads.path(self._upload.id, number))
            report.tie_out = tie_out_within(self._context, job.path, report.layout, job.options)
        new = [report.id for report in reports.values() if not report.repeated]
        return reports, imported_trades(self._context.ledger.queries, new, _MAX_TRADES)

    def _preview_result(self, preview: Preview) -> UploadResult:
        reports: dict[int, ImportReport] = preview.report[0]
        found: ImportedTrades = preview.report[1]
        files = tuple(
            self._problems.get(number)
            or replace(
                self._file_result(number, reports[number]), first_at=found.first_at.get(reports[number].id)
            )
            for number in range(len(self._upload.files))
        )
        return UploadResult(
            "try",
            self._context.now,
            files,
            tuple(preview.days),
            tuple(preview.positions),
            trades=found.trades,
            fees_unstated=found.fees_unstated,
        )

    def _file_result(self, number: int, report: ImportReport) -> FileResult:
        """Return a report with the format; with the columns, if they were mapped."""
        path, options = self._uploads.path(self._upload.id, number), self._upload.files[number].options
        columns = tuple(column_samples_of(path)) if options.mapping else ()
        return FileResult(_truncate_rejections(report), self._formats[number], columns=columns)

    def _failure(self, number: int, error: TearsheetError) -> FileResult:
        """Return an error that names the file as the user does, not the stored copy."""
        path, name = (str(self._uploads.path(self._upload.id, number)), self._upload.files[number].name)
        is_known = isinstance(error, FormatError) and error.lacks == "timezone"
        columns = () if is_known else tuple(column_samples_of(Path(path)))
        return FileResult(None, None, error.message.replace(path, name), error.hint, columns)


def _truncate_rejections(report: ImportReport) -> ImportReport:
    return replace(report, rejections=report.rejections[:_MAX_REJECTIONS])
