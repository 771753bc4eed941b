"""Import wizard: files are sent, matched and previewed, imported, and shown with what came in."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from zoneinfo import ZoneInfo

from flask import Response, request
from werkzeug.datastructures import FileStorage

from tearsheet.app.analysis.charts import Charts, Selection
from tearsheet.app.imports.column_guess import guess_mapping
from tearsheet.app.imports.formats import time_zone_names
from tearsheet.app.imports.history import ImportHistory, RejectedRow
from tearsheet.app.imports.import_file import known_formats
from tearsheet.app.imports.uploads import FileOptions, Upload, UploadAction, UploadResult, UploadStore
from tearsheet.errors import StoreError
from tearsheet.performance.breakdown import breakdown, breakdown_total
from tearsheet.performance.summary import Scope
from tearsheet.sample import write_sample
from tearsheet.sample.account import FUTURES_ZONE, STATEMENTS
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.session import DAY, EARLIEST, Window
from tearsheet.web.api.upload import IMPORT_PARAMETERS, check_upload, sanitize_file_name
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Parameter
from tearsheet.web.pages.calendar import month_content
from tearsheet.web.pages.frame import PageRoute, Pages, redirect_to
from tearsheet.web.pages.importing.fee_question import FEE_UNITS, fee_scopes, save_fee
from tearsheet.web.pages.importing.imports import (
    MAX_ROWS,
    format_titles,
    rejections_csv,
    render_import_page,
    usage_errors_as_conflicts,
)
from tearsheet.web.server.upload_job import UploadThread

_MAX_FILES = 50
_FILE = parameters.number_of("file", "Which of the files.", _MAX_FILES, 1)
_MARK = parameters.choice("decimal_mark", "Decimal separator.", "point", "comma")
_FEE_SIGN = parameters.choice("fee_sign", "The sign of fees that are costs.", "positive", "negative")
_DAY = parameters.date_of("day", "The day of a file that states times only.")
_OPTION_PARAMETERS = (*IMPORT_PARAMETERS, _MARK, _FEE_SIGN, _DAY, parameters.CURRENCY)
_MAX_COLUMNS = 100
#: Fields that a column can be mapped to, with their labels.
_FIELDS = {
    "symbol": "Symbol",
    "time": "Date and time",
    "clock": "Time of day, apart from the date",
    "side": "Side: buy or sell",
    "quantity": "Quantity",
    "price": "Price",
    "exit_time": "Exit: date and time",
    "exit_price": "Exit: price",
    "commission": "Fees (several are added)",
    "account": "Account",
    "currency": "Currency",
    "fill_id": "Id of the execution",
    "order_id": "Id of the order",
    "strategy": "Strategy",
    "multiplier": "Multiplier",
    "result": "Result, to compare",
}
_MARKS: dict[str, Literal[".", ","]] = {"point": ".", "comma": ","}
#: Command-line options that hints name, with the labels of the form's fields.
_FIELD_LABELS = {
    "--timezone": "“Time zone”",
    "--account": "“Account”",
    "--layout": "“Format”",
    "--date-order": "“Dates”",
    "--decimal-mark": "“Decimals”",
    "--other-trades": "“These are other trades”",
}


def add_upload_pages(pages: Pages) -> None:
    """Add the import wizard."""
    views = _UploadPages(pages)
    upload = "/import/uploads/<upload>"
    pages.add(PageRoute("/import", "write", method="POST"), views.upload)
    pages.add(PageRoute("/import/sample", "write", method="POST"), views.sample)
    pages.add(PageRoute("/import/sample/remove", "write", method="POST"), views.remove_sample)
    pages.add(PageRoute(upload, "write"), views.upload_page)
    pages.add(PageRoute(f"{upload}/say", "write", (_FILE,), "POST"), views.set_options)
    pages.add(PageRoute(f"{upload}/try", "write", method="POST"), views.start("try"))
    pages.add(PageRoute(f"{upload}/keep", "write", method="POST"), views.start("keep"))
    pages.add(PageRoute(f"{upload}/drop", "write", method="POST"), views.discard)
    pages.add(PageRoute(f"{upload}/fees", "risk", method="POST"), views.set_fee)
    pages.add(PageRoute(f"{upload}/undo", "write", method="POST"), views.undo)
    pages.add(PageRoute(f"{upload}/rejected.csv", "write", (_FILE,)), views.rejected)


class _UploadPages:
    """Views of the import wizard."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._app_context = pages, pages.app_context
        self._uploads = UploadStore(pages.app_context.settings.upload_dir)
        self._upload_thread = UploadThread(pages.app_context, self._uploads)

    def upload(self) -> Response:
        """Save the uploaded files and start their preview; refused ones leave the import page as it is."""
        try:
            upload = self._save_sent()
        except HttpError as problem:
            return render_import_page(self._pages, problem=problem)
        self._upload_thread.start(upload, "try")
        return redirect_to(f"/import/uploads/{upload.id}")

    def _save_sent(self) -> Upload:
        sent = request.files.getlist("file")
        with (
            self._app_context.keep_worker_alive(),
            ExitStack() as stack,
        ):  # uploading a large file takes long, too
            for file in sent:
                stack.callback(file.close)
            uploaded = [file for file in sent if file.filename]
            if not 1 <= len(uploaded) <= _MAX_FILES:
                raise HttpError(422, f"{len(uploaded)} files selected", f"choose 1 to {_MAX_FILES}")
            for one in uploaded:
                check_upload(one.stream, sanitize_file_name(one.filename))
            self._uploads.remove_expired()
            files = [(sanitize_file_name(one.filename), FileOptions(), _file_writer(one)) for one in uploaded]
            client = self._app_context.access.client_name(request)
            zone = request.form.get("zone", "")
            zone = zone if zone in time_zone_names() else ""
            return self._uploads.add(client, self._app_context.now, files, zone)

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

    def remove_sample(self) -> Response:
        """Undo the imports of the sample."""
        client = self._app_context.access.client_name(request)
        with self._app_context.keep_worker_alive(), self._app_context.tracker_pool.borrow() as tracker:
            history = ImportHistory(tracker)
            for number in history.of_files(STATEMENTS):
                history.undo(number, client)
        return redirect_to("/")

    def upload_page(self, upload: str) -> Response:
        """Show an upload: in progress, previewed, imported or interrupted."""
        return self._render(self._uploads.get(upload))

    def _render(
        self, upload: Upload, changed: Mapping[int, "_Form"] | None = None, fee_problem: str = ""
    ) -> Response:
        """Render an upload; `changed` are forms with invalid values, which are shown as they were sent."""
        is_running = self._uploads.is_locked(upload.id)
        result = None if is_running else self._uploads.result(upload.id)
        is_bad = (changed or fee_problem) and not request.headers.get("HX-Request")
        return self._pages.render(
            "upload.html",
            status=422 if is_bad else 200,
            title="Import",
            upload=upload,
            is_running=is_running,
            result=result,
            step=3 if result is not None and result.action == "keep" and not result.problem else 2,
            forms=changed or {},
            progress=self._uploads.progress(upload.id),
            formats=known_formats(),
            zones=time_zone_names(),
            format_titles=format_titles(),
            decimal_marks=_MARKS,
            fields=_FIELDS,
            guess_mapping=guess_mapping,
            page_hint=_page_hint,
            format_size=_format_size,
            in_zone=_in_zone,
            max_rows=MAX_ROWS,
            fee_units=FEE_UNITS,
            fee_scopes=fee_scopes(result),
            fee_problem=fee_problem,
            fee_sent=request.form if fee_problem else {},
            can_set_fees=self._app_context.access.is_allowed(request, "risk"),
            known_accounts=self._known_accounts(),
            **(self._done(result) if result is not None and result.action == "keep" else {}),
        )

    def _known_accounts(self) -> Sequence[str]:
        try:
            with self._app_context.tracker_pool.borrow() as tracker:
                return tracker.accounts()
        except StoreError:  # names are only suggested
            return ()

    def _done(self, result: UploadResult) -> dict[str, Any]:
        """Return what came in: the newest month of the data, its symbols, and whether the broker agrees."""
        with self._app_context.query() as query:
            tracker = query.tracker
            imports, history = _imports_of(result), ImportHistory(tracker)
            reports = [file.report for file in result.files if file.report is not None and file.report.id]
            stated = (account for report in reports for account in history.accounts(report.id))
            accounts = sorted({*stated, *(day.account for day in result.days)})
            content: dict[str, Any] = {
                "accounts_in": accounts,
                "imports": imports,
                "is_undone": bool(imports) and all(history.get(number).undone for number in imports),
                "today": tracker.today,
            }
            days = [day.session for day in result.days]
            sessions = (Charts(tracker).last_session(account) for account in accounts)
            newest = max(days, default=None) or max(filter(None, sessions), default=None)
            if newest is not None and not content["is_undone"]:
                window = Window.between(min(days), newest) if days else _all_data(tracker)
                content |= _month_of_data(tracker, result, accounts, window)
        return content

    def set_options(self, upload: str, file: int) -> Response:
        """Set the options of a file and preview all files again; an invalid value stays in the form."""
        found = self._uploads.get(upload)
        form = _Form(request.form)
        if form.errors:
            return self._render(found, {file - 1: form})
        with usage_errors_as_conflicts():
            changed = self._uploads.set_options(upload, file - 1, form.options)
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
        with usage_errors_as_conflicts():
            self._uploads.discard(upload)
        return redirect_to("/import")

    def set_fee(self, upload: str) -> Response:
        """Save a fee that the files do not state, and preview them again unless they are imported."""
        found, result = self._uploads.get(upload), self._uploads.result(upload)
        client = self._app_context.access.client_name(request)
        with self._app_context.keep_worker_alive(), self._app_context.query() as query:
            problem = save_fee(query.tracker, fee_scopes(result), request.form, client)
        if problem:
            return self._render(found, fee_problem=problem)
        if result is None or result.action == "try":
            self._upload_thread.start(found, "try")
        return redirect_to(f"/import/uploads/{upload}")

    def undo(self, upload: str) -> Response:
        """Undo all imports of an upload, the last first."""
        result = self._uploads.result(upload)
        if result is None or result.action != "keep":
            raise HttpError(409, "these files were not imported", "open the upload's page")
        client = self._app_context.access.client_name(request)
        with (
            usage_errors_as_conflicts(),
            self._app_context.keep_worker_alive(),
            self._app_context.tracker_pool.borrow() as tracker,
        ):
            history = ImportHistory(tracker)
            for number in reversed(_imports_of(result)):
                if history.get(number).undone is None:
                    history.undo(number, client)
        return redirect_to(f"/import/uploads/{upload}")

    def rejected(self, upload: str, file: int) -> Response:
        """Return the rejected rows of an uploaded file as CSV, before it is imported."""
        result = self._uploads.result(upload)
        files = result.files[file - 1 : file] if result else ()
        if not files or files[0].report is None:
            raise HttpError(404, "rejected rows not found", "open the upload's page")
        return rejections_csv([RejectedRow(one, True) for one in files[0].report.rejections], "rejected.csv")


