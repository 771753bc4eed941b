"""Import pages: upload files, preview what they change, import, and undo imports."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from flask import Response, request
from werkzeug.datastructures import FileStorage

from tearsheet.app.imports.formats import time_zone_names
from tearsheet.app.imports.history import Import, ImportHistory, RejectedRow
from tearsheet.app.imports.import_file import known_formats
from tearsheet.app.imports.preview import Preview
from tearsheet.app.imports.uploads import FileOptions, UploadAction, UploadStore
from tearsheet.errors import UsageError
from tearsheet.sample import write_sample
from tearsheet.sample.account import FUTURES_ZONE
from tearsheet.trade.session import DAY
from tearsheet.web.api.upload import IMPORT_PARAMETERS, check_upload, sanitize_file_name
from tearsheet.web.http import parameters
from tearsheet.web.http.csv_download import csv_response
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Parameter
from tearsheet.web.pages.frame import PageRoute, Pages, redirect_to
from tearsheet.web.server.upload_job import UploadThread

_PAGE_SIZE = 25
_MAX_FILES, _MAX_ROWS, _MAX_CSV_ROWS = 50, 100, 1_000_000
_SHOW = parameters.choice("show", "Files, or requests of fills too.", "files", "all", default="files")
_FILE = parameters.number_of("file", "Which of the files.", _MAX_FILES, 1)
_MARK = parameters.choice("decimal_mark", "What stands before the cents.", "point", "comma")
_FEE_SIGN = parameters.choice("fee_sign", "The sign of fees that are costs.", "positive", "negative")
_DAY = parameters.date_of("day", "The day of a file that states times only.")
_OPTION_PARAMETERS = (*IMPORT_PARAMETERS, _MARK, _FEE_SIGN, _DAY, parameters.CURRENCY)
_MAX_COLUMNS = 100
#: Fields that a column can be mapped to: label, and names of columns for which the field is proposed.
_FIELDS = {
    "symbol": ("Symbol", "symbol ticker instrument contract market pair code asset product"),
    "time": ("Date and time", "time date datetime timestamp executed filled tradedate opentime entrytime"),
    "clock": ("Time of day, apart from the date", "timeofday tradetime"),
    "side": ("Side: buy or sell", "side action type direction bs buysell marketpos"),
    "quantity": ("Quantity", "quantity qty size shares amount volume contracts lots filledqty"),
    "price": ("Price", "price fillprice avgprice averageprice rate execprice entryprice openprice"),
    "exit_time": ("Exit: date and time", "exittime closetime closedate exitdate"),
    "exit_price": ("Exit: price", "exitprice closeprice"),
    "commission": ("Fees (several are added)", "commission commissions fee fees comm costs exchangefee"),
    "account": ("Account", "account accountname accountid"),
    "currency": ("Currency", "currency ccy"),
    "fill_id": ("Id of the execution", "fillid execid executionid tradeid id dealid"),
    "order_id": ("Id of the order", "orderid order"),
    "strategy": ("Strategy", "strategy"),
    "multiplier": ("Multiplier", "multiplier pointvalue"),
    "result": ("Result, to compare", "pnl profit realizedpnl netpnl result"),
}
_MARKS: dict[str, Literal[".", ","]] = {"point": ".", "comma": ","}
_CSV_FIELDS = ("file", "line", "code", "reason", "hint", "account", "text")
#: Command-line options that hints name, with the labels of the form's fields.
_FIELD_LABELS = {
    "--timezone": "“Time zone”",
    "--account": "“Account”",
    "--layout": "“Format”",
    "--date-order": "“Dates”",
    "--decimal-mark": "“Decimals”",
}


def add_import_pages(pages: Pages) -> None:
    """Add the import page, uploads, and the pages of imports."""
    views = _ImportPages(pages)
    upload, import_ = "/import/uploads/<upload>", "/import/batches/<number>"
    pages.add(PageRoute("/import", parameters=(parameters.BEFORE, _SHOW)), views.page)
    pages.add(PageRoute("/import", "write", method="POST"), views.upload)
    pages.add(PageRoute("/import/sample", "write", method="POST"), views.sample)
    pages.add(PageRoute(upload, "write"), views.upload_page)
    pages.add(PageRoute(f"{upload}/say", "write", (_FILE,), "POST"), views.set_options)
    pages.add(PageRoute(f"{upload}/try", "write", method="POST"), views.start("try"))
    pages.add(PageRoute(f"{upload}/keep", "write", method="POST"), views.start("keep"))
    pages.add(PageRoute(f"{upload}/drop", "write", method="POST"), views.discard)
    pages.add(PageRoute(f"{upload}/rejected.csv", "write", (_FILE,)), views.rejected_of_upload)
    pages.add(PageRoute(import_), views.import_page)
    pages.add(PageRoute(f"{import_}/undo", "write", method="POST"), views.undo)
    pages.add(PageRoute(f"{import_}/rejected.csv"), views.rejected_of_import)
    pages.add(PageRoute("/import/rejected.csv"), views.rejected)


class _ImportPages:
    """Views of the import pages."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._app_context = pages, pages.app_context
        self._uploads = UploadStore(pages.app_context.settings.upload_dir)
        self._upload_thread = UploadThread(pages.app_context, self._uploads)

    def page(self, before: int | None, show: str) -> Response:
        """Show the upload form and the past imports."""
        with self._app_context.query() as query:
            imports = ImportHistory(query.tracker).list(_PAGE_SIZE + 1, before, files_only=show == "files")
            return self._pages.render(
                "import.html",
                title="Import",
                imports=imports[:_PAGE_SIZE],
                show=show,
                before=imports[_PAGE_SIZE - 1].id if len(imports) > _PAGE_SIZE else None,
                format_titles=_format_titles(),
                rejections=query.tracker.rejections(20),
                is_first_page=before is None,
            )

    def upload(self) -> Response:
        """Save the uploaded files and start their preview."""
        sent = request.files.getlist("file")
        with (
            self._app_context.keep_worker_alive(),
            ExitStack() as stack,
        ):  # uploading a large file takes long, too
            for file in sent:
                stack.callback(file.close)
            uploaded = [file for file in sent if file.filename]
            if not 1 <= len(uploaded) <= _MAX_FILES:
                raise HttpError(422, f"{len(uploaded)} files were sent", f"choose 1 to {_MAX_FILES}")
            for one in uploaded:
                check_upload(one.stream, sanitize_file_name(one.filename))
            self._uploads.remove_expired()
            files = [(sanitize_file_name(one.filename), FileOptions(), _file_writer(one)) for one in uploaded]
            client = self._app_context.access.client_name(request)
            upload = self._uploads.add(client, self._app_context.now, files)
            self._upload_thread.start(upload, "try")
        return redirect_to(f"/import/uploads/{upload.id}")

    def sample(self) -> Response:
        """Import the futures statements of the sample, which can be undone like any others."""
        app_context = self._app_context
        last_day = app_context.settings.calendar.trading_day_of(app_context.now) - DAY
        options = FileOptions(timezone=FUTURES_ZONE)
        with TemporaryDirectory() as folder:
            statements = write_sample(Path(folder), until=last_day).statements
            files = [(path.name, options, _copier(path)) for path in statements]
            upload = self._uploads.add(app_context.access.client_name(request), app_context.now, files)
        self._upload_thread.start(upload, "keep")
        return redirect_to(f"/import/uploads/{upload.id}")

    def upload_page(self, upload: str) -> Response:
        """Show an upload: in progress, previewed, imported or interrupted."""
        content = self._uploads.get(upload)
        is_running = self._uploads.is_locked(upload)
        return self._pages.render(
            "upload.html",
            title="Import",
            upload=content,
            is_running=is_running,
            result=None if is_running else self._uploads.result(upload),
            progress=self._uploads.progress(upload),
            formats=known_formats(),
            zones=time_zone_names(),
            format_titles=_format_titles(),
            decimal_marks=_MARKS,
            fields={name: label for name, (label, _) in _FIELDS.items()},
            proposed_field=_proposed_field,
            page_hint=_page_hint,
            format_size=_format_size,
            max_rows=_MAX_ROWS,
        )

    def set_options(self, upload: str, file: int) -> Response:
        """Set the options of a file and preview all files again."""
        self._uploads.get(upload)
        with _usage_errors_as_conflicts():
            changed = self._uploads.set_options(upload, file - 1, _form_options())
        self._upload_thread.start(changed, "try")
        return redirect_to(f"/import/uploads/{upload}")

    def start(self, action: UploadAction) -> Callable[..., Response]:
        """Return the view that starts the preview or the import of an upload."""

        def view(upload: str) -> Response:
            self._upload_thread.start(self._uploads.get(upload), action)
            return redirect_to(f"/import/uploads/{upload}")

        return view

    def discard(self, upload: str) -> Response:
        """Discard an upload."""
        self._uploads.get(upload)
        with _usage_errors_as_conflicts():
            self._uploads.discard(upload)
        return redirect_to("/import")

    def import_page(self, number: str) -> Response:
        """Show an import."""
        with self._app_context.query() as query:
            import_ = ImportHistory(query.tracker).get(_parse_import_id(number))
        return self._render_import(import_)

    def undo(self, number: str) -> Response:
        """Preview the undo of an import; undo it once the preview was confirmed."""
        import_id, client = _parse_import_id(number), self._app_context.access.client_name(request)
        with (
            _usage_errors_as_conflicts(),
            self._app_context.keep_worker_alive(),
            self._app_context.tracker_pool.borrow() as tracker,
        ):
            history = ImportHistory(tracker)
            if request.form.get("action") == "undo":
                history.undo(import_id, client)
                return redirect_to(f"/import/batches/{import_id}")
            preview = history.preview_undo(import_id, client)
            import_ = history.get(import_id)
        return self._render_import(import_, preview)

    def _render_import(self, import_: Import, preview: Preview | None = None) -> Response:
        with self._app_context.tracker_pool.borrow() as tracker:
            rejections = ImportHistory(tracker).rejections(import_.id, _MAX_ROWS)
        return self._pages.render(
            "import_detail.html",
            title=f"Import {import_.id}",
            import_=import_,
            format_titles=_format_titles(),
            rejections=[row.rejection for row in rejections],
            preview=preview,
            max_rows=_MAX_ROWS,
        )

    def rejected_of_import(self, number: str) -> Response:
        """Return the rejected rows of an import as CSV."""
        with self._app_context.query() as query:
            history = ImportHistory(query.tracker)
            import_ = history.get(_parse_import_id(number))
            rows = history.rejections(import_.id, _MAX_CSV_ROWS)
        return _csv(rows, f"rejected-{import_.id}.csv")

    def rejected_of_upload(self, upload: str, file: int) -> Response:
        """Return the rejected rows of an uploaded file as CSV, before it is imported."""
        result = self._uploads.result(upload)
        files = result.files[file - 1 : file] if result else ()
        if not files or files[0].report is None:
            raise HttpError(404, "there is no such list", "look at the upload's page")
        return _csv([RejectedRow(one, True) for one in files[0].report.rejections], "rejected.csv")

    def rejected(self) -> Response:
        """Return all rejected rows that still count, as CSV."""
        with self._app_context.query() as query:
            rejections = query.tracker.rejections(_MAX_CSV_ROWS)
        return _csv([RejectedRow(one, True) for one in rejections], "rejected.csv")


