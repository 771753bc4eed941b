"""The import page: files are sent, shown with what they would change, then brought in; and taken out again."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from flask import Response, redirect, request
from werkzeug.datastructures import FileStorage

from tearsheet.app.imports.formats import known_formats, time_zone_names
from tearsheet.app.imports.history import Import, ImportHistory, RejectedRow
from tearsheet.app.imports.preview import Preview
from tearsheet.app.imports.uploads import FileOptions, UploadAction, UploadStore
from tearsheet.errors import UsageError
from tearsheet.web.api.upload import IMPORT_PARAMETERS, sanitize_file_name
from tearsheet.web.http import parameters
from tearsheet.web.http.csv_download import csv_response
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Parameter
from tearsheet.web.pages.frame import PageRoute, Pages
from tearsheet.web.server.upload_thread import UploadThread

_PAGE_SIZE = 25
_MOST_FILES, _MOST_SHOWN, _MOST_LINES = 50, 100, 1_000_000
_SHOW = parameters.choice("show", "Files, or requests of fills too.", "files", "all", default="files")
_MARK = parameters.choice("decimal_mark", "What stands before the cents.", "point", "comma")
_OPTION_PARAMETERS = (*IMPORT_PARAMETERS, _MARK)
_MARKS: dict[str, Literal[".", ","]] = {"point": ".", "comma": ","}
_CSV_FIELDS = ("file", "line", "code", "reason", "hint", "account", "text")
#: Options of the command line in hints, as the page has them.
_OPTIONS = {
    "--timezone": "“Time zone”",
    "--account": "“Account”",
    "--layout": "“Format”",
    "--date-order": "“Dates”",
    "--decimal-mark": "“Decimals”",
}


def add_import_pages(pages: Pages) -> None:
    """Add the import page, uploads, and imports as batches."""
    views = _ImportPages(pages)
    upload, batch = "/import/uploads/<upload>", "/import/batches/<number>"
    pages.add(PageRoute("/import", parameters=(parameters.BEFORE, _SHOW)), views.page)
    pages.add(PageRoute("/import", "write", method="POST"), views.upload)
    pages.add(PageRoute(upload, "write"), views.upload_page)
    pages.add(PageRoute(f"{upload}/say", "write", (_FILE,), "POST"), views.set_options)
    pages.add(PageRoute(f"{upload}/try", "write", method="POST"), views.start("try"))
    pages.add(PageRoute(f"{upload}/keep", "write", method="POST"), views.start("keep"))
    pages.add(PageRoute(f"{upload}/drop", "write", method="POST"), views.discard)
    pages.add(PageRoute(f"{upload}/rejected.csv", "write", (_FILE,)), views.rejected_of_upload)
    pages.add(PageRoute(batch), views.import_page)
    pages.add(PageRoute(f"{batch}/undo", "write", method="POST"), views.undo)
    pages.add(PageRoute(f"{batch}/rejected.csv"), views.rejected_of_import)
    pages.add(PageRoute("/import/rejected.csv"), views.rejected)


_FILE = parameters.number_of("file", "Which of the files.", _MOST_FILES, 1)


class _ImportPages:
    """What the addresses of the import page answer."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._served = pages, pages.served
        self._uploads = UploadStore(pages.served.settings.upload_dir)
        self._upload_thread = UploadThread(pages.served, self._uploads)

    def page(self, before: int | None, show: str) -> Response:
        """Where files are sent from, and what was imported."""
        with self._served.query() as asked:
            batches = ImportHistory(asked.tracker).list(_PAGE_SIZE + 1, before, files_only=show == "files")
            return self._pages.render(
                "import.html",
                title="Import",
                batches=batches[:_PAGE_SIZE],
                show=show,
                given={},
                before=batches[_PAGE_SIZE - 1].id if len(batches) > _PAGE_SIZE else None,
                titles=_format_titles(),
                rejections=asked.tracker.rejections(20),
                accounts=(),
                first=before is None,
            )

    def upload(self) -> Response:
        """Keep what is sent, and show what would come of it."""
        with self._served.keep_worker_alive():  # a long file takes its time to arrive, too
            sent = [file for file in request.files.getlist("file") if file.filename]
            if not 1 <= len(sent) <= _MOST_FILES:
                raise HttpError(422, f"{len(sent)} files were sent", f"choose 1 to {_MOST_FILES}")
            self._uploads.remove_expired()
            files = [(sanitize_file_name(one.filename), FileOptions(), _file_writer(one)) for one in sent]
            who = self._served.access.client_name(request)
            upload = self._uploads.add(who, self._served.now, files)
            self._upload_thread.start(upload, "try")
        return _redirect(f"/import/uploads/{upload.id}")

    def upload_page(self, upload: str) -> Response:
        """An upload as it stands: being read, seen through, brought in, or broken off."""
        found = self._uploads.get(upload)
        is_read = self._uploads.is_locked(upload)
        outcome = None if is_read else self._uploads.result(upload)
        return self._pages.render(
            "upload.html",
            title="Import",
            upload=found,
            is_read=is_read,
            outcome=outcome,
            progress=self._uploads.progress(upload),
            formats=known_formats(),
            zones=time_zone_names(),
            titles=_format_titles(),
            marks=_MARKS,
            for_page=_localize_hint,
            megabytes=_megabytes,
            most=_MOST_SHOWN,
            accounts=(),
            given={},
        )

    def set_options(self, upload: str, file: int) -> Response:
        """Say what a file leaves open, and look at all of them again."""
        self._uploads.get(upload)
        try:
            found = self._uploads.set_options(upload, file - 1, _form_options())
        except UsageError as error:
            raise HttpError(409, error.message, error.hint) from None
        self._upload_thread.start(found, "try")
        return _redirect(f"/import/uploads/{upload}")

    def start(self, doing: UploadAction) -> Callable[..., Response]:
        """Look at an upload again, or bring it in."""

        def view(upload: str) -> Response:
            self._upload_thread.start(self._uploads.get(upload), doing)
            return _redirect(f"/import/uploads/{upload}")

        return view

    def discard(self, upload: str) -> Response:
        """Throw an upload away."""
        self._uploads.get(upload)
        try:
            self._uploads.discard(upload)
        except UsageError as error:
            raise HttpError(409, error.message, error.hint) from None
        return _redirect("/import")

    def import_page(self, number: str) -> Response:
        """One import."""
        with self._served.query() as asked:
            batch = ImportHistory(asked.tracker).get(_parse_import_id(number))
        return self._render_import(batch)

    def undo(self, number: str) -> Response:
        """What taking an import out would change; then, with a yes, take it out."""
        who = self._served.access.client_name(request)
        try:
            with self._served.keep_worker_alive(), self._served.trackers.borrow() as tracker:
                batches = ImportHistory(tracker)
                if request.form.get("action") == "undo":
                    batches.undo(_parse_import_id(number), who)
                    return _redirect(f"/import/batches/{_parse_import_id(number)}")
                preview = batches.preview_undo(_parse_import_id(number), who)
                batch = batches.get(_parse_import_id(number))
        except UsageError as error:
            raise HttpError(409, error.message, error.hint) from None
        return self._render_import(batch, preview)

    def _render_import(self, batch: Import, preview: Preview | None = None) -> Response:
        with self._served.trackers.borrow() as tracker:
            lines = ImportHistory(tracker).rejections(batch.id, _MOST_SHOWN)
        return self._pages.render(
            "batch.html",
            title=f"Import {batch.id}",
            batch=batch,
            titles=_format_titles(),
            lines=lines,
            preview=preview,
            most=_MOST_SHOWN,
            accounts=(),
            given={},
        )

    def rejected_of_import(self, number: str) -> Response:
        """The lines of an import that could not be used, as CSV."""
        with self._served.query() as asked:
            batches = ImportHistory(asked.tracker)
            batch = batches.get(_parse_import_id(number))
            lines = batches.rejections(batch.id, _MOST_LINES)
        return _csv(lines, f"rejected-{batch.id}.csv")

    def rejected_of_upload(self, upload: str, file: int) -> Response:
        """The lines of a file that could not be used, as CSV, before it is brought in."""
        outcome = self._uploads.result(upload)
        taken = outcome.files[file - 1 : file] if outcome else ()
        if not taken or taken[0].report is None:
            raise HttpError(404, "there is no such list", "look at the upload's page")
        lines = [RejectedRow(one, True) for one in taken[0].report.rejections]
        return _csv(lines, "rejected.csv")

    def rejected(self) -> Response:
        """All lines that could not be used and still count, as CSV."""
        with self._served.query() as asked:
            found = asked.tracker.rejections(_MOST_LINES)
        return _csv([RejectedRow(one, True) for one in found], "rejected.csv")


