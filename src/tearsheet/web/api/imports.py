"""Imports: upload a statement or trade log, list imports, undo one."""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request
from msgspec.structs import asdict, replace

from tearsheet.app.imports.api_posts import ApiWrites
from tearsheet.app.imports.history import Import, ImportHistory, UndoReport
from tearsheet.app.imports.import_file import ImportJob
from tearsheet.app.reconcile.kept_tie_out import tie_out_import
from tearsheet.app.reconcile.tie_out import preview_import
from tearsheet.app.reports import ImportReport
from tearsheet.errors import UsageError
from tearsheet.performance.summary import to_plain_builtins
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.web.api.upload import FILE_SCHEMA, IMPORT_PARAMETERS, DateOrder, save_upload
from tearsheet.web.http import parameters
from tearsheet.web.http.bodies import idempotency_key
from tearsheet.web.http.errors import HttpError, rejection_to_json
from tearsheet.web.http.operation import Api, Body, Operation
from tearsheet.web.http.responses import success_response
from tearsheet.web.schemas.answer import Answer
from tearsheet.web.schemas.imports import ImportDetail, ImportResult
from tearsheet.web.server.context import AppContext

_MAX_REJECTIONS = 100


def add_imports(api: Api, app_context: AppContext) -> None:
    """Add the operations of imports."""
    api.add(
        Operation(
            method="POST",
            path="/api/import",
            tag="Imports",
            title="Keep what a file says",
            level="write",
            description="A statement of fills or a trade log. Invalid rows are stored as rejected rows and mark "
            "summaries as incomplete. A dry run saves nothing and returns the changes. Results, fees, positions and "
            "balances that the file states are compared with the ledger: `tie_out`, null without any.",
            parameters=(*IMPORT_PARAMETERS, _OTHER_TRADES, _DRY_RUN),
            body=Body(("multipart/form-data",), FILE_SCHEMA, None),
            response_type=Answer[ImportResult],
            statuses=(400, 409, 411, 413, 415, 422),
        ),
        _import_view(app_context),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/imports",
            tag="Imports",
            title="Imports, the newest first",
            description="Files and requests of fills. The next page is that before the last `id`.",
            parameters=(parameters.LIMIT, parameters.BEFORE),
            response_type=Answer[tuple[Import, ...]],
            statuses=(422,),
        ),
        lambda limit, before: _list(app_context, limit, before),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/imports/{number}",
            tag="Imports",
            title="One import with its rejected lines",
            in_path=(parameters.IMPORT_ID,),
            response_type=Answer[ImportDetail],
            statuses=(404, 422),
        ),
        lambda number: _show(app_context, number),
    )
    api.add(
        Operation(
            method="POST",
            path="/api/imports/{number}/undo",
            tag="Imports",
            title="Take an import out",
            description="As if it had never come; fills that other imports brought too stay. It is remembered.",
            level="write",
            in_path=(parameters.IMPORT_ID,),
            response_type=Answer[UndoReport],
            statuses=(404, 409, 422),
        ),
        lambda number: _undo(app_context, number),
    )


_OTHER_TRADES = parameters.choice(
    "other_trades",
    "Import trades that equal others at a shift of a time zone, which are refused else.",
    "yes",
    "no",
    default="no",
)
_DRY_RUN = parameters.choice(
    "dry_run", "Keep nothing, and show what would change.", "yes", "no", default="no"
)


def _import_view(app_context: AppContext) -> Callable[..., Response]:
    def view(
        other_trades: str,
        dry_run: str,
        format: str | None,
        timezone: ZoneInfo | None,
        account: str | None,
        date_order: DateOrder,
    ) -> Response:
        options = StatementOptions(timezone=timezone, account=account, layout=format, date_order=date_order)
        with app_context.keep_worker_alive(), save_upload() as (path, name):  # longer than the timeout
            is_other = other_trades == "yes"
            job = ImportJob(path=path, name=name, options=options, other_trades=is_other)
            report, more = _preview(app_context, job) if dry_run == "yes" else _import(app_context, job)
        shown = [rejection_to_json(r) for r in report.rejections[:_MAX_REJECTIONS]]
        data = to_plain_builtins(report) | {"rejections": shown} | more
        is_created = report.new and not report.repeated and dry_run == "no"
        return success_response(app_context.timestamp, data, 201 if is_created else 200)

    return view


def _import(app_context: AppContext, job: ImportJob) -> tuple[ImportReport, dict[str, Any]]:
    client = app_context.access.client_name(request)
    with app_context.tracker_pool.borrow() as tracker:
        report = ApiWrites(tracker).import_once(idempotency_key(client), replace(job, who=client))
        report.tie_out = tie_out_import(tracker, job, report)
    return report, {}


def _preview(app_context: AppContext, job: ImportJob) -> tuple[ImportReport, dict[str, Any]]:
    with app_context.tracker_pool.borrow() as tracker:
        preview = preview_import(tracker, job)
    return preview.report, {"changes": {"days": preview.days, "positions": preview.positions}}


def _list(app_context: AppContext, limit: int, before: int | None) -> Response:
    with app_context.query() as query:
        imports = ImportHistory(query.tracker).list(limit, before)
    return success_response(app_context.timestamp, imports)


def _show(app_context: AppContext, number: int) -> Response:
    with app_context.query() as query:
        history = ImportHistory(query.tracker)
        details, rejected = history.get(number), history.rejections(number, _MAX_REJECTIONS)
    rows = [rejection_to_json(row.rejection) | {"counts": row.counts} for row in rejected]
    return success_response(app_context.timestamp, asdict(details) | {"rejections": rows})


def _undo(app_context: AppContext, number: int) -> Response:
    try:
        with app_context.keep_worker_alive(), app_context.tracker_pool.borrow() as tracker:
            report = ImportHistory(tracker).undo(number, app_context.access.client_name(request))
    except UsageError as error:
        raise HttpError(409, error.message, error.hint) from None
    return success_response(app_context.timestamp, report)
