"""What changed limits would have meant: the last month of each account, with the limits of now and with others."""

from datetime import date

from msgspec import Struct

from tearsheet.app.context import LedgerContext
from tearsheet.app.limits.replay import replay_history
from tearsheet.errors import MixedCurrencyError
from tearsheet.rules.limit import Limits
from tearsheet.rules.replay import Replay
from tearsheet.trade.session import DAY

_DAYS = 30
_MAX_ACCOUNTS = 40


class AccountCheck(Struct, frozen=True):
    """Last month of an account with the limits of now and with others; None where there are none."""

    account: str
    start: date
    end: date
    now: Replay | None
    then: Replay | None

    @property
    def currency(self) -> str:
        """Currency of the results."""
        either = self.then or self.now
        assert either is not None
        return either.currency


class LimitsCheck(Struct, frozen=True):
    """Checked accounts, those with the most stops first, how many were left out, and why one cannot be checked."""

    accounts: tuple[AccountCheck, ...]
    left_out: int
    problem: str = ""


def check_limits(context: LedgerContext, now: Limits, then: Limits, account: str | None) -> LimitsCheck:
    """Replay the 30 days up to the last session of an account, or of those that have the default limits.

    An account in several currencies without a default one cannot be replayed, which `problem` says.
    """
    named = {*now.accounts, *then.accounts}
    known = context.ledger.queries.accounts()
    chosen = [account] if account is not None else [one for one in known if one not in named]
    checks, problem = [], ""
    for one in chosen[:_MAX_ACCOUNTS]:
        try:
            check = _check(context, now, then, one)
        except MixedCurrencyError as error:
            problem = error.message
            continue
        if check is not None:
            checks.append(check)
    return LimitsCheck(tuple(sorted(checks, key=_order)), max(0, len(chosen) - _MAX_ACCOUNTS), problem)


def _check(context: LedgerContext, now: Limits, then: Limits, account: str) -> AccountCheck | None:
    last = context.ledger.tallies.last_session(account)
    if last is None:
        return None
    start = last - DAY * (_DAYS - 1)

    def replayed(limits: Limits) -> Replay | None:
        if not limits.for_account(account).limits:
            return None
        (replay,) = replay_history(context, limits, start=start, end=last, account=account)
        return replay

    before, after = replayed(now), replayed(then)
    return None if before is None and after is None else AccountCheck(account, start, last, before, after)


def _order(check: AccountCheck) -> tuple[int, str]:
    return -len(check.then.stops if check.then else ()), check.account
