"""Broker side of a reconciliation: the numbers of a statement by kind, period and instrument."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import cast

from msgspec import Struct

from tearsheet.app.reconcile.explanations import NumberKey
from tearsheet.app.reconcile.our_sums import DayRange, LedgerNumbers, NumberKind
from tearsheet.sources.reports.reported import BrokerReport, ReportLine
from tearsheet.trade.amount import ZERO
from tearsheet.trade.session import DAY, TradingCalendar

#: Kinds that count as 0 if the statement covers the day but does not list them.
_ZERO_KINDS: tuple[NumberKind, ...] = ("realized", "net", "fees", "paid")


class BrokerNumbers(Struct):
    """Numbers of an account in a statement, their source lines, and the first and last day covered.

    `implied_zeros` are the zeros that the statement does not list.
    """

    numbers: dict[NumberKey, Decimal]
    lines: dict[NumberKey, list[int]]
    first: date
    last: date
    implied_zeros: set[NumberKey] = set()


def collect_numbers(
    report: BrokerReport,
    account: str,
    lines: Sequence[ReportLine],
    calendar: TradingCalendar,
    start: Decimal | None,
    booked: Mapping[date, Decimal] = MappingProxyType({}),
) -> BrokerNumbers:
    """Return the sums of an account's lines; `start` is the balance before the first line, if known.

    `booked` is the money beside trading that the ledger has of an account, by session.
    """
    by_day = [(_day(line, calendar), line) for line in lines]
    covered = [(line.since or day, day) for day, line in by_day]
    covered += [report.period[account]] if account in report.period else []
    broker = BrokerNumbers({}, defaultdict(list), min(covered)[0], max(day for _, day in covered))
    for day, line in by_day:
        span = DayRange(day, line.since or day, line.symbol or "", line.currency or "")
        for name, amount in line.amounts.items():
            if name not in ("balance", "deposit"):
                what = cast(NumberKind, name)
                is_sum = what not in ("position", "price")
                key = (what, span)
                broker.numbers[key] = amount + (broker.numbers.get(key, ZERO) if is_sum else ZERO)
                broker.lines[key].append(line.line)
    _balance_changes(broker, by_day, start, booked)
    _drop_redundant_totals(broker)
    return broker


def add_zero_days(broker: BrokerNumbers, ours: LedgerNumbers, *, all_positions: bool) -> None:
    """Add zeros for days and instruments that the statement covers but does not list and the ledger has."""
    numbers = broker.numbers
    listed = {span for what, span in numbers if what != "balance"}
    for what in _ZERO_KINDS:
        spans = [span for w, span in numbers if w == what]
        for is_single in (True, False):
            days = {s.day for s in spans if s.symbol and (s.since == s.day) is is_single}
            if not days:
                continue
            since_day = {(s.since, s.day) for s in spans if s.symbol and s.since != s.day}
            for symbol in ours.symbols():
                its = ours.traded_days(symbol, broker.first, broker.last) if is_single else ()
                zeros = [DayRange(day, day, symbol) for day in its]
                zeros += [] if is_single else [DayRange(d, s, symbol) for s, d in since_day]
                _add_zeros(broker, what, zeros, ours, listed)
        if any(not s.symbol and s.since == s.day and not s.currency for s in spans):
            days = {
                d for symbol in ours.symbols() for d in ours.traded_days(symbol, broker.first, broker.last)
            }
            _add_zeros(broker, what, [DayRange(day, day) for day in days], ours, listed)
    if all_positions:
        for day in {s.day for w, s in numbers if w == "position" and s.symbol}:
            spans = [DayRange(day, day, symbol) for symbol in ours.symbols()]
            _add_zeros(broker, "position", spans, ours, {s for w, s in numbers if w == "position"})


def _add_zeros(
    broker: BrokerNumbers,
    what: NumberKind,
    spans: Iterable[DayRange],
    ours: LedgerNumbers,
    listed: Container[DayRange],
) -> None:
    for span in spans:
        key: NumberKey = (what, span)
        if span not in listed and (ours.value(what, span, "average") or ours.value(what, span, "fifo")):
            broker.numbers[key] = ZERO
            broker.implied_zeros.add(key)


def _day(line: ReportLine, calendar: TradingCalendar) -> date:
    if line.day is not None:
        return line.day
    assert line.at is not None
    return calendar.trading_day_of(line.at)


def _balance_changes(
    broker: BrokerNumbers,
    by_day: Sequence[tuple[date, ReportLine]],
    start: Decimal | None,
    booked: Mapping[date, Decimal],
) -> None:
    """Add the balance changes between reported days by trading.

    Without money beside it: what the ledger has of it, or what the statement lists where the ledger has none.
    """
    deposits: dict[date, Decimal] = defaultdict(Decimal)
    last: dict[date, tuple[Decimal, int]] = {}
    opened: set[tuple[int, Decimal]] = set()
    for day, line in by_day:
        if "deposit" in line.amounts:
            deposits[day] += line.amounts["deposit"]
            opened.add((line.line, line.amounts["deposit"]))
        if "balance" in line.amounts:
            last[day] = (line.amounts["balance"], line.line)
    firsts = [(n.line, n.amounts["balance"]) for _, n in by_day if "balance" in n.amounts]
    before: tuple[date, Decimal] | None = None
    if firsts and min(firsts) in opened:  # the account was opened with this deposit
        before = (min(last) - DAY, ZERO)
    elif firsts and start is not None:
        before = (broker.first - DAY, start)
    for day in sorted(last):
        balance, line_number = last[day]
        if before is not None:
            since, earlier = before
            beside = booked if any(since < d <= day for d in booked) else deposits
            moved = sum((a for d, a in beside.items() if since < d <= day), ZERO)
            key: NumberKey = ("balance", DayRange(day, since + DAY))
            broker.numbers[key] = balance - earlier - moved
            broker.lines[key].append(line_number)
        before = (day, balance)


def _drop_redundant_totals(broker: BrokerNumbers) -> None:
    """Drop period totals of an instrument if the statement also lists daily values."""
    daily = {(what, span.symbol) for what, span in broker.numbers if span.since == span.day}
    for key in list(broker.numbers):
        what, span = key
        if what in _ZERO_KINDS and span.symbol and span.since != span.day and (what, span.symbol) in daily:
            del broker.numbers[key]
