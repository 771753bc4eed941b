"""Stories of a day: what happens, line by line, and after `=>` the verdict."""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from tearsheet.performance.summary import PartialReason
from tearsheet.rules.breach import Breach, Release, make_release
from tearsheet.rules.limit import AccountLimits
from tearsheet.rules.limit_book import LimitBook, LimitContext
from tearsheet.rules.limit_sums import OutcomeRules, compute_unrealized_pnl
from tearsheet.rules.limit_usage import NO_FACTS, AccountFacts
from tearsheet.rules.verdict import FeedStatus, LimitView, Verdict, verdict
from tearsheet.sources.config.limits import parse_limits
from tearsheet.trade.fill import Fill
from tearsheet.trade.position import Book, Booking, Position
from tearsheet.trade.session import TradingCalendar
from tests.support.place import make_fill

DEFAULT_OUTCOMES = OutcomeRules()
UTC_DAYS = TradingCalendar(ZoneInfo("UTC"))
_LINE = re.compile(r"^(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d(?::\d\d)?) +(.+?)(?: +=> *(.*))?$")
_FILL = re.compile(r"^(buy|sell) +(\S+) *@ *(\S+)(?: +fee +(\S+))?(?: +in +(\S+))?$")
_FLOW = re.compile(r"^(deposit|withdrawal|payout) +(\S+)$")
_RELEASE = re.compile(r"^release +(\w+) +by +(\w+): +(.+?)(?: +allowing +(\S+))?$")
_VIEW = re.compile(
    r"^(\w+) +(\S+)/(\S+)(?: +left +(\S+))?(?: +floor +(\S+))?(?: +by +#(\d+))?(?: +at +(\d+)%)?(?: +(ok|warn|breach|unknown))?$"
)


def flow_booking(at: datetime, kind: str, amount: Decimal) -> Booking:
    """Money that came to account A or left it."""
    moved = amount if kind == "deposit" else -amount
    return Booking(
        position_id="",
        account="A",
        symbol="",
        currency="USD",
        time=at,
        rank=0,
        fill_key=f"e:{kind}:{at.timestamp()}",
        part=0,
        quantity=Decimal(0),
        price=Decimal(0),
        gross=Decimal(0),
        fees=Decimal(0),
        closes=False,
        event=kind,
        cash=moved,
    )


def plan_of(text: str) -> AccountLimits:
    """The limits of account A, as the file would state them in one line."""
    limits = parse_limits(f"limits: {{default: {text}}}", "story")
    assert limits is not None
    return limits.for_account("A")


def calendar_of(text: str) -> TradingCalendar:
    """`Zone/Name HH:MM` as a calendar."""
    zone, _, clock = text.partition(" ")
    return TradingCalendar(ZoneInfo(zone), time.fromisoformat(clock or "00:00"))


