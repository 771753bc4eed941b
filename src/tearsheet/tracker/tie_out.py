"""Compares what a broker says it all came to with our books, per day and account, and says why they differ."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from tearsheet.sources.broker_report import BrokerReport, Leg, ReportLine, read_report
from tearsheet.sources.statement import StatementOptions
from tearsheet.store import rows
from tearsheet.store.reading import Reading
from tearsheet.tracker.book_rules import book_rules
from tearsheet.tracker.tracking import PerformanceTracker
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.fill import execution_key
from tearsheet.trade.session import EARLIEST, TradingCalendar, to_micros

Kind = Literal["missing fill", "fee", "multiplier", "day boundary", "rounding", "unknown"]
What = Literal["realized", "fees", "position", "balance"]
#: Brokers round each booking to the cent.
_CENT = Decimal("0.01")
#: By how many days a broker's day may be off ours.
_DAYS_OFF = 3
#: Full-size and micro contracts, lots of options, and pence are such multiples of each other.
_RATIOS = frozenset(map(Decimal, (2, 4, 5, 8, 10, 20, 25, 40, 50, 100, 500, 1000)))
_ADDED: tuple[What, ...] = ("realized", "fees")
_WHATS: tuple[What, ...] = (*_ADDED, "position", "balance")
_SECOND_US = 1_000_000
_Key = tuple[str, date, str | None]


class Difference(Struct, frozen=True):
    """A number on which the broker and our books do not agree, its kind, and what tells so."""

    account: str
    session: date
    symbol: str | None
    what: What
    theirs: Decimal
    ours: Decimal
    kind: Kind
    words: str
    lines: list[int]


class MissingFill(Struct, frozen=True):
    """A fill on which the broker's report rests and which our books lack."""

    account: str
    symbol: str
    role: Literal["opening", "closing"]
    side: str
    quantity: Decimal
    price: Decimal | None
    at: str
    fill_id: str | None
    line: int


class TieOut(Struct, frozen=True):
    """What was compared, and every difference."""

    file: str
    layout: str
    lines: int
    compared: int
    differences: list[Difference]
    missing: list[MissingFill]

    @property
    def agrees(self) -> bool:
        """Whether everything that the report states is as our books have it."""
        return not (self.differences or self.missing)


class _Sums(Struct):
    """What a day of an account and instrument came to; None is what nobody stated."""

    realized: Decimal | None = None
    fees: Decimal | None = None
    position: Decimal | None = None
    balance: Decimal | None = None
    number: int = 0
    lines: list[int] = []

    def add(self, what: What, amount: Decimal | None) -> None:
        """Add an amount, if it is stated."""
        if amount is not None:
            setattr(self, what, (getattr(self, what) or ZERO) + amount)


def tie_out(tracker: PerformanceTracker, path: Path, **said: Any) -> TieOut:
    """Compare a broker's report with the books. `said` are fields of `StatementOptions`.

    Raises InputError and FormatError where the report cannot be read.
    """
    settings = tracker.settings
    options = StatementOptions(**said)
    report = read_report(path, book_rules(settings).instruments, options)
    with tracker.unchanging() as ledger, exact():
        return _Comparison(str(path), report, ledger.reading, settings.calendar).made()


