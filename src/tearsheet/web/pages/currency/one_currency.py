"""The page of a period in one currency: its sums, the rates they were converted by, and what has no rate."""

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Response

from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.performance.summary import Scope
from tearsheet.trade.session import WindowKind
from tearsheet.web.http import parameters
from tearsheet.web.pages.frame import PageRoute, Pages
from tearsheet.web.rendering.labels import incompleteness
from tearsheet.web.server.context import QueryContext

_MOST_RATES = 200


def add_one_currency(pages: Pages) -> None:
    """Add the page of a period in one currency."""
    shown = (*parameters.PERIOD, parameters.ACCOUNT, parameters.BASE)
    pages.add(PageRoute("/currencies", parameters=shown), _view(pages))


def _view(pages: Pages) -> Callable[..., Response]:
    def view(
        window: WindowKind, start: date | None, end: date | None, account: str | None, base: str | None
    ) -> Response:
        with pages.app_context.query() as query:
            chosen = query.tracker.window(window, start=start, end=end)
            money = (
                base or AccountsEditor(query.tracker).show().base.currency or query.tracker.settings.currency
            )
            summary = query.tracker.get_summary(
                chosen, scope=Scope(account), base=money, sync=False, stale=query.sync_errors
            )
            filters = {"window": window, "start": start, "end": end, "account": account}
            return pages.render("one_currency.html", **_content(query, summary, filters))

    return view


def _content(query: QueryContext, summary: Any, filters: dict[str, Any]) -> dict[str, Any]:
    conversion = summary.conversion
    return {
        "title": f"In {conversion.base}",
        "summary": summary,
        "conversion": conversion,
        "balances": [
            ("Currency result", conversion.fx_result, conversion.fx_reason, True),
            ("Balance", conversion.balance, conversion.balance_reason, False),
        ],
        "sums": [
            ("Net P&L", conversion.net_pnl),
            ("Fees", -conversion.fees),
            ("Result", conversion.result),
            ("Deposits and withdrawals", conversion.flows),
        ],
        "rates": conversion.rates[-_MOST_RATES:][::-1],
        "left": max(len(conversion.rates) - _MOST_RATES, 0),
        "partial": [
            shown
            for reason, shown in zip(summary.partial_reasons, incompleteness(summary), strict=True)
            if reason.code != "missing_rate"  # has a place of its own
        ],
        "filters": filters,
        "accounts": query.tracker.accounts(),
    }
