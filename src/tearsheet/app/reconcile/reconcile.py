"""Reconciliation of a broker statement with the ledger, per day and account, with causes of differences."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.log_sync import sync_if_writable
from tearsheet.app.reconcile.broker_side import BrokerNumbers, add_zero_days, collect_numbers
from tearsheet.app.reconcile.classify import classify
from tearsheet.app.reconcile.explanations import AccountComparison, Cause, CauseKind, NumberKey
from tearsheet.app.reconcile.match_fills import FillDifference, FillMatch, match_fills
from tearsheet.app.reconcile.our_fills import FillEffect, account_effects, fill_effects, trade_log_effects
from tearsheet.app.reconcile.our_sums import CostMethod, DayRange, LedgerNumbers, NumberKind
from tearsheet.app.reconcile.stated_balances import StatedBalances
from tearsheet.errors import FormatError
from tearsheet.sources.reports.broker_report import GENERIC, read_report
from tearsheet.sources.reports.reported import BrokerReport, ReportLine
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.unmatched_closes import UnmatchedCloseFinder
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.fill import Fill, Rejection, UnmatchedClose
from tearsheet.trade.instrument import Instruments, UnknownInstrument
from tearsheet.trade.session import DAY, TradingCalendar

#: Margin around the period for other trading-day boundaries and shifted fill times.
MARGIN = timedelta(days=3)


class Difference(Struct, frozen=True):
    """Number that differs between the statement and the ledger, with its cause (`kind`) and detail (`words`).

    It covers the sessions from `since` to `session`. `difference` is the broker's value minus the ledger's.
    """

    account: str
    session: date
    since: date
    symbol: str | None
    what: NumberKind
    theirs: Decimal
    ours: Decimal
    difference: Decimal
    kind: CauseKind
    words: str
    lines: list[int]
    currency: str | None = None


class AgreedNumber(Struct, frozen=True):
    """Number that statement and ledger both have, of the sessions from `since` to `session`."""

    account: str
    session: date
    since: date
    symbol: str | None
    what: NumberKind
    theirs: Decimal
    currency: str | None = None

    @property
    def key(self) -> NumberKey:
        """Return the number's place in a comparison of its account."""
        return self.what, DayRange(self.session, self.since, self.symbol or "", self.currency or "")


class ReconciledDay(Struct, frozen=True):
    """Totals of an account's session in statement and ledger, with the causes of differences."""

    account: str
    session: date
    what: NumberKind
    theirs: Decimal
    ours: Decimal
    difference: Decimal
    kinds: list[CauseKind]


class Reconciliation(Struct, frozen=True):
    """Result of a reconciliation: scope, cost method and every difference."""

    file: str
    layout: str
    title: str
    method: CostMethod
    lines: int
    compared: int
    agrees: bool
    differences: list[Difference]
    fills: list[FillDifference]
    orphans: list[UnmatchedClose]
    unmatched_closes: list[UnmatchedClose]
    unread: list[Rejection]
    days: list[ReconciledDay]
    notes: list[str]


def reconcile_statement(
    context: LedgerContext,
    path: Path,
    options: StatementOptions = StatementOptions(),
    *,
    method: CostMethod = "average",
    name: str = "",
) -> Reconciliation:
    """Compare a broker statement with the ledger, after a sync.

    `method` "fifo" computes the ledger's results first in, first out, as most brokers do.
    Raises InputError and FormatError if the statement cannot be read or has no value to compare.
    """
    sync_if_writable(context)
    with context.ledger.snapshot():
        return compare_statement(context, path, options, method=method, name=name)


def compare_statement(
    context: LedgerContext,
    path: Path,
    options: StatementOptions = StatementOptions(),
    *,
    method: CostMethod = "average",
    name: str = "",
) -> Reconciliation:
    """Compare a broker statement with the ledger inside the caller's transaction. Raises as `reconcile_statement`."""
    return compare_with_agreed(context, path, options, method=method, name=name)[0]


