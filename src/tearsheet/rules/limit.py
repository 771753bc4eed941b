"""Limits of an account: thresholds, warning levels, and the reset period of each limit."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from tearsheet.rules.objective import Objective
from tearsheet.rules.preset import PresetUse
from tearsheet.trade.amount import ZERO
from tearsheet.trade.session import DAY, Window

LimitName = Literal[
    "daily_loss",
    "weekly_loss",
    "monthly_loss",
    "max_drawdown",
    "max_trades",
    "max_losses_in_a_row",
    "max_open_quantity",
    "profit_lock",
    "trading_hours",
    "no_trading",
    "inactivity",
    "hedged",
]
LimitUnit = Literal["money", "count", "quantity"]
#: Reset period of a breach; `life`: until it is released.
Period = Literal["day", "week", "month", "life"]
EquityBasis = Literal["closed", "end_of_day", "open_pnl"]
#: A level of an account: its starting balance, or what it had at the first instant of the trading day.
Level = Literal["initial", "day_balance", "day_equity", "day_higher"]
#: Whether a value that reaches its limit breaks it, or only one beyond it.
Breaks = Literal["reached", "below"]
#: A breach of a soft limit pauses the account for the period; of any other it fails the account.
Severity = Literal["fail", "pause"]
#: What money that leaves does to the floor of a drawdown: the floor goes down with it, stays, or is locked.
OnPayout = Literal["follow", "keep", "lock"]
#: Policy while the limit status is unknown: keep positions, or act as for a breach.
OnUnknown = Literal["hold", "breach"]

WARN_AT = (Decimal(50), Decimal(75), Decimal(90))
HYSTERESIS = Decimal(5)
STALE_AFTER = timedelta(minutes=15)


class LimitType(Struct, frozen=True):
    """Row of the table of limits. `breach_when_equal`: a value equal to the threshold is a breach."""

    unit: LimitUnit
    period: Period
    breach_when_equal: bool
    description: str


LIMITS: dict[LimitName, LimitType] = {
    "daily_loss": LimitType("money", "day", True, "Net loss of the trading day"),
    "weekly_loss": LimitType("money", "week", True, "Net loss of the week (from Monday)"),
    "monthly_loss": LimitType("money", "month", True, "Net loss of the calendar month"),
    "max_drawdown": LimitType(
        "money", "life", True, "Decline of equity from its start (static) or its peak (trailing)"
    ),
    "max_trades": LimitType("count", "day", True, "Closed trades in the trading day"),
    "max_losses_in_a_row": LimitType("count", "day", True, "Consecutive losing trades in the trading day"),
    "max_open_quantity": LimitType("quantity", "day", False, "Largest open position size"),
    "profit_lock": LimitType("money", "day", True, "Share of the day's peak profit that was given back"),
    "trading_hours": LimitType("count", "day", True, "Fills or open positions outside trading hours"),
    "no_trading": LimitType("count", "day", True, "Fills within a news window"),
    "inactivity": LimitType("count", "life", False, "Calendar days since the last fill while flat"),
    "hedged": LimitType("count", "day", True, "Roots that members of a group hold long and short at once"),
}
#: Limits that count fills, quantities or days, of whatever currency.
_WITHOUT_MONEY: tuple[LimitName, ...] = (
    "max_open_quantity",
    "trading_hours",
    "no_trading",
    "inactivity",
    "hedged",
)
#: Limits that only a group has.
GROUP_ONLY: tuple[LimitName, ...] = ("hedged",)


class TimeOfDayRange(Struct, frozen=True):
    """Range `[start, end)` of local times; it may cross midnight."""

    start: time
    end: time

    def contains(self, clock: time) -> bool:
        """Return whether a local time is in the range."""
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


class ScaleStep(Struct, frozen=True):
    """Quantity that is allowed from a profit on, as it was when the trading day began."""

    profit: Decimal
    quantity: Decimal


class NewsWindow(Struct, frozen=True):
    """Range of instants, both ends included, in which symbols or roots are not traded; no symbol is every one."""

    start: datetime
    end: datetime
    symbols: frozenset[str] = frozenset()
    title: str = ""


class Limit(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One limit. `threshold` is money, a count or a quantity; for a profit lock the percentage of
    the day's highest P&L that may be given back, once that P&L reached `armed_from`.

    With `percent_of` the threshold is a percentage of that level of the account. `day_from` is the level that the
    loss of a day is taken off. `basis` is what moves the high of a drawdown, or what a loss counts; `judged` is
    what is held against the floor. `symbols` are quantities by root, `weights` what one of a root counts.

    Warnings start at `warn_at` percent of the threshold and end `hysteresis` percentage points below.
    They need `min_trades` closed trades of the day and are muted in `mute_windows`; a breach is
    neither delayed nor muted.
    """

    name: LimitName
    threshold: Decimal
    warn_at: tuple[Decimal, ...] = WARN_AT
    hysteresis: Decimal = HYSTERESIS
    min_trades: int = 0
    mute_windows: tuple[TimeOfDayRange, ...] = field(default=(), name="silence")
    on_unknown: OnUnknown = "hold"
    basis: EquityBasis = "closed"
    trailing: bool = False
    lock_at: Decimal | None = None
    since: date | None = None
    per_symbol: bool = False
    armed_from: Decimal = ZERO
    trading_hours: tuple[TimeOfDayRange, ...] = field(default=(), name="hours")
    percent_of: Level | None = None
    day_from: Level = "day_balance"
    judged: EquityBasis | None = None
    breaks: Breaks | None = None
    severity: Severity = "fail"
    on_payout: OnPayout = "follow"
    scale: tuple[ScaleStep, ...] = ()
    symbols: dict[str, Decimal] = {}
    weights: dict[str, Decimal] = {}
    calendar: str = ""
    news: tuple[NewsWindow, ...] = ()
    before: timedelta = timedelta(0)
    after: timedelta = timedelta(0)

    @property
    def type(self) -> LimitType:
        """Return the limit's row of the table."""
        return LIMITS[self.name]

    @property
    def judged_by(self) -> EquityBasis:
        """Return what is held against the floor: without `judged`, what is open only where the basis counts it."""
        return self.judged or ("open_pnl" if self.basis == "open_pnl" else "closed")

    @property
    def breaks_when_equal(self) -> bool:
        """Return whether a value equal to the threshold is a breach."""
        return self.type.breach_when_equal if self.breaks is None else self.breaks == "reached"

    @property
    def counts_money(self) -> bool:
        """Return whether the limit counts results, which are of one currency."""
        return self.name not in _WITHOUT_MONEY or bool(self.scale)

    @property
    def needs_opening_equity(self) -> bool:
        """Return whether the limit needs what was open, at its prices, when the trading day began."""
        return {self.day_from, self.percent_of} & {"day_equity", "day_higher"} != set()

    @property
    def counts_open(self) -> bool:
        """Return whether the limit counts what is open at its prices."""
        return "open_pnl" in (self.basis, self.judged)

    @property
    def needs_marks(self) -> bool:
        """Return whether the limit needs mark prices of open positions."""
        return self.counts_open or self.needs_opening_equity

    @property
    def needs_history(self) -> bool:
        """Return whether the limit needs what the account made since its beginning."""
        since_ever = self.name == "max_drawdown" and self.since is None
        return since_ever or bool(self.scale) or self.percent_of not in (None, "initial")

    @property
    def needs_starting_balance(self) -> bool:
        """Return whether the limit is a share of a balance."""
        return self.percent_of is not None