def _imports_of(result: UploadResult) -> list[int]:
    """Return the imports that an upload made."""
    reports = [file.report for file in result.files if file.report is not None]
    return [report.id for report in reports if report.id and not report.repeated]


def _all_data(tracker: PerformanceTracker) -> Window:
    """Return the days from the first to the last session with data."""
    return Charts(tracker).clipped(Selection(Window("all", EARLIEST.date(), tracker.today + DAY), Scope()))


def _month_of_data(
    tracker: PerformanceTracker, result: UploadResult, accounts: Sequence[str], window: Window
) -> dict[str, Any]:
    charts = Charts(tracker)
    scope = Scope(accounts[0] if len(accounts) == 1 else None)
    newest = [day.currency for day in result.days if day.session == window.last_day]
    currencies = newest or charts.currencies(scope.account, window)
    selection = Selection(window, scope, next(iter(currencies), None))
    currency = charts.currency(selection)
    selections = [Selection(window, Scope(account), currency) for account in accounts]
    trades = [trade for one in selections for trade in charts.closed_trades(one)]
    with exact():
        summaries = [
            tracker.get_summary(window, scope=one.scope, currency=currency, sync=False) for one in selections
        ]
        fees = sum((Decimal(one.value("fees") or 0) for one in summaries), ZERO)
    month = month_content(charts, window.last_day, scope, currency)
    return {
        **month,
        "total_of_month": month["total"],
        "window": window,
        "currency": currency,
        "filters": {"account": scope.account, "currency": currency if len(set(newest)) > 1 else None},
        "groups": breakdown(trades, "symbol"),
        "groups_total": breakdown_total(trades),
        "notes": [note for one in summaries for note in one.notes],
        "fees": fees,
    }


