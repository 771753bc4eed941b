"""Risk board: one line an account, those that must be looked at first on top."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import accumulate
from typing import Literal

from msgspec import Struct

from tearsheet.app.alerts.evaluator import AlertFilter
from tearsheet.app.context import LedgerContext
from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.performance.summary import PartialReason, Scope
from tearsheet.performance.tally import Tally
from tearsheet.rules.status import nearest_limit
from tearsheet.rules.verdict import LimitView, Verdict
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.session import DAY, Window

BoardState = Literal["breach", "warn", "unknown", "none", "ok"]
#: The order of the states: what must be acted on first. An account in `none` has no limits.
STATES: tuple[BoardState, ...] = ("breach", "warn", "unknown", "none", "ok")
_CURVE_DAYS = 30
_MAX_ALERTS = 5_000


class BoardLine(Struct, frozen=True, kw_only=True):
    """Limits, results and open alerts of an account.

    `nearest` is the limit used most, or the broken one; `used` its share in percent, rounded down.
    `drawdown_left` is the headroom of a drawdown limit. `totals` is the cumulative P&L of the last 30
    calendar days with trades. `open_positions` counts instruments. `alerts` are the unacknowledged ones, as `ID:state`.
    """

    account: str
    state: BoardState
    currency: str
    must_be_flat: bool
    nearest: LimitView | None
    used: int | None
    drawdown_left: Decimal | None
    today: Decimal
    week: Decimal
    totals: tuple[Decimal, ...]
    open_positions: int
    last_fill_at: datetime | None
    reasons: tuple[str, ...]
    alerts: tuple[str, ...]


def risk_board(context: LedgerContext, stale: Iterable[PartialReason] = ()) -> list[BoardLine]:
    """Return a line for each account, worst first: breached by instant, then by share used.

    `stale` lists reasons why the ledger may be behind its files.
    """
    verdicts = {one.account: one for one in account_verdicts(context).all(stale)}
    alerts: dict[str, list[str]] = {}
    for alert in context.alerts.page(_MAX_ALERTS, None, AlertFilter("unacknowledged")).items:
        alerts.setdefault(alert.account or "", []).append(f"{alert.id}:{alert.state}")
    with context.ledger.snapshot() as queries, exact():
        logged = queries.open_log_positions(Scope(), context.settings.currency)
        held = [*queries.open_positions(Scope()), *logged]
        open_positions = Counter(position.account for position in held)
        lines = [
            _line(context, account, verdicts.get(account), open_positions[account], alerts.get(account, ()))
            for account in sorted({*verdicts, *queries.accounts()})
        ]
    return sorted(lines, key=_order)


def _line(
    context: LedgerContext, account: str, verdict: Verdict | None, open_positions: int, alerts: Sequence[str]
) -> BoardLine:
    today, currency = context.today, verdict.currency if verdict else context.settings.currency
    sessions = context.ledger.tallies.between(account, today - DAY * _CURVE_DAYS, today + DAY, currency)
    limits = verdict.limits if verdict else ()
    nearest = nearest_limit(limits)
    return BoardLine(
        account=account,
        state=_state(verdict),
        currency=currency,
        must_be_flat=verdict is not None and verdict.must_be_flat,
        nearest=nearest,
        used=None if nearest is None or nearest.used is None else int(nearest.used * 100),
        drawdown_left=next((one.headroom for one in limits if one.name == "max_drawdown"), None),
        today=_net(sessions, today),
        week=_net(sessions, Window.containing("weekly", today).start),
        totals=tuple(accumulate(tally.result for _, tally in sessions)),
        open_positions=open_positions,
        last_fill_at=verdict.last_fill_at if verdict else context.ledger.queries.last_fill_at(account),
        reasons=tuple(reason.detail for reason in verdict.reasons) if verdict else (),
        alerts=tuple(alerts),
    )


def _state(verdict: Verdict | None) -> BoardState:
    if verdict is None or any(reason.code == "no_limits" for reason in verdict.reasons):
        return "none"
    return verdict.state


def _net(sessions: Sequence[tuple[date, Tally]], first: date) -> Decimal:
    return sum((tally.result for session, tally in sessions if session >= first), ZERO)


def _order(line: BoardLine) -> tuple[object, ...]:
    breach = None if line.nearest is None else line.nearest.breach
    at = breach.at.timestamp() if line.state == "breach" and breach is not None else 0.0
    return STATES.index(line.state), at, -(line.used or 0), line.account