class AccountLimits(Struct, frozen=True):
    """Limits of one account; with data older than `stale_after` its status is unknown.

    `on_unknown` is what the block itself states, None if it states nothing; `preset` filled in what it does not.
    """

    limits: tuple[Limit, ...] = ()
    stale_after: timedelta | None = STALE_AFTER
    on_unknown: OnUnknown | None = None
    preset: PresetUse | None = None

    def get(self, name: LimitName) -> Limit | None:
        """Return the limit of a name, or None."""
        return next((limit for limit in self.limits if limit.name == name), None)


class GroupLimits(Struct, frozen=True):
    """Limits on the sum of several accounts, each of which keeps its own."""

    members: tuple[str, ...]
    plan: AccountLimits


class Limits(Struct, frozen=True):
    """The `limits:` of the targets file: limits of named accounts, and the default of all others.

    `groups` are limits of several accounts together. `objectives` are those of `objectives:` beside them.
    """

    default: AccountLimits = AccountLimits()
    accounts: dict[str, AccountLimits] = {}
    groups: dict[str, GroupLimits] = {}
    objectives: dict[str, tuple[Objective, ...]] = {}
    default_objectives: tuple[Objective, ...] = ()

    def for_account(self, account: str) -> AccountLimits:
        """Return the limits that apply to an account."""
        return self.accounts.get(account, self.default)

    def objectives_of(self, account: str) -> tuple[Objective, ...]:
        """Return the objectives that apply to an account."""
        return self.objectives.get(account, self.default_objectives)

    def groups_of(self, account: str) -> list[str]:
        """Return the groups that an account is a member of."""
        return [name for name, group in self.groups.items() if account in group.members]


def limit_label(name: str) -> str:
    """Return the plain name of a limit, such as Daily loss."""
    return name.replace("_", " ").capitalize()


def format_usage(name: str, value: Decimal | None) -> str:
    """Return a value of a limit for people: money with cents, unless it is whole."""
    if value is None:
        return "—"
    if LIMITS[name].unit == "money" and value != value.to_integral_value():  # type: ignore[index]
        return f"{value:,.2f}"
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def period_start(period: Period, session: date) -> date | None:
    """Return the first date of the period that contains a session; None if it never resets."""
    if period == "day":
        return session
    if period == "week":
        return Window.containing("weekly", session).start
    return Window.containing("monthly", session).start if period == "month" else None


def period_end(period: Period, session: date) -> date | None:
    """Return the first date after the period that contains a session; None if it never resets."""
    if period == "day":
        return session + DAY
    if period == "week":
        return Window.containing("weekly", session).end
    return Window.containing("monthly", session).end if period == "month" else None


def is_within(ranges: tuple[TimeOfDayRange, ...], at: datetime, zone: ZoneInfo) -> bool:
    """Return whether an instant is in one of the ranges, in local time."""
    clock = at.astimezone(zone).time()
    return any(one.contains(clock) for one in ranges)


def is_in_news(windows: tuple[NewsWindow, ...], at: datetime, names: tuple[str, ...]) -> bool:
    """Return whether an instant is in a window, in order and of equal length, that concerns one of the names."""
    for place in range(bisect_right(windows, at, key=lambda one: one.start) - 1, -1, -1):
        window = windows[place]
        if window.end < at:
            return False
        if not window.symbols or not window.symbols.isdisjoint(names):
            return True
    return False


def range_ends(
    ranges: tuple[TimeOfDayRange, ...], since: datetime, until: datetime, zone: ZoneInfo
) -> Iterator[datetime]:
    """Yield the instants in `[since, until)` at which a range ends and no other continues, in order."""
    day, last = since.astimezone(zone).date() - DAY, until.astimezone(zone).date() + DAY
    while day <= last:
        ends = {datetime.combine(day, one.end, zone).astimezone(UTC) for one in ranges}
        for end in sorted(ends):
            if since <= end < until and not is_within(ranges, end, zone):
                yield end
        day += DAY
