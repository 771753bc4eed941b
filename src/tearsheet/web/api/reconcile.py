"""Tie-out over HTTP: a broker's statement is uploaded, and the differences are answered; nothing is kept."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Response
from msgspec import Struct

from tearsheet.app.reconcile.reconcile import TieOut, tie_out
from tearsheet.web.api.performance import success
from tearsheet.web.api.trading import IMPORT_PARAMETERS
from tearsheet.web.api.upload import FILE, uploaded
from tearsheet.web.http import parameters
from tearsheet.web.http.operation import Api, Body, Operation
from tearsheet.web.schemas.performance import Success
from tearsheet.web.server.context import Served, json_answer


class TieOutAnswer(Struct, kw_only=True):
    """What was compared, and every difference."""

    status: Success
    timestamp: datetime
    data: TieOut


_METHOD = parameters.choice(
    "method", "How our fills are added up for the comparison.", "average", "fifo", default="average"
)


def add_reconciling(api: Api, served: Served) -> None:
    """Add what compares a statement with the books."""
    api.add(
        Operation(
            method="POST",
            path="/api/reconcile",
            tag="Imports",
            title="Do we agree with the broker?",
            words="A statement, a report of round trips, or sums of days. It is compared with the books, and "
            "each difference has the kind that could be shown; `agrees` says whether there is none. Nothing "
            "is kept.",
            parameters=(*IMPORT_PARAMETERS, _METHOD),
            body=Body(("multipart/form-data",), FILE, None),
            answer=TieOutAnswer,
            statuses=(400, 411, 413, 415, 422),
        ),
        _view(served),
    )


def _view(served: Served) -> Callable[..., Response]:
    def view(method: Any, format: str | None, **said: Any) -> Response:
        with served.at_work(), uploaded() as (path, name), served.trackers.lent() as tracker:
            found = tie_out(tracker, path, method=method, name=name, layout=format, **said)
        return json_answer(success(served, found))

    return view
