"""Risk board page: one line an account, worst first, with filters and acknowledgement of many alerts at once."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Response, request

from tearsheet.app.limits.risk_board import STATES, BoardLine, risk_board
from tearsheet.errors import NotFoundError
from tearsheet.trade.amount import ZERO, exact
from tearsheet.web.http import parameters
from tearsheet.web.http.errors import HttpError
from tearsheet.web.pages.frame import PageRoute, Pages, form_text, redirect_to
from tearsheet.web.rendering.labels import link, partial_reason
from tearsheet.web.rendering.tiles import sparkline_of

_MAX_ACCOUNTS = 2_000
_YEAR_S = 365 * 86_400
#: The cookie with the name of whoever acknowledged last.
_WHO = "acknowledged-by"
_LABELS = {"breach": "Breached", "warn": "Near", "unknown": "No data", "ok": "OK", "none": "No limits"}
#: Columns to sort by, with their keys; the first is the order of the board itself.
_SORTS: dict[str, Callable[[BoardLine], Any]] = {
    "state": lambda line: 0,
    "account": lambda line: line.account,
    "used": lambda line: -(line.used if line.used is not None else -1),
    "headroom": lambda line: _or_last(None if line.nearest is None else line.nearest.headroom),
    "today": lambda line: line.today,
    "week": lambda line: line.week,
    "drawdown": lambda line: _or_last(line.drawdown_left),
    "open": lambda line: -line.open_positions,
    "fill": lambda line: _age_key(line.last_fill_at),
}
_STATE = parameters.choice("state", "Only accounts in this state.", *STATES)
_SORT = parameters.choice("sort", "What the lines are sorted by.", *_SORTS, default="state")
_TEXT = parameters.text_of("text", "Only accounts whose name has this text.")


def add_risk_pages(pages: Pages) -> None:
    """Add the risk board and its acknowledgement."""
    pages.add(PageRoute("/risk", parameters=(_STATE, _SORT, _TEXT)), _view(pages))
    pages.add(PageRoute("/risk/acknowledge", "write", (_STATE, _SORT, _TEXT), "POST"), _acknowledge(pages))


def _view(pages: Pages) -> Callable[..., Response]:
    def view(state: str | None, sort: str, text: str | None) -> Response:
        with pages.app_context.query() as query:
            board = risk_board(query.tracker, query.sync_errors)
            lines = [line for line in board if state in (None, line.state)]
            if text:
                lines = [line for line in lines if text.lower() in line.account.lower()]
            lines.sort(key=_SORTS[sort])  # stable: equal lines stay worst first
            return pages.render(
                "risk.html",
                title="Risk",
                revision=query.tracker.ledger.revision,
                lines=lines,
                sparklines={line.account: sparkline_of(line.totals) for line in lines},
                counts=Counter(line.state for line in board),
                total=len(board),
                with_open=sum(line.open_positions > 0 for line in board),
                results=_results(board),
                labels=_LABELS,
                states=STATES,
                filters={"state": state, "sort": None if sort == "state" else sort, "text": text},
                sort=sort,
                today=query.tracker.today,
                now=query.tracker.now,
                who=request.cookies.get(_WHO, ""),
                can_write=pages.app_context.access.is_allowed(request, "write"),
                partial=[partial_reason(one, {}) for one in query.sync_errors],
            )

    return view


def _acknowledge(pages: Pages) -> Callable[..., Response]:
    def view(**filters: str | None) -> Response:
        by, note, accounts = form_text("by"), form_text("note"), request.form.getlist("account")
        if not by:
            raise HttpError(422, "an acknowledgement says by whom", "write your name")
        if not 1 <= len(accounts) <= _MAX_ACCOUNTS:
            raise HttpError(422, f"{len(accounts)} accounts were chosen", f"choose 1 to {_MAX_ACCOUNTS}")
        with pages.app_context.query() as query:
            alerts = query.tracker.alerts
            for line in risk_board(query.tracker, query.sync_errors):
                for identity in line.alert_ids if line.account in accounts else ():
                    try:
                        alerts.acknowledge(identity, by, note or None, query.tracker.now)
                    except NotFoundError:  # resolved meanwhile
                        continue
        response = redirect_to(
            link("/risk", {**filters, "sort": None if filters["sort"] == "state" else filters["sort"]})
        )
        response.set_cookie(_WHO, by, max_age=_YEAR_S, samesite="Strict", httponly=True)
        return response

    return view


def _results(board: list[BoardLine]) -> list[tuple[str, Decimal, Decimal]]:
    """Return today's and the week's result of all accounts, by currency."""
    with exact():
        sums: dict[str, tuple[Decimal, Decimal]] = {}
        for line in board:
            today, week = sums.get(line.currency, (ZERO, ZERO))
            sums[line.currency] = (today + line.today, week + line.week)
    return [(currency, *sums[currency]) for currency in sorted(sums)]


def _or_last(value: Decimal | None) -> tuple[bool, Decimal]:
    return value is None, value or ZERO


def _age_key(at: datetime | None) -> tuple[bool, float]:
    """Sort the oldest first, accounts without a fill last."""
    return at is None, 0.0 if at is None else at.timestamp()