def compare_with_agreed(
    context: LedgerContext,
    path: Path,
    options: StatementOptions = StatementOptions(),
    *,
    method: CostMethod = "average",
    name: str = "",
) -> tuple[Reconciliation, list[AgreedNumber]]:
    """Return the comparison of a broker statement, and the numbers that agree, as `compare_statement` does."""
    settings = context.settings
    instruments = booking_rules_from(settings, context.ledger).instruments
    report = read_report(path, instruments, options)
    ledger = context.ledger
    with exact():
        known_accounts = ledger.queries.accounts()
        balances = StatedBalances(ledger, settings)
        by_account: dict[str, list[ReportLine]] = defaultdict(list)
        for line in report.lines:
            by_account[line.account].append(line)
        calendars = context.calendars
        accounts = [
            _AccountReconciler(own, report, lines, ledger.queries, calendars.of(own), method, balances)
            for own, lines in sorted(by_account.items())
        ]
        for one in accounts:
            one.compare(instruments)
        orphans = _unmatched_closes(report, ledger.queries)
    if not (report.fills or report.rejected or any(one.compared for one in accounts)):
        raise FormatError(
            f"{path}: the statement contains no comparable values",
            "it needs P&L, fees, positions or fills; a single balance is not enough",
        )
    notes = [
        *report.notes,
        *(note for one in accounts for note in one.notes),
        *_unknown_accounts(by_account, known_accounts),
    ]
    differences = [d for one in accounts for d in one.differences]
    fills = [f for one in accounts for f in one.fills]
    found = Reconciliation(
        file=name or str(path),
        layout=report.layout,
        title=report.title,
        method=method,
        lines=len(report.lines),
        compared=sum(one.compared for one in accounts),
        agrees=not (differences or fills or orphans or report.rejected),
        differences=differences,
        fills=fills,
        orphans=orphans,
        unmatched_closes=orphans,
        unread=report.rejected,
        days=[d for one in accounts for d in one.days],
        notes=notes,
    )
    return found, [number for one in accounts for number in one.agreed]


def contradicted(
    queries: Queries,
    calendar: TradingCalendar,
    account: str,
    stated: Mapping[NumberKey, Decimal],
    method: CostMethod,
) -> dict[NumberKey, Cause]:
    """Return the numbers of a statement that the ledger still has otherwise, with the causes.

    Call it inside `exact()`.
    """
    since = calendar.start(min(span.since for _, span in stated)) - MARGIN
    until = calendar.end(max(span.day for _, span in stated)) + MARGIN
    _, own = account_effects(queries, account, since, until)
    books = with_trade_log(own, trade_log_effects(queries, account, since, until))
    places: dict[NumberKind, int] = defaultdict(int)
    for (what, _), number in stated.items():
        places[what] = max(places[what], -int(number.as_tuple().exponent))
    found = [
        classify(AccountComparison(stated, [books], calendar, method, places, fees_in_price=has_fees))
        for has_fees in (False, True)
    ]
    return {key: cause for key, cause in found[0].items() if key in found[1]}


