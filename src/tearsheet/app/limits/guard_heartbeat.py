"""Heartbeats of guards: the time of the last verdict poll per account."""

from datetime import UTC, datetime, timedelta

import msgspec

from tearsheet.app.context import LedgerContext
from tearsheet.app.limits.verdicts import account_verdicts

_KEY = "verdict_asked"
#: Account key of polls for all accounts.
ALL_ACCOUNTS = ""
_MINUTE = timedelta(minutes=1)


def record_poll(context: LedgerContext, account: str, patience_s: float) -> None:
    """Save the current time as the last verdict poll of an account, in a write transaction.

    `patience_s` is the lock timeout in seconds. Raises StoreError.
    """
    with context.ledger.lock_timeout(patience_s), context.ledger.writing():
        polls = _polls(context) | {account: context.now.timestamp()}
        context.ledger.put(_KEY, msgspec.json.encode(polls).decode())


def last_polls(context: LedgerContext, began: datetime) -> dict[str, datetime]:
    """Return the time of the last poll of each account with limits; `began` if it was never polled.

    Raises StoreError.
    """
    polls = _polls(context)
    found = {}
    for one in account_verdicts(context).all():
        at = max(polls.get(one.account, 0.0), polls.get(ALL_ACCOUNTS, 0.0))
        found[one.account] = datetime.fromtimestamp(at, UTC) if at else began
    return found


def missing_guards(context: LedgerContext, began: datetime) -> dict[str, int]:
    """Return the minutes since the last poll, for each account with an overdue poll.

    An account is overdue after `guard_absent_minutes`; 0 turns the check off. Raises StoreError.
    """
    most = context.settings.guard_absent_minutes
    if not most:
        return {}
    ages = {name: context.now - at for name, at in last_polls(context, began).items()}
    return {name: age // _MINUTE for name, age in ages.items() if age >= most * _MINUTE}


def _polls(context: LedgerContext) -> dict[str, float]:
    return msgspec.json.decode(context.ledger.get(_KEY) or "{}", type=dict[str, float])