@contextmanager
def _usage_errors_as_conflicts() -> Iterator[None]:
    """Turn a UsageError into 409: the page was older than the state of its upload or import."""
    try:
        yield
    except UsageError as error:
        raise HttpError(409, error.message, error.hint) from None


def _csv(rejections: Iterable[RejectedRow], name: str) -> Response:
    rows = (
        [*(getattr(one.rejection, field) for field in _CSV_FIELDS), "yes" if one.counts else "no"]
        for one in rejections
    )
    return csv_response((*_CSV_FIELDS, "counts"), rows, name)


def _form_options() -> FileOptions:
    """Return the options of the form; empty ones are detected."""
    values: dict[str, Any] = {}
    for parameter in _OPTION_PARAMETERS:
        text = request.form.get(parameter.name, "").strip()
        values[parameter.name] = _parse(parameter, text) if text else None
    zone, mark = values["timezone"], values["decimal_mark"]
    columns, fields = request.form.getlist("column"), request.form.getlist("field")
    if len(columns) != len(fields) or len(columns) > _MAX_COLUMNS:
        raise HttpError(422, "the columns and their fields do not match", f"one each, up to {_MAX_COLUMNS}")
    return FileOptions(
        layout=values["format"],
        account=values["account"],
        timezone=None if zone is None else zone.key,
        date_order=values["date_order"],
        decimal_mark=None if mark is None else _MARKS[mark],
        mapping={column: field for column, field in zip(columns, fields, strict=True) if field},
        fee_sign=values["fee_sign"],
        day=values["day"],
        currency=values["currency"],
    )