class _Comparison:
    def __init__(
        self, file: str, report: BrokerReport, reading: Reading, calendar: TradingCalendar
    ) -> None:
        self._file, self._report = file, report
        self._reading, self._calendar = reading, calendar
        self._missing = _missing_fills(report.lines, reading)
        self._lacking = {(m.account, m.symbol) for m in self._missing}

    def made(self) -> TieOut:
        theirs = self._theirs()
        ours = self._ours(theirs)
        self._state_zeros(theirs, ours)
        found: list[Difference] = []
        compared = 0
        for what in _WHATS:
            stated = {key: s for key, s in theirs.items() if getattr(s, what) is not None}
            if what == "balance":
                stated, ours_of = _changes(stated, ours)
            else:
                ours_of = {key: getattr(ours[key], what) or ZERO for key in stated}
            compared += len(stated)
            gaps = {
                key: (getattr(s, what), ours_of[key])
                for key, s in stated.items()
                if getattr(s, what) != ours_of[key]
            }
            for key, (one, other) in gaps.items():
                kind, words = self._kind(what, key, gaps, ours[key])
                found.append(Difference(*key, what, one, other, kind, words, theirs[key].lines))
        found.sort(key=lambda d: (d.session, d.account, d.symbol or "", d.what))
        return TieOut(
            self._file, self._report.layout, len(self._report.lines), compared, found, self._missing
        )

    def _theirs(self) -> dict[_Key, _Sums]:
        sums: dict[_Key, _Sums] = defaultdict(_Sums)
        for one in self._report.lines:
            day = one.day if one.at is None else self._calendar.session(one.at)
            assert day is not None
            its = sums[one.account, day, one.symbol]
            its.add("realized", one.realized)
            its.add("fees", one.fees)
            its.position = one.position if one.position is not None else its.position
            its.balance = one.balance if one.balance is not None else its.balance
            its.number += 1
            its.lines.append(one.line)
        return sums

    def _state_zeros(self, theirs: dict[_Key, _Sums], ours: Mapping[_Key, _Sums]) -> None:
        """A day between the first and the last of a report that it does not state was 0 to it."""
        whats = [w for w in _ADDED if any(getattr(s, w) is not None for s in theirs.values())]
        by_symbol: dict[str, set[bool]] = defaultdict(set)
        days: dict[str, list[date]] = defaultdict(list)
        for account, day, symbol in theirs:
            by_symbol[account].add(symbol is not None)
            days[account].append(day)
        for key, own in ours.items():
            account, day, symbol = key
            is_inside = min(days[account]) <= day <= max(days[account])
            if key in theirs or not is_inside or by_symbol[account] != {symbol is not None}:
                continue
            for what in whats:
                if getattr(own, what):
                    theirs[key] = theirs.get(key) or _Sums()
                    theirs[key].add(what, ZERO)

    def _ours(self, theirs: Mapping[_Key, _Sums]) -> dict[_Key, _Sums]:
        """Our sums for the days and instruments of the report; a line without symbol is of all."""
        sums: dict[_Key, _Sums] = defaultdict(_Sums)
        last = max(day for _, day, _ in theirs)
        until = self._calendar.end(last)
        for account in {account for account, _, _ in theirs}:
            days = sorted({day for a, day, _ in theirs if a == account})
            held: dict[str | None, Decimal] = defaultdict(Decimal)
            at = 0
            for bookings, _ in self._reading.stretches(account, EARLIEST, until):
                for b in bookings:
                    day = self._calendar.session(b.time)
                    while at < len(days) and days[at] < day:
                        _hold(sums, account, days[at], held)
                        at += 1
                    for symbol in (b.symbol, None):
                        its = sums[account, day, symbol]
                        its.add("realized", b.gross)
                        its.add("fees", b.fees)
                        its.number += 1
                        held[symbol] += b.quantity
            for day in days[at:]:
                _hold(sums, account, day, held)
        return sums

    def _kind(
        self, what: What, key: _Key, gaps: Mapping[_Key, tuple[Decimal, Decimal]], ours: _Sums
    ) -> tuple[Kind, str]:
        """What the difference is, by what can be proved; else it is unknown."""
        account, _, symbol = key
        theirs, own = gaps[key]
        gap = theirs - own
        if what == "position":
            side = "bought" if gap > 0 else "sold"
            return "missing fill", f"by the end of the day {abs(gap)} more were {side}"
        if (account, symbol) in self._lacking:
            return "missing fill", "see the fills that are missing"
        if other := _opposite(key, gaps, gap):
            return "day boundary", f"{other} differs by as much the other way"
        if not ours.number:
            return "missing fill", "our books have no fill of that day"
        if what == "fees":
            return "fee", "the report states other fees for the day"
        if abs(gap) <= _CENT * ours.number / 2:
            return "rounding", f"at most half a cent for each of {ours.number} bookings"
        if ratio := _ratio(theirs, own):
            return "multiplier", ratio
        return "unknown", "nothing that is known explains it"