def _csv(lines: Iterable[RejectedRow], name: str) -> Response:
    rows = (
        [*(getattr(one.rejection, field) for field in _CSV_FIELDS), "yes" if one.counts else "no"]
        for one in lines
    )
    return csv_response((*_CSV_FIELDS, "counts"), rows, name)


def _form_options() -> FileOptions:
    """What the form says of a file; what is left empty is recognised."""
    values: dict[str, Any] = {}
    for parameter in _OPTION_PARAMETERS:
        text = request.form.get(parameter.name, "").strip()
        values[parameter.name] = _parse(parameter, text) if text else None
    zone, mark = values["timezone"], values["decimal_mark"]
    return FileOptions(
        values["format"],
        values["account"],
        None if zone is None else zone.key,
        values["date_order"],
        None if mark is None else _MARKS[mark],
    )


def _parse(parameter: Parameter, text: str) -> Any:
    try:
        return parameter.read(text)
    except ValueError as error:
        raise HttpError(422, f"{parameter.name} is {text[:100]!r}", str(error)) from None


def _file_writer(file: FileStorage) -> Callable[[Path], None]:
    return lambda path: file.save(path)


def _parse_import_id(text: str) -> int:
    try:
        return int(parameters.IMPORT_ID.read(text))
    except ValueError as error:
        raise HttpError(404, "there is no such import", str(error)) from None


def _format_titles() -> dict[str, str]:
    return {"api": "Posted fills", **{name: line.title for name, line in known_formats().items()}}


def _localize_hint(hint: str) -> str:
    """A hint of the importer in the words of the page."""
    for option, field in _OPTIONS.items():
        hint = re.sub(rf"{option}( [A-Z]+\b(?!/))?", field, hint)
    return hint


def _megabytes(size: int) -> str:
    if size < 10_000:
        return f"{size:,} bytes"
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.0f} kB"


def _redirect(address: str) -> Response:
    response = redirect(address, 303)
    assert isinstance(response, Response)
    return response
