"""Which alerts somebody asks for, in the API and on the page."""

from datetime import date
from typing import Any, Literal

from tearsheet.app.alerts.evaluator import AlertFilter
from tearsheet.rules.limit import LIMITS
from tearsheet.rules.target import TARGET_RULES
from tearsheet.trade.session import TradingCalendar
from tearsheet.web.http import parameters
from tearsheet.web.http.operation import Parameter

#: Every rule that an alert may be about.
RULES = tuple(dict.fromkeys((*LIMITS, *TARGET_RULES)))
_STATES = ("open", "new", "acknowledged", "resolved", "all")
_STATE_DESCRIPTION = "Open is what is not over yet; of that, new is what nobody has acknowledged."


def filter_parameters(default: Literal["open", "all"]) -> tuple[Parameter, ...]:
    """The parameters of a wish, with the state where none is said."""
    return (
        parameters.choice("state", _STATE_DESCRIPTION, *_STATES, default=default),
        parameters.ACCOUNT,
        parameters.choice("rule", "Only this rule or limit.", *RULES),
        parameters.choice("severity", "Only this severity.", "warning", "critical"),
        parameters.date_of("start", "Raised on this trading day or later."),
        parameters.date_of("end", "Raised on this trading day or before."),
    )


def filter_from(
    calendar: TradingCalendar, *, start: date | None, end: date | None, **values: Any
) -> AlertFilter:
    """The wish that parameters say."""
    since = None if start is None else calendar.start(start)
    until = None if end is None else calendar.end(end)
    return AlertFilter(since=since, until=until, **values)