class _AccountReconciler:
    def __init__(
        self,
        name: str,
        report: BrokerReport,
        lines: Sequence[ReportLine],
        queries: Queries,
        calendar: TradingCalendar,
        method: CostMethod,
        balances: StatedBalances,
    ) -> None:
        self._name, self._report, self._queries = name, report, queries
        self._lines, self._calendar, self._method, self._balances = lines, calendar, method, balances
        self.differences: list[Difference] = []
        self.agreed: list[AgreedNumber] = []
        self.fills: list[FillDifference] = []
        self.days: list[ReconciledDay] = []
        self.notes: list[str] = []
        self.compared = 0

    def compare(self, instruments: Instruments) -> None:
        """Find every difference of the account."""
        stated = self._stated_numbers()
        books = self._ledger_versions(stated)
        own = LedgerNumbers(books[0], self._calendar)
        add_zero_days(stated, own, all_positions=self._report.layout != GENERIC)
        self._drop_futures_cash(stated, own, instruments)
        self._drop_other_currencies(stated, own)
        sides = AccountComparison(
            stated.numbers,
            books,
            self._calendar,
            self._method,
            _decimal_places(self._lines),
            self._round_trips_without_fills(stated),
            stated.implied_zeros,
            fees_in_price=self._report.fees_in_price,
            moved=self._time_shifted_symbols(),
        )
        self.compared = len(stated.numbers)
        found = classify(sides)
        self.agreed = [
            AgreedNumber(
                self._name, span.day, span.since, span.symbol or None, what, theirs, span.currency or None
            )
            for (what, span), theirs in stated.numbers.items()
            if (what, span) not in found
        ]
        for key, cause in found.items():
            what, span = key
            theirs, ours = stated.numbers[key], sides.ledger_value(key)
            self.differences.append(
                Difference(
                    self._name,
                    span.day,
                    span.since,
                    span.symbol or None,
                    what,
                    theirs,
                    ours,
                    theirs - ours,
                    cause.kind,
                    cause.detail,
                    stated.lines.get(key, []),
                    span.currency or None,
                )
            )
        self.differences.sort(key=lambda d: (d.session, d.symbol or "", d.what))
        self.days = _reconciled_days(self._name, sides, self.differences)

    def _stated_numbers(self) -> BrokerNumbers:
        """Return the numbers of the statement; balances stand on that of the ledger before it, if it is known."""
        found = collect_numbers(self._report, self._name, self._lines, self._calendar, None)
        if not any("balance" in line.amounts for line in self._lines):
            return found
        start = self._balances.before(self._name, found.first)
        booked = self._balances.beside_trading(self._name, found.first, found.last)
        return collect_numbers(self._report, self._name, self._lines, self._calendar, start, booked)

    def _ledger_versions(self, stated: BrokerNumbers) -> list[Mapping[str, Sequence[FillEffect]]]:
        """Return the effects by instrument: as stored, with the statement's fills, with its fees too."""
        since = self._calendar.start(stated.first) - MARGIN
        until = self._calendar.end(stated.last) + MARGIN
        theirs = defaultdict(list)
        for one in self._report.fills:
            if one.fill.account == self._name:
                theirs[one.fill.symbol].append(one)
        ours, own = account_effects(self._queries, self._name, since, until, theirs)
        logged = trade_log_effects(self._queries, self._name, since, until)
        if not theirs:
            return [with_trade_log(own, logged)]
        ids = {o.key for fills in ours.values() for o in fills}
        ids_known = any(one.fill.key in ids for fills in theirs.values() for one in fills)
        window = self._fill_period(stated)
        results = {
            s: match_fills(
                theirs[s], ours[s], window, pairs=self._report.from_round_trips, ids_known=ids_known
            )
            for s in sorted(ours)
        }
        self.fills = [d for one in results.values() for d in one.differences]
        self.fills.sort(key=lambda d: (d.at, d.symbol))
        amended = _adjusted_effects(results, own, ours)
        return (
            [with_trade_log(steps, logged) for steps in (own, *amended)]
            if self.fills
            else [with_trade_log(own, logged)]
        )

    def _fill_period(self, stated: BrokerNumbers) -> tuple[datetime, datetime] | None:
        """Return the period in which ledger fills need a counterpart in the statement."""
        if not (self._report.is_complete or self._report.from_round_trips):
            return None
        times = [o.fill.time for o in self._report.fills if o.fill.account == self._name]
        period, zone = self._report.period.get(self._name), self._report.zone
        if period is None or zone is None:
            return (min(times), max(times)) if times else None
        begins = datetime.combine(period[0], time(0), zone)
        ends = datetime.combine(period[1] + DAY, time(0), zone) - timedelta(microseconds=1)
        calendar = self._calendar
        since = max(begins, calendar.start(period[0]))
        return since, min(ends, calendar.end(period[1]) - timedelta(microseconds=1))

    def _drop_futures_cash(self, stated: BrokerNumbers, own: LedgerNumbers, instruments: Instruments) -> None:
        """Drop cash numbers that include futures: buying a future does not move its price in cash."""
        for key in [key for key in stated.numbers if key[0] == "cash"]:
            kinds = set()
            for step in own.effects_in(key[1]):
                found = instruments.resolve(step.symbol, step.at.date())
                kinds.add("" if isinstance(found, UnknownInstrument) else found.asset_class)
            if "future" in kinds:
                del stated.numbers[key]

    def _drop_other_currencies(self, stated: BrokerNumbers, own: LedgerNumbers) -> None:
        """Drop money that the statement has in another currency than the books, or adds up over several."""
        dropped = set()
        for key in [key for key in stated.numbers if key[0] != "position"]:
            span = key[1]
            booked = {step.currency for step in own.effects_in(replace(span, currency=""))}
            if (not span.currency and len(booked) > 1) or (
                span.symbol and span.currency and booked and span.currency not in booked
            ):
                del stated.numbers[key]
                dropped |= {*booked, span.currency} - {""}
        if dropped:
            named = ", ".join(sorted(dropped))
            self.notes.append(f"money of {self._name} in several currencies ({named}) is not compared")

    def _time_shifted_symbols(self) -> frozenset[str]:
        """Return the instruments with fills that differ only in time; `""` is added if all of them do."""
        late = {d.symbol for d in self.fills if d.lacking == "instant"}
        others = {d.symbol for d in self.fills if d.lacking in ("books", "report")}
        return frozenset(late - others) | ({""} if late and not others else set())

    def _round_trips_without_fills(self, stated: BrokerNumbers) -> frozenset[DayRange]:
        """Return the periods with round trips missing in the ledger; their fees per fill are unknown."""
        has_fee = {one.line for one in self._report.fills if one.has_fee}
        lines = {d.line for d in self.fills if d.lacking == "books"} - has_fee
        return frozenset(span for (_, span), numbers in stated.lines.items() if not lines.isdisjoint(numbers))


