"""Status of an account: what is left to pass, what is nearest to break, and how every number came."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct

from tearsheet.performance.account import StatedAccount
from tearsheet.rules.limit import Level, Limit, LimitName
from tearsheet.rules.limit_book import LimitBook
from tearsheet.rules.limit_sums import LimitSums
from tearsheet.rules.limit_usage import balance_level
from tearsheet.rules.objective import ObjectiveView
from tearsheet.rules.preset import PresetUse
from tearsheet.rules.verdict import LimitView, Verdict, VerdictReason, VerdictState
from tearsheet.trade.amount import ZERO, to_plain_string

SCHEMA = "tearsheet.status/1"
_LEVELS: dict[Level, str] = {
    "initial": "the starting balance",
    "day_balance": "the balance when the day began",
    "day_equity": "the equity when the day began",
    "day_higher": "the higher of balance and equity when the day began",
}
_BASES = {
    "closed": "the highest booked balance",
    "end_of_day": "the highest balance at the end of a day",
    "open_pnl": "the highest equity",
}
_JUDGED = {"closed": "balance", "open_pnl": "equity", "end_of_day": "balance at the end of the day"}


class LimitDetail(Struct, frozen=True, kw_only=True):
    """A limit with its view in the verdict, and how its numbers came, step by step."""

    view: LimitView
    how: tuple[str, ...]


class AccountStatus(Struct, frozen=True, kw_only=True):
    """What is left to pass and what is nearest to break.

    `nearest` is the broken limit, else the one used most. `left` are the objectives that are not met. `balance` and
    `equity` are None where the starting balance is not stated or a price is missing. `cautions` say what is to be
    known before anybody relies on a preset or a calendar.
    """

    schema: str = SCHEMA
    account: str
    state: VerdictState
    must_be_flat: bool
    currency: str
    trading_day: date
    resets_at: datetime
    as_of: datetime
    starting_balance: Decimal | None
    balance: Decimal | None
    equity: Decimal | None
    nearest: LimitName | None
    left: tuple[str, ...]
    limits: tuple[LimitDetail, ...]
    objectives: tuple[ObjectiveView, ...]
    reasons: tuple[VerdictReason, ...]
    preset: PresetUse | None
    preset_age_days: int | None
    cautions: tuple[str, ...]


def account_status(
    book: LimitBook, verdict: Verdict, objectives: tuple[ObjectiveView, ...], terms: StatedAccount
) -> AccountStatus:
    """Return the status of an account; call it inside `exact()`."""
    start, sums = book.context.facts.starting_balance, book.sums
    if start is None:
        start = terms.start(book.context.currency)
    balance = None if start is None else start + sums.result + sums.flows
    preset, today = book.plan.preset, verdict.as_of.date()
    nearest = nearest_limit(verdict.limits)
    return AccountStatus(
        account=verdict.account,
        state=verdict.state,
        must_be_flat=verdict.must_be_flat,
        currency=verdict.currency,
        trading_day=verdict.trading_day,
        resets_at=verdict.resets_at,
        as_of=verdict.as_of,
        starting_balance=start,
        balance=balance,
        equity=None if balance is None or sums.pnl_open is None else balance + sums.pnl_open,
        nearest=None if nearest is None else nearest.name,
        left=tuple(one.name for one in objectives if one.state != "met"),
        limits=tuple(LimitDetail(view=view, how=tuple(_how(book, view))) for view in verdict.limits),
        objectives=objectives,
        reasons=verdict.reasons,
        preset=preset,
        preset_age_days=None if preset is None else preset.age_days(today),
        cautions=(*(preset.cautions(today) if preset else ()), *_calendar_cautions(book, preset)),
    )


def nearest_limit(views: Sequence[LimitView]) -> LimitView | None:
    """Return the broken limit, else the one used most, or None."""
    used = [one for one in views if one.breach is not None or one.used is not None]
    return max(used, key=lambda one: (one.breach is not None, one.used or ZERO), default=None)


def _calendar_cautions(book: LimitBook, preset: PresetUse | None) -> Iterator[str]:
    """Yield that the account's day is not that of the preset's firm."""
    wanted, own = preset.calendar if preset else None, book.context.calendar
    if wanted is None:
        return
    clock = own.day_starts_at.isoformat("minutes")
    if (wanted.timezone, wanted.day_starts_at) != (own.timezone.key, clock):
        yield (
            f"its day begins at {wanted.day_starts_at} in {wanted.timezone}, the account's at {clock} in "
            f"{own.timezone.key}: state it with `tearsheet accounts set`"
        )


def _how(book: LimitBook, view: LimitView) -> Iterator[str]:
    """Yield how the numbers of a limit came, as sums that can be followed."""
    limit = book.plan.get(view.name)
    if limit is None:
        return
    facts, sums = book.context.facts, book.sums
    if limit.type.unit == "money" and limit.name != "profit_lock":
        yield from _how_amount(limit, facts.starting_balance, sums)
        yield from _how_floor(limit, view, facts.starting_balance, sums)
        if view.standing is not None and view.floor is not None and view.headroom is not None:
            what = _JUDGED[limit.judged_by]
            yield f"{what} {_n(view.standing)} − floor {_n(view.floor)} = {_n(view.headroom)} left"
        if view.floor is not None:
            yield f"breached {'at' if limit.breaks_when_equal else 'below'} the floor"
        else:
            yield f"breached when the amount is {'reached' if limit.breaks_when_equal else 'passed'}"
    if limit.scale:
        steps = ", ".join(f"from {_n(step.profit)}: {_n(step.quantity)}" for step in limit.scale)
        yield f"profit when the day began {_n(sums.profit_at_open)}; {steps}"
    for root, most in limit.symbols.items():
        yield f"{root}: at most {_n(most)}"
    for root, share in limit.weights.items():
        yield f"one {root} counts {_n(share)}"
    if limit.name == "inactivity" and sums.last_fill_on is not None:
        yield f"last fill on {sums.last_fill_on.isoformat()}"
    if limit.severity == "pause":
        yield "a breach pauses the account until it resets"


def _how_amount(limit: Limit, start: Decimal | None, sums: LimitSums) -> Iterator[str]:
    if limit.percent_of is None:
        return
    level = balance_level(limit.percent_of, sums, start)
    known = "" if level is None else f" {_n(level)}"
    amount = "unknown" if level is None else _n(level * limit.threshold.scaleb(-2))
    yield f"{_n(limit.threshold)} % of {_LEVELS[limit.percent_of]}{known} = {amount}"


def _how_floor(limit: Limit, view: LimitView, start: Decimal | None, sums: LimitSums) -> Iterator[str]:
    if view.floor is None or start is None:
        return
    if limit.name != "max_drawdown":
        amount = view.threshold
        if amount is not None:
            what = (
                _LEVELS[limit.day_from] if limit.name == "daily_loss" else "the balance when the period began"
            )
            flows = f" with flows since of {_n(sums.day_flows)}" if sums.day_flows else ""
            yield f"{what}{flows} {_n(view.floor + amount)} − {_n(amount)} = floor {_n(view.floor)}"
        return
    base = start + sums.drawdown_start
    if limit.on_payout == "lock" and sums.is_paid_out:
        yield f"after the first payout the floor stays at {_n(view.floor)}"
        return
    what = _BASES[limit.basis] if limit.trailing else "the start"
    yield f"floor {_n(view.floor)} under {what}; start {_n(base)}"
    if limit.trailing and limit.lock_at is not None:
        locked = view.floor >= base + limit.lock_at
        yield f"{'locked' if locked else 'it locks'} at {_n(base + limit.lock_at)}"


def _n(value: Decimal) -> str:
    text = to_plain_string(value)
    whole, dot, rest = text.partition(".")
    return f"{int(whole):,}{dot}{rest}" if whole not in ("-0",) else text
