"""Exchange rates: read and state them."""

from datetime import date
from typing import Literal

from flask import Response

from tearsheet.app.currency.stated_rates import RatesFilter, StatedRates
from tearsheet.app.imports.formats import RATE_SCHEMA
from tearsheet.web.http import parameters
from tearsheet.web.http.operation import Api, Body, Operation
from tearsheet.web.http.responses import success_response
from tearsheet.web.schemas.answer import Answer, PageAnswer
from tearsheet.web.schemas.trading import RatesResult, RateView
from tearsheet.web.server.context import AppContext
from tearsheet.web.server.posting import one_or_many, post_view

_EXAMPLE = {"date": "2026-03-02", "from": "EUR", "to": "USD", "rate": "1.085", "source": "ecb"}


def add_rates(api: Api, app_context: AppContext) -> None:
    """Add the operations on `/api/rates`."""
    api.add(
        Operation(
            method="GET",
            path="/api/rates",
            tag="Trading",
            title="Exchange rates, the newest first",
            description="Those too that a later import corrected: `counts` is false for them. "
            "Ask with an earlier `end` for those before.",
            parameters=(*parameters.RATE_PAIR, parameters.START, parameters.END, parameters.LIMIT),
            response_type=PageAnswer[RateView],
            statuses=(304, 422),
        ),
        lambda **values: _rates(app_context, **values),
    )
    view = post_view(app_context, "rates", lambda tracker, request: StatedRates(tracker).post(request))
    methods: tuple[tuple[Literal["POST", "PUT"], str], ...] = (
        ("POST", "Keep exchange rates, all or none"),
        ("PUT", "State the rate of a pair and a day"),
    )
    for method, title in methods:
        api.add(
            Operation(
                method=method,
                path="/api/rates",
                tag="Trading",
                title=title,
                description="One object, a list, or an object with `rates`. One unit of `from` is `rate` units of "
                "`to`. A repeated one changes nothing; another rate of the same pair and day is a correction, which "
                "counts from then on for all windows. Both are kept; undoing its import takes one back.",
                level="write",
                body=Body(("application/json",), one_or_many(RATE_SCHEMA, "rates"), _EXAMPLE),
                response_type=Answer[RatesResult],
                statuses=(400, 409, 411, 413, 415, 422),
            ),
            view,
        )


def _rates(
    app_context: AppContext, start: date | None, end: date | None, limit: int, **pair: str | None
) -> Response:
    wanted = RatesFilter(pair["from"], pair["to"], start, end)
    with app_context.query() as query:
        return app_context.not_modified(query) or success_response(
            app_context.timestamp, StatedRates(query.tracker).list(wanted, limit), next_cursor=None
        )