def _unknown_accounts(stated: Iterable[str], known: Sequence[str]) -> list[str]:
    """Return a note for each account that is not in the ledger; often it has another name there."""
    has = f"it has {', '.join(known[:5])}" if known else "it is empty"
    return [
        f"the ledger has no account {name}; {has}; set --account"
        for name in sorted(stated)
        if name not in known
    ]


def _unmatched_closes(report: BrokerReport, queries: Queries) -> list[UnmatchedClose]:
    """Return closing fills that neither the statement nor the ledger before it has an opening fill for."""
    watch = UnmatchedCloseFinder()
    for one in report.fills:
        if not report.from_round_trips:
            watch.add(one.fill, one.effect, one.line)
    found = watch.results(queries.holding_before)
    return [one for one in found if not queries.exists("event_of_stream", (one.account, one.symbol))]


def _adjusted_effects(
    results: Mapping[str, FillMatch], own: Mapping[str, list[FillEffect]], ours: Mapping[str, list[Fill]]
) -> list[dict[str, list[FillEffect]]]:
    """Return the effects with the statement's fills, and with its fees too; unchanged ones are reused."""
    filled: dict[str, list[FillEffect]] = {}
    priced: dict[str, list[FillEffect]] = {}
    for symbol, one in results.items():
        same = one.with_fills == ours[symbol]
        filled[symbol] = own[symbol] if same else fill_effects(one.with_fills)
        same = one.with_fees == one.with_fills
        priced[symbol] = filled[symbol] if same else fill_effects(one.with_fees)
    return [filled, priced]


def with_trade_log(
    steps: Mapping[str, list[FillEffect]], logged: Iterable[FillEffect]
) -> Mapping[str, Sequence[FillEffect]]:
    """Merge trade-log trades into the fill effects by time; the open position does not change."""
    joined = dict(steps)
    for one in logged:
        effects = joined.get(one.symbol, [])
        before = [step for step in effects if step.at <= one.at]
        merged = replace(one)
        if before:
            last = before[-1]
            merged = replace(
                one,
                held=last.held,
                cost=last.cost,
                fifo_cost=last.fifo_cost,
                cost_fees=last.cost_fees,
                fifo_fees=last.fifo_fees,
            )
        joined[one.symbol] = [*before, merged, *effects[len(before) :]]
    return joined


def _decimal_places(lines: Iterable[ReportLine]) -> dict[NumberKind, int]:
    """Return the number of decimals in the statement for each kind of number."""
    places: dict[Any, int] = defaultdict(int)
    for line in lines:
        for kind, amount in line.amounts.items():
            places[kind] = max(places[kind], -int(amount.as_tuple().exponent))
    return dict(places)


def _reconciled_days(
    account: str, sides: AccountComparison, differences: Iterable[Difference]
) -> list[ReconciledDay]:
    """Return the totals by session; positions and prices are not additive."""
    sums: dict[tuple[date, NumberKind], list[Decimal]] = {}
    for key in sides.broker_numbers:
        what, span = key
        if what in ("position", "price") or span.since != span.day:
            continue
        both = sums.setdefault((span.day, what), [ZERO, ZERO])
        both[0] += sides.broker_numbers[key]
        both[1] += sides.ledger_value(key)
    kinds: dict[tuple[date, NumberKind], list[CauseKind]] = defaultdict(list)
    for one in differences:
        if one.kind not in kinds[one.session, one.what]:
            kinds[one.session, one.what].append(one.kind)
    return [
        ReconciledDay(account, day, what, theirs, ours, theirs - ours, kinds.get((day, what), []))
        for (day, what), (theirs, ours) in sorted(sums.items())
    ]
