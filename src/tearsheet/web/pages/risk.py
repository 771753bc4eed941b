"""Risk board page: one line an account, worst first, with filters, CSV and acknowledgement of many alerts at once."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Response, request

from tearsheet.app.limits.risk_board import STATES, BoardLine, risk_board
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.trade.amount import ZERO, exact
from tearsheet.web.http import parameters
from tearsheet.web.http.csv_download import csv_response
from tearsheet.web.http.errors import HttpError
from tearsheet.web.pages.alerts import (
    WHO_COOKIE,
    FormProblem,
    acknowledger,
    error_status,
    remember_name,
    seen_alerts,
)
from tearsheet.web.pages.frame import PageRoute, Pages, redirect_to
from tearsheet.web.rendering.labels import age_label, link, partial_reason
from tearsheet.web.rendering.tiles import sparkline_of
from tearsheet.web.rendering.trade_columns import DENSITY_COOKIE, density_of
from tearsheet.web.server.context import QueryContext

_MAX_ALERTS = 5_000
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
_CSV = (
    "account",
    "state",
    "must_be_flat",
    "limit",
    "used_percent",
    "headroom",
    "breached_at",
    "today",
    "week",
    "drawdown_left",
    "open_positions",
    "last_fill_at",
    "currency",
    "reasons",
)
_FILTER = (
    parameters.choice("state", "Only accounts in this state, or with open positions.", *STATES, "open"),
    parameters.choice("sort", "What the lines are sorted by.", *_SORTS, default="state"),
    parameters.text_of("text", "Only accounts whose name has this text."),
)
_DONE = parameters.number_of("acknowledged", "How many alerts were just acknowledged.", _MAX_ALERTS, low=0)


def add_risk_pages(pages: Pages) -> None:
    """Add the risk board, its CSV and its acknowledgement."""
    views = _RiskPages(pages)
    pages.add(PageRoute("/risk", parameters=(*_FILTER, _DONE)), views.board)
    pages.add(PageRoute("/risk.csv", parameters=_FILTER), views.csv)
    pages.add(PageRoute("/risk/acknowledge", "write", _FILTER, "POST"), views.acknowledge)


class _RiskPages:
    """Views of the risk board."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._app_context = pages, pages.app_context

    def board(
        self,
        state: str | None,
        sort: str,
        text: str | None,
        acknowledged: int | None = None,
        error: FormProblem | None = None,
    ) -> Response:
        """Show the lines that match the filter, and counts of all."""
        with self._app_context.query() as query:
            board, lines = _lines(query, state, sort, text)
            return self._pages.render(
                "risk.html",
                error_status(error),
                title="Risk",
                revision=query.tracker.ledger.revision,
                lines=lines,
                sparklines={line.account: sparkline_of(line.totals) for line in lines},
                counts=Counter(line.state for line in board) | Counter(dict.fromkeys(STATES, 0)),
                total=len(board),
                with_open=sum(line.open_positions > 0 for line in board),
                still_open=sum(line.must_be_flat and line.open_positions > 0 for line in board),
                results=_results(board),
                labels=_LABELS,
                filters=_link_filters(state, sort, text),
                sort=sort,
                today=query.tracker.today,
                now=query.tracker.now,
                age=age_label,
                density=density_of(request.cookies.get(DENSITY_COOKIE)),
                by=request.form.get("by", request.cookies.get(WHO_COOKIE, "")),
                note=request.form.get("note", ""),
                done=acknowledged,
                error=error,
                can_write=self._app_context.access.is_allowed(request, "write"),
                partial=[partial_reason(one, {}) for one in query.sync_errors],
            )

    def csv(self, **filters: Any) -> Response:
        """Download the lines that match the filter."""
        with self._app_context.query() as query:
            _, lines = _lines(query, **filters)
        return csv_response(_CSV, map(_csv_row, lines), "risk.csv")

    def acknowledge(self, **filters: Any) -> Response:
        """Acknowledge the alerts that the chosen lines showed, and none that was raised since."""
        only = request.form.get("only")
        chosen = " ".join(request.form.getlist("alerts") if only is None else [only]).split()
        try:
            by, note = acknowledger()
            if not 1 <= len(chosen) <= _MAX_ALERTS:
                raise UsageError("no accounts are selected", "select accounts with unacknowledged alerts")
            with self._app_context.query() as query:
                done = query.tracker.alerts.acknowledge_all(
                    seen_alerts(chosen), by, note, self._app_context.now
                )
        except (UsageError, HttpError, NotFoundError) as error:
            return self.board(**filters, error=error)
        return remember_name(redirect_to(link("/risk", _link_filters(**filters), acknowledged=len(done))), by)


def _lines(
    query: QueryContext, state: str | None, sort: str, text: str | None
) -> tuple[list[BoardLine], list[BoardLine]]:
    """Return all lines of the board, and those that match a filter, sorted."""
    board = risk_board(query.tracker, query.sync_errors)
    lines = [
        line for line in board if state in (None, line.state) or (state == "open" and line.open_positions > 0)
    ]
    if text:
        lines = [line for line in lines if text.lower() in line.account.lower()]
    lines.sort(key=_SORTS[sort])  # stable: equal lines stay worst first
    return board, lines


def _link_filters(state: str | None, sort: str, text: str | None) -> dict[str, str | None]:
    return {"state": state, "sort": None if sort == "state" else sort, "text": text}


def _csv_row(line: BoardLine) -> list[Any]:
    limit = line.nearest
    breach = None if limit is None else limit.breach
    return [
        line.account,
        line.state,
        line.must_be_flat,
        None if limit is None else limit.name,
        line.used,
        None if limit is None else limit.headroom,
        None if breach is None else breach.at,
        line.today,
        line.week,
        line.drawdown_left,
        line.open_positions,
        line.last_fill_at,
        line.currency,
        "; ".join(line.reasons),
    ]


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