class _Form:
    """Options of a file as they were sent; empty ones are detected."""

    def __init__(self, sent: Mapping[str, str]) -> None:
        self.sent, self.errors = sent, dict[str, str]()
        self.options = FileOptions()
        values = {parameter.name: self._value(parameter) for parameter in _OPTION_PARAMETERS}
        columns, fields = request.form.getlist("column"), request.form.getlist("field")
        if len(columns) != len(fields) or len(columns) > _MAX_COLUMNS:
            raise HttpError(
                422, "the columns and their fields do not match", f"one each, up to {_MAX_COLUMNS}"
            )
        self.mapping = {column: field for column, field in zip(columns, fields, strict=True) if field}
        if not self.errors:
            zone, mark = values["timezone"], values["decimal_mark"]
            self.options = FileOptions(
                layout=values["format"],
                account=values["account"],
                timezone=None if zone is None else zone.key,
                date_order=values["date_order"],
                other_trades=bool(sent.get("other_trades")),
                decimal_mark=None if mark is None else _MARKS[mark],
                mapping=self.mapping,
                fee_sign=values["fee_sign"],
                day=values["day"],
                currency=values["currency"],
            )

    def _value(self, parameter: Parameter) -> Any:
        text = self.sent.get(parameter.name, "").strip()
        try:
            return parameter.read(text) if text else None
        except ValueError as error:
            self.errors[parameter.name] = f"“{text[:100]}” is not allowed: {error}"
            return None


def _copier(source: Path) -> Callable[[Path], None]:
    def copy(path: Path) -> None:
        path.write_bytes(source.read_bytes())

    return copy


def _file_writer(file: FileStorage) -> Callable[[Path], None]:
    return lambda path: file.save(path)


def _page_hint(hint: str) -> str:
    """Replace command-line options in a hint by the labels of the form."""
    for option, label in _FIELD_LABELS.items():
        hint = re.sub(rf"{option}( [A-Z]+\b(?!/))?", label, hint)
    return hint


def _format_size(size: int) -> str:
    if size < 10_000:
        return f"{size:,} bytes"
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.0f} kB"


def _in_zone(at: datetime, zone: str | None) -> str:
    """Format an instant in the time zone of a file, or in UTC."""
    local = at.astimezone(ZoneInfo(zone or "UTC"))
    return f"{local.day} {local:%b %Y, %H:%M} {(zone or 'UTC').rpartition('/')[2].replace('_', ' ')}"
