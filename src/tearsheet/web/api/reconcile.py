"""Reconciliation of an uploaded broker statement with the ledger; nothing is saved."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from flask import Response

from tearsheet.app.reconcile.our_sums import CostMethod
from tearsheet.app.reconcile.reconcile import Reconciliation, reconcile_statement
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.web.api.upload import FILE_SCHEMA, IMPORT_PARAMETERS, DateOrder, save_upload
from tearsheet.web.http import parameters
from tearsheet.web.http.operation import Api, Body, Operation
from tearsheet.web.http.responses import success_response
from tearsheet.web.schemas.answer import Answer
from tearsheet.web.server.context import AppContext

_METHOD = parameters.choice(
    "method", "How our fills are added up for the comparison.", "average", "fifo", default="average"
)


def add_reconcile(api: Api, app_context: AppContext) -> None:
    """Add the reconciliation."""
    api.add(
        Operation(
            method="POST",
            path="/api/reconcile",
            tag="Imports",
            title="Do we agree with the broker?",
            description="A statement, a report of round trips, or sums of days. It is compared with the books, and "
            "each difference has the kind that could be shown; `agrees` says whether there is none. Nothing "
            "is kept.",
            parameters=(*IMPORT_PARAMETERS, _METHOD),
            body=Body(("multipart/form-data",), FILE_SCHEMA, None),
            response_type=Answer[Reconciliation],
            statuses=(400, 411, 413, 415, 422),
        ),
        _view(app_context),
    )


def _view(app_context: AppContext) -> Callable[..., Response]:
    def view(
        method: CostMethod,
        format: str | None,
        timezone: ZoneInfo | None,
        account: str | None,
        date_order: DateOrder,
    ) -> Response:
        options = StatementOptions(timezone=timezone, account=account, layout=format, date_order=date_order)
        with (
            app_context.keep_worker_alive(),
            save_upload() as (path, name),
            app_context.tracker_pool.borrow() as tracker,
        ):
            found = reconcile_statement(tracker, path, options, method=method, name=name)
        return success_response(app_context.timestamp, found)

    return view