def _parse(parameter: Parameter, text: str) -> Any:
    try:
        return parameter.read(text)
    except ValueError as error:
        raise HttpError(422, f"{parameter.name} is {text[:100]!r}", str(error)) from None


def _proposed_field(number: int, columns: Sequence[str]) -> str:
    """Return the field that the name of a column suggests, unless an earlier column has it; "" for none."""
    names = [re.sub(r"[^a-z]", "", name.lower()) for name in columns]
    found = next((field for field, (_, words) in _FIELDS.items() if names[number] in words.split()), "")
    words = _FIELDS[found][1].split() if found else []
    is_taken = found != "commission" and any(name in words for name in names[:number])
    return "" if is_taken else found


def _copier(source: Path) -> Callable[[Path], None]:
    def copy(path: Path) -> None:
        path.write_bytes(source.read_bytes())

    return copy


def _file_writer(file: FileStorage) -> Callable[[Path], None]:
    return lambda path: file.save(path)


def _parse_import_id(text: str) -> int:
    try:
        return int(parameters.IMPORT_ID.read(text))
    except ValueError as error:
        raise HttpError(404, "there is no such import", str(error)) from None


def _format_titles() -> dict[str, str]:
    return {"api": "Posted fills", **{name: line.title for name, line in known_formats().items()}}


def _page_hint(hint: str) -> str:
    """Replace command-line options in a hint by the labels of the form."""
    for option, label in _FIELD_LABELS.items():
        hint = re.sub(rf"{option}( [A-Z]+\b(?!/))?", label, hint)
    return hint


def _format_size(size: int) -> str:
    if size < 10_000:
        return f"{size:,} bytes"
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.0f} kB"