@dataclass
class Story:
    """One account's day, with what is kept beside the books: breaches and releases."""

    plan: AccountLimits
    calendar: TradingCalendar = UTC_DAYS
    outcomes: OutcomeRules = DEFAULT_OUTCOMES
    facts: AccountFacts = NO_FACTS
    day: date = date(2026, 11, 20)
    fills: list[Fill] = field(default_factory=list)
    breaches: dict[str, Breach] = field(default_factory=dict)
    releases: list[Release] = field(default_factory=list)
    heard: datetime | None = None
    feed_runs: bool = True
    rejected: int = 0
    partial: tuple[PartialReason, ...] = ()
    trouble: str | None = None
    sequence: int = 0
    book: LimitBook = field(init=False)
    positions: Book = field(init=False)

    def __post_init__(self) -> None:
        self.fold_anew()

    def fold_anew(self) -> None:
        """Begin from the facts again, with what is kept."""
        self.positions = Book()
        self.book = LimitBook(
            "A",
            self.plan,
            LimitContext(self.calendar, "USD", self.outcomes, self.facts),
            breaches=self.breaches.values(),
            releases=self.releases,
        )
        for fill in sorted(self.fills, key=lambda fill: fill.order):
            self.take(fill)

    def take(self, fill: Fill) -> None:
        """One more fill at the end."""
        for booking in self.positions.book(fill):
            self.keep(self.book.book(booking))

    def keep(self, found: tuple[Breach, ...]) -> None:
        """Keep what is found; the first telling stays."""
        for breach in found:
            self.breaches.setdefault(breach.id, breach)

    def judge(self, now: datetime) -> Verdict:
        """The verdict now; breaches that time alone brought are kept too."""
        if self.feed_runs:
            self.heard = now
        self.sequence += 1
        feed = FeedStatus(
            sequence=self.sequence,
            last_update_at=self.heard,
            rejected_lines=self.rejected,
            partial=self.partial,
            store_error=self.trouble,
        )
        found = verdict(self.book, feed, now)
        self.keep(tuple(view.breach for view in found.limits if view.breach))
        return found

    def instant(self, day: str | None, clock: str) -> datetime:
        """A local clock time of the present or a new date."""
        if day:
            self.day = date.fromisoformat(day)
        local = datetime.combine(self.day, time.fromisoformat(clock), self.calendar.timezone)
        return local.astimezone(UTC)

    def happen(self, at: datetime, what: str) -> None:
        """What a line says."""
        if found := _FILL.match(what.removeprefix("late ")):
            side, quantity, price, fee, symbol = found.groups()
            number = len(self.fills) + 1
            fill = make_fill(number, at, side, quantity, price, fee or "0", symbol=symbol or "X")
            self.fills.append(fill)
            if what.startswith("late "):
                self.fold_anew()
            else:
                self.take(fill)
        elif found := re.match(r"^correct #(\d+) +(buy|sell) +(\S+) *@ *(\S+)$", what):
            index = int(found[1]) - 1
            old = self.fills[index]
            self.fills[index] = make_fill(int(found[1]), old.time, found[2], found[3], found[4])
            self.fold_anew()
        elif found := _RELEASE.match(what):
            self.release(at, *found.groups())
        elif what.startswith("price "):
            pnl = compute_unrealized_pnl(self.positions.open_positions(), {"X": Decimal(what[6:])})
            self.keep(self.book.mark(at, pnl))
        elif found := _FLOW.match(what):
            self.keep(self.book.book(flow_booking(at, found[1], Decimal(found[2]))))
        elif what in ("feed stops", "feed runs"):
            self.feed_runs = what == "feed runs"
        elif what == "restart":
            self.fold_anew()
        else:
            assert what == "now", f"not understood: {what}"

    def release(self, at: datetime, limit: str, actor: str, reason: str, more: str | None) -> None:
        """Somebody lifts the breach of a limit."""
        (view,) = [v for v in self.judge(at).limits if v.name == limit]
        assert view.breach is not None
        assert view.value is not None
        release = make_release(
            view.breach, value=view.value, actor=actor, reason=reason, at=at, allowance=Decimal(more or 0)
        )
        self.releases.append(release)
        self.book.release(release)

    def expect(self, now: datetime, wanted: str, line: str) -> None:
        """The verdict is as the line says."""
        found = self.judge(now)
        state, *claims = [part.strip() for part in wanted.split(";")]
        assert found.state == state, f"{line}\n{found}"
        for claim in claims:
            if claim == "flat":
                assert found.must_be_flat, line
            elif claim.startswith("day "):
                assert found.trading_day.isoformat() == claim[4:], line
            elif claim.startswith("because "):
                assert claim[8:] in [reason.code for reason in found.reasons], f"{line}\n{found}"
            else:
                self.check(found, claim, line)

    def check(self, found: Verdict, claim: str, line: str) -> None:
        """One limit is as the line says: `name value/threshold left money by #fill at 75% level`."""
        parts = _VIEW.match(claim)
        assert parts, f"not understood: {claim}"
        name, value, threshold, left, floor, by, at, level = parts.groups()
        (view,) = [one for one in found.limits if one.name == name]
        told = (
            name,
            shown(view.value),
            shown(view.threshold),
            left and shown(view.headroom),
            floor and shown(view.floor),
            by and view.moved_by,
            at and shown(view.warned_at),
            level and view.level,
        )
        assert told == (name, value, threshold, left, floor, by and f"x:{by}", at, level), f"{line}\n{view}"

    def tell(self, text: str) -> "Story":
        """Play all lines."""
        for line in filter(None, map(str.strip, text.splitlines())):
            parts = _LINE.match(line)
            assert parts, f"not understood: {line}"
            at = self.instant(parts[1], parts[2])
            self.happen(at, parts[3])
            if parts[4]:
                self.expect(at, parts[4], line)
        return self

    def view(self, name: str, now: datetime) -> LimitView:
        """One limit as the verdict shows it."""
        (found,) = [one for one in self.judge(now).limits if one.name == name]
        return found


def shown(value: Decimal | None) -> str:
    """A number without exponent and trailing zeros; `-` where there is none."""
    if value is None:
        return "-"
    return f"{value.normalize():f}" if value else "0"


def tell(limits: str, text: str, calendar: str = "UTC", **more: object) -> Story:
    """A story from its first line on."""
    return Story(plan_of(limits), calendar_of(calendar), **more).tell(text)  # type: ignore[arg-type]


def booked(fills: list[Fill]) -> tuple[list[Booking], list[Position]]:
    """All bookings of fills, and the positions they leave."""
    book = Book()
    bookings = book.book_all(fills)
    return bookings, [*book.closed, *book.open_positions()]
