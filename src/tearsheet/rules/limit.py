"""Limits of an account: what must not happen to it, from when on it is warned, and for how long a breach holds."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct, field

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
]
LimitUnit = Literal["money", "count", "quantity"]
#: What a breach lasts: its trading day, its week, its month, or until somebody releases it.
Period = Literal["day", "week", "month", "life"]
EquityBasis = Literal["closed", "end_of_day", "open_pnl"]
#: What a guard does while nobody knows: keep what it holds, or act as if the limit were breached.
OnUnknown = Literal["hold", "breach"]

WARN_AT = (Decimal(50), Decimal(75), Decimal(90))
HYSTERESIS = Decimal(5)
STALE_AFTER = timedelta(minutes=15)


class LimitType(Struct, frozen=True):
    """A row of the table of limits. `reached` says that a value equal to the threshold breaks it."""

    unit: LimitUnit
    period: Period
    breach_when_equal: bool
    description: str


LIMITS: dict[LimitName, LimitType] = {
    "daily_loss": LimitType("money", "day", True, "net loss of the trading day"),
    "weekly_loss": LimitType("money", "week", True, "net loss since Monday's session began"),
    "monthly_loss": LimitType("money", "month", True, "net loss of the calendar month"),
    "max_drawdown": LimitType("money", "life", True, "how far equity is below its start or its high"),
    "max_trades": LimitType("count", "day", True, "trades closed in the trading day"),
    "max_losses_in_a_row": LimitType("count", "day", True, "losing trades one after another, today"),
    "max_open_quantity": LimitType("quantity", "day", False, "quantity that is open at once"),
    "profit_lock": LimitType("money", "day", True, "how much of the day's best was given back"),
    "trading_hours": LimitType("count", "day", True, "fills and open positions outside the hours"),
}


class TimeOfDayRange(Struct, frozen=True):
    """A stretch of the local day `[start, end)`; it may cross midnight."""

    start: time
    end: time

    def contains(self, clock: time) -> bool:
        """Whether a local time of day lies inside."""
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


class Limit(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One limit. `threshold` is money, a number or a quantity; for a profit lock the percentage of
    the day's best that may be given back, once that best is `armed_from`.

    Warnings begin at `warn_at` percent of the threshold, end `hysteresis` points below, wait for
    `min_trades` closed trades of the day and are silent in `mute_windows`; a breach never waits.
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

    @property
    def type(self) -> LimitType:
        """The limit's row of the table."""
        return LIMITS[self.name]

    @property
    def needs_marks(self) -> bool:
        """Whether it cannot be judged without the price of what is open."""
        return self.basis == "open_pnl"


class AccountLimits(Struct, frozen=True):
    """The limits of one account; data older than `stale_after` is no ground for a verdict."""

    limits: tuple[Limit, ...] = ()
    stale_after: timedelta | None = STALE_AFTER

    def get(self, name: LimitName) -> Limit | None:
        """The limit of a name, None where there is none."""
        return next((limit for limit in self.limits if limit.name == name), None)


class Limits(Struct, frozen=True):
    """The `limits:` of the targets file: those of each named account, and the default of all others."""

    default: AccountLimits = AccountLimits()
    accounts: dict[str, AccountLimits] = {}

    def for_account(self, account: str) -> AccountLimits:
        """The limits that hold for an account."""
        return self.accounts.get(account, self.default)


def period_start(period: Period, session: date) -> date | None:
    """The first date of the period that holds a session; None for a limit that never resets."""
    if period == "day":
        return session
    if period == "week":
        return Window.containing("weekly", session).start
    return Window.containing("monthly", session).start if period == "month" else None


def period_end(period: Period, session: date) -> date | None:
    """The first date after the period that holds a session; None for a limit that never resets."""
    if period == "day":
        return session + DAY
    if period == "week":
        return Window.containing("weekly", session).end
    return Window.containing("monthly", session).end if period == "month" else None


def is_within(spans: tuple[TimeOfDayRange, ...], at: datetime, zone: ZoneInfo) -> bool:
    """Whether an instant lies in one of the spans by the local wall clock."""
    clock = at.astimezone(zone).time()
    return any(span.contains(clock) for span in spans)


def range_ends(
    spans: tuple[TimeOfDayRange, ...], since: datetime, until: datetime, zone: ZoneInfo
) -> Iterator[datetime]:
    """The instants in `[since, until)` at which the last of the spans ends, in order."""
    day, last = since.astimezone(zone).date() - DAY, until.astimezone(zone).date() + DAY
    while day <= last:
        ends = {datetime.combine(day, span.end, zone).astimezone(UTC) for span in spans}
        for end in sorted(ends):
            if since <= end < until and not is_within(spans, end, zone):
                yield end
        day += DAY