def _ratio(theirs: Decimal, own: Decimal) -> str:
    """Whether one amount is the other times what multipliers differ by."""
    for ratio in _RATIOS:
        if theirs and theirs == own * ratio:
            return f"theirs is {ratio} times ours"
        if theirs and own == theirs * ratio:
            return f"ours is {ratio} times theirs"
    return ""


def _hold(
    sums: dict[_Key, _Sums], account: str, day: date, held: Mapping[str | None, Decimal]
) -> None:
    for symbol, quantity in held.items():
        sums[account, day, symbol].position = quantity


def _changes(
    stated: Mapping[_Key, _Sums], ours: Mapping[_Key, _Sums]
) -> tuple[dict[_Key, _Sums], dict[_Key, Decimal]]:
    """Balances are compared by what they change from one stated day to the next."""
    changes: dict[_Key, _Sums] = {}
    own: dict[_Key, Decimal] = {}
    before: dict[str, tuple[date, Decimal]] = {}
    for account, day, _ in sorted(stated, key=lambda key: (key[0], key[1])):
        balance = (
            next(s.balance for (a, d, _), s in stated.items() if (a, d) == (account, day)) or ZERO
        )
        if account in before and before[account][0] != day:
            since, earlier = before[account]
            key = (account, day, None)
            changes[key] = _Sums(balance=balance - earlier)
            own[key] = sum(
                ((s.realized or ZERO) - (s.fees or ZERO)
                 for (a, d, symbol), s in ours.items()
                 if a == account and symbol is None and since < d <= day), ZERO,
            )  # fmt: skip
        before[account] = (day, balance)
    return changes, own


def _opposite(key: _Key, gaps: Mapping[_Key, tuple[Decimal, Decimal]], gap: Decimal) -> date | None:
    account, day, symbol = key
    for off in range(1, _DAYS_OFF + 1):
        for other in (day - timedelta(days=off), day + timedelta(days=off)):
            if (found := gaps.get((account, other, symbol))) and found[0] - found[1] == -gap:
                return other
    return None


def _missing_fills(lines: Iterable[ReportLine], reading: Reading) -> list[MissingFill]:
    """The fills that a report of round trips rests on and our books lack: named, not guessed."""
    found: list[MissingFill] = []
    seen: set[tuple[Any, ...]] = set()
    for one in lines:
        for role, leg in (("opening", one.opening), ("closing", one.closing)):
            if leg is None or one.symbol is None or _is_kept(one.account, one.symbol, leg, reading):
                continue
            name = (one.account, leg.fill_id or (one.symbol, leg.side, leg.price, leg.at))
            if leg.fill_id and name in seen:
                continue
            seen.add(name)
            found.append(MissingFill(
                one.account, one.symbol, "opening" if role == "opening" else "closing", leg.side,
                leg.quantity, leg.price, leg.at.isoformat(), leg.fill_id, one.line,
            ))  # fmt: skip
    return found


def _is_kept(account: str, symbol: str, leg: Leg, reading: Reading) -> bool:
    if leg.fill_id is not None:
        return reading.one("fill_of_key", (account, execution_key(leg.fill_id))) is not None
    since_us = to_micros(leg.at) // _SECOND_US * _SECOND_US
    near = reading.execute(
        "fills_between", (account, symbol, since_us - _SECOND_US, since_us + 2 * _SECOND_US)
    ).fetchall()
    return any(
        fill.side.value == leg.side and leg.price in (None, fill.price)
        for fill in map(rows.fill, near)
    )


def missing_of(found: TieOut) -> Sequence[str]:
    """The missing fills in words."""
    return [
        f"line {m.line}: no fill for its {m.role}: {m.account} {m.side} {m.quantity} {m.symbol}"
        + (f" @ {m.price}" if m.price is not None else "")
        + f" at {m.at}" + (f", id {m.fill_id}" if m.fill_id else "")
        for m in found.missing
    ]  # fmt: skip
