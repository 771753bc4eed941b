"""Alerts: the filter that the API and the dashboard share, the list, and acknowledgements."""

from datetime import date
from typing import Any, Literal

from flask import Response

from tearsheet.app.alerts.evaluator import AlertFilter
from tearsheet.rules import AlertEvent
from tearsheet.rules.limit import LIMITS
from tearsheet.rules.objective import OBJECTIVES
from tearsheet.rules.target import TARGET_RULES
from tearsheet.store.list_values import PageCursor
from tearsheet.trade.session import TradingCalendar
from tearsheet.web.http import parameters
from tearsheet.web.http.bodies import BY, NOTE, cursor_from, is_valid_text, json_object
from tearsheet.web.http.errors import HttpError
from tearsheet.web.http.operation import Api, Body, Operation, Parameter
from tearsheet.web.http.parameters import cursor_of
from tearsheet.web.http.responses import success_response
from tearsheet.web.schemas.answer import Answer, PageAnswer
from tearsheet.web.server.context import AppContext

#: Every rule that an alert may be about.
RULES = tuple(dict.fromkeys((*LIMITS, *OBJECTIVES, *TARGET_RULES)))
_STATES = ("open", "unacknowledged", "new", "acknowledged", "resolved", "all")
_STATE_DESCRIPTION = (
    "Open is what is not resolved; of that, unacknowledged (older: new) is what nobody acknowledged."
)
_ACKNOWLEDGEMENT = {
    "type": "object",
    "properties": {
        "by": {"type": "string", "pattern": BY, "description": "Who acknowledges it."},
        "note": {
            "anyOf": [{"type": "string", "pattern": NOTE}, {"type": "null"}],
            "description": "What they say of it.",
        },
    },
    "required": ["by"],
    "additionalProperties": False,
}


def filter_parameters(default_state: Literal["open", "all"]) -> tuple[Parameter, ...]:
    """Return the query parameters of the alert filter."""
    return (
        parameters.choice("state", _STATE_DESCRIPTION, *_STATES, default=default_state),
        parameters.ACCOUNT,
        parameters.choice("rule", "Only this rule or limit.", *RULES),
        parameters.choice("severity", "Only this severity.", "warning", "critical"),
        parameters.date_of("start", "Raised on this trading day or later."),
        parameters.date_of("end", "Raised on this trading day or before."),
    )


def filter_from(
    calendar: TradingCalendar, *, start: date | None, end: date | None, **values: Any
) -> AlertFilter:
    """Return the filter of these query parameters; its days become instants of the trading calendar."""
    since = None if start is None else calendar.start(start)
    until = None if end is None else calendar.end(end)
    return AlertFilter(since=since, until=until, **values)


def add_alerts(api: Api, app_context: AppContext) -> None:
    """Add the alerts and their acknowledgement."""
    api.add(
        Operation(
            method="GET",
            path="/api/alerts",
            tag="Alerts",
            title="Alerts, the newest first",
            parameters=(*filter_parameters("all"), *parameters.PAGE),
            response_type=PageAnswer[AlertEvent],
            statuses=(422,),
            aliases=("/api/performance/alerts",),
        ),
        lambda limit, cursor, **values: _alerts(app_context, limit, cursor, values),
    )
    api.add(
        Operation(
            method="GET",
            path="/api/alerts/{alert}/changes",
            tag="Alerts",
            title="The life of an alert, from its beginning on",
            in_path=(parameters.ALERT_ID,),
            response_type=Answer[tuple[AlertEvent, ...]],
            statuses=(404, 422),
            aliases=("/api/performance/alerts/{alert}/changes",),
        ),
        lambda alert: _alert_changes(app_context, alert),
    )
    api.add(
        Operation(
            method="POST",
            path="/api/alerts/{alert}/acknowledge",
            tag="Alerts",
            title="Say that somebody has seen an alert",
            level="write",
            in_path=(parameters.ALERT_ID,),
            body=Body(("application/json",), _ACKNOWLEDGEMENT, {"by": "kim", "note": "flat"}),
            response_type=Answer[AlertEvent],
            statuses=(400, 404, 411, 413, 415, 422),
            aliases=("/api/performance/alerts/{alert}/acknowledge",),
        ),
        lambda alert: _acknowledge(app_context, alert),
    )


def _alerts(
    app_context: AppContext, limit: int, cursor: PageCursor | None, values: dict[str, Any]
) -> Response:
    after = cursor_from(cursor, str)
    with app_context.query() as query:
        alert_filter = filter_from(query.tracker.settings.calendar, **values)
        page = query.tracker.alerts.page(limit, after, alert_filter)
    return success_response(app_context.timestamp, page.items, next_cursor=cursor_of(page.next))


def _alert_changes(app_context: AppContext, alert: str) -> Response:
    with app_context.query() as query:
        return success_response(app_context.timestamp, query.tracker.alerts.changes(alert))


def _acknowledge(app_context: AppContext, alert: str) -> Response:
    content = json_object("by", "note")
    by, note = content.get("by"), content.get("note")
    if not is_valid_text(by, BY) or not (note is None or is_valid_text(note, NOTE)):
        raise HttpError(422, "a name is required, in 1 to 100 characters", 'send {"by": "…"}')
    with app_context.query() as query:
        acknowledged = query.tracker.alerts.acknowledge(alert, str(by), note, app_context.now)
    return success_response(app_context.timestamp, acknowledged)
