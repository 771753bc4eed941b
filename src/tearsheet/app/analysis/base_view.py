"""Summaries in the base currency: Σ booking × rate of its session, over accounts and currencies.

It is a view: nothing is stored. An amount without a rate stays out, and is named. A rate that the row of a booking
states goes first. What rates did to balances is `fx_result`, apart from results.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.app.analysis.balances import Balances, balances_of
from tearsheet.app.analysis.summaries import SummaryBuilder, WindowRows, options_from, summary_builder
from tearsheet.app.analysis.unrealized import Unrealized
from tearsheet.app.context import LedgerContext
from tearsheet.app.currency.rate_book import RateBook
from tearsheet.errors import UsageError
from tearsheet.performance.conversion import PathOfSession, convert, convert_booking, convert_position, join
from tearsheet.performance.metric import Day, Sessions, sum_and_days
from tearsheet.performance.summary import (
    Conversion,
    MissingRate,
    PartialReason,
    PerformanceSummary,
    Scope,
    SessionRate,
)
from tearsheet.performance.tally import BREAKEVEN, LOSS, WIN, Tally, merge
from tearsheet.store.tables.prices import RowRate
from tearsheet.store.tables.rows import in_booking_order, in_closing_order
from tearsheet.trade.amount import ZERO, exact, to_plain_string
from tearsheet.trade.position import Booking, Position, outcome_of
from tearsheet.trade.rate import UsedRate
from tearsheet.trade.session import DAY, Window

_OUTCOMES = {"win": WIN, "loss": LOSS, "breakeven": BREAKEVEN}


class _Converted(Struct):
    """Sessions in the base currency, the rates used, the tallies that have none, and the currencies with a part in."""

    sessions: Sessions
    rates: list[SessionRate]
    left_out: dict[str, Sessions]
    counted: set[str]

    def is_apart(self, money: str) -> bool:
        """Return whether no amount of a currency is in the sessions, and none came of another or went to one."""
        moved = (tally.money.converted for _, tally in self.left_out.get(money, ()))
        return money not in self.counted and not any(moved)


class BaseSummaryBuilder(SummaryBuilder):
    """Builder of summaries in one currency, into which all others are converted."""

    def __init__(self, context: LedgerContext, base: str) -> None:
        super().__init__(context.ledger, options_from(context.settings), context.now)
        self._own = summary_builder(context)
        self._base = base
        self._context = context
        self._book: tuple[str, RateBook] | None = None
        self._of_rows: dict[tuple[str, str], RowRate] = {}
        self._last: tuple[tuple[str, Window, Scope], _Converted] | None = None

    @property
    def rates(self) -> RateBook:
        """Return the rates of the present state of the ledger."""
        state = self._ledger.state_id
        if self._book is None or self._book[0] != state:
            self._book = state, RateBook(self._ledger, self._base)
        return self._book[1]

    def summary(
        self, window: Window, scope: Scope, currency: str | None, stale: Iterable[PartialReason] = ()
    ) -> PerformanceSummary:
        """Return the summary of a window and scope in the base currency. Raises UsageError, NotFoundError."""
        self._currency(window, scope, currency)
        self.check_account(scope)
        window = self.from_first_session(window, scope)
        summary = super().summary(window, scope, currency, stale)
        conversion = self._conversion(window, scope)
        # a fee that stands in its own currency is converted like everything else
        own = [r for r in summary.partial_reasons if r.code != "foreign_fee" or conversion.missing]
        reasons = [*own, *_missing_reasons(conversion)]
        # what rates did to a balance is in it, and no part of result or flows
        balance = replace(
            summary.metrics["balance"], value=conversion.balance, reason=conversion.balance_reason
        )
        return replace(
            summary,
            metrics={**summary.metrics, "balance": balance},
            conversion=conversion,
            partial=bool(reasons),
            partial_reasons=tuple(reasons),
        )

    def rows(self, window: Window, scope: Scope, currency: str | None) -> WindowRows:
        """Return the bookings and closed positions of all currencies, converted; those without a rate stay out."""
        closed: list[Position] = []
        self._read_row_rates(window, scope)
        self.rates.load(self._currencies(window, scope), window.start, window.last_day)
        own = self._own.rows(window, scope, None)
        for position in own.closed:
            day = self._closed_on(position)
            rate = self._rate(position.account, position.last_key, position.currency, day)
            if rate is not None:
                closed.append(convert_position(position, rate))
        bookings, cash = self._convert_bookings(own.bookings), self._convert_bookings(own.cash)
        return WindowRows(in_booking_order(bookings), in_closing_order(closed), in_booking_order(cash))

    def sessions(self, window: Window, scope: Scope, currency: str) -> Sessions:
        """Return the tally of each session with trading in a window, converted, in order."""
        return self._converted(window, scope).sessions

    def balance(self, window: Window, scope: Scope, currency: str) -> Decimal | None:
        """Return the balance before the window at the rates of the day before; None where no start is stated."""
        if scope.needs_row_filter:
            return None
        with exact():
            return self._balances(window, scope.account).before

    def rate_of(self, booking: Booking) -> SessionRate | None:
        """Return the rate by which a booking was converted; None for one in the base currency."""
        session = self.session_of(booking)
        stated = self._of_rows.get((booking.account, booking.fill_key))
        if stated is not None:
            words = f"1 {stated.currency} = {to_plain_string(stated.rate)} {self._base} (its own row)"
            return SessionRate(session, stated.currency, stated.rate, "row", session, (words,), ())
        used = self.rates.find(booking.currency, session)
        return None if used is None or used.kind == "same" else shown_rate(session, used)

    def _currency(self, window: Window, scope: Scope, requested: str | None) -> tuple[str, list[str]]:
        if requested not in (None, self._base):
            raise UsageError(
                f"the base currency {self._base} and the currency {requested} contradict each other",
                "leave one of them out",
            )
        if window.last_trades is not None:
            raise UsageError(
                "the last trades are those of one currency", "choose dates, or leave the base currency out"
            )
        return self._base, []

    def _tally(self, window: Window, scope: Scope, currency: str) -> tuple[Tally, list[Day], Sessions]:
        sessions = self.sessions(window, scope, currency)
        return *sum_and_days(sessions), sessions

    def _unrealized(
        self, window: Window, scope: Scope, currency: str, held: list[Position], open_log_trades: int
    ) -> Unrealized:
        others = sorted({position.currency for position in held} - {self._base})
        if others:
            return Unrealized(None, f"open positions in {', '.join(others)} are not converted")
        return super()._unrealized(window, scope, currency, held, open_log_trades)

    def _currencies(self, window: Window, scope: Scope) -> list[str]:
        return self._ledger.tallies.currencies(scope.account, window.start, window.end)

    def _converted(self, window: Window, scope: Scope) -> _Converted:
        """Return the sessions of a window in the base currency; the last ones are remembered."""
        key = (self._ledger.state_id, window, scope)
        if self._last is None or self._last[0] != key:
            self._last = key, self._convert(window, scope)
        return self._last[1]

    def _convert(self, window: Window, scope: Scope) -> _Converted:
        days: dict[date, dict[str, Tally]] = defaultdict(dict)
        for money in self._currencies(window, scope):
            self.rates.load((money,), window.start, window.last_day)
            for session, tally in self._own.sessions(window, scope, money):
                days[session][money] = tally
        made = _Converted([], [], defaultdict(list), set())
        with_row_rates = self._read_row_rates(window, scope)
        for session, tallies in sorted(days.items()):
            used = {money: self.rates.find(money, session) for money in sorted(tallies)}
            found = {money: rate for money, rate in used.items() if rate is not None}
            left = {money: tallies[money] for money in sorted(tallies.keys() - found.keys())}
            made.rates += [shown_rate(session, rate) for rate in found.values() if rate.kind != "same"]
            parts = [convert(tallies[money], rate.rate) for money, rate in found.items()]
            if session in with_row_rates:
                by_rows, left = self._by_rows(session, scope, left)
                parts = [by_rows]
                made.counted |= {one.currency for one in self._of_rows.values()}
            elif len(parts) > 1:
                parts = [join(parts, self._path(session, scope, found))]
            made.counted |= found.keys()
            # from or into what is left out money did move, and it is no second inflow within the rest
            if not any(tally.money.converted for tally in left.values()):
                parts = [part.without_conversions() for part in parts]
            if scope.account is None:
                parts = [part.of_all_accounts() for part in parts]
            made.sessions += [(session, part) for part in parts]
            for money, tally in left.items():
                made.left_out[money].append((session, tally))
        return made

    def _path(self, session: date, scope: Scope, rates: Mapping[str, UsedRate]) -> PathOfSession:
        """Return results and outcomes of a session in order of time, over its currencies."""
        day = Window.between(session, session)
        own = self._own.rows(day, scope, None)
        traded = in_booking_order(b for b in own.bookings if b.currency in rates)
        every = in_booking_order(b for b in (*own.bookings, *own.cash) if b.currency in rates)
        closed = in_closing_order(p for p in own.closed if p.currency in rates)
        rules = self._options.tally_rules
        with exact():
            kinds = [_OUTCOMES[outcome_of(position.net, rules.breakeven_band)] for position in closed]
            return PathOfSession(
                [b.net * rates[b.currency].rate for b in traded],
                [b.result * rates[b.currency].rate for b in every],
                [kind for kind in kinds if kind or rules.breakeven_breaks_streak],
            )

    def _convert_bookings(self, bookings: Iterable[Booking]) -> Iterator[Booking]:
        for booking in bookings:
            rate = self._rate(booking.account, booking.fill_key, booking.currency, self.session_of(booking))
            if rate is not None:
                yield convert_booking(booking, rate)

    def _rate(self, account: str, key: str, money: str, session: date) -> Decimal | None:
        """Return the rate that the row of a booking states, else that of its session."""
        stated = self._of_rows.get((account, key))
        if stated is not None:
            return stated.rate
        used = self.rates.find(money, session)
        return None if used is None else used.rate

    def _read_row_rates(self, window: Window, scope: Scope) -> set[date]:
        """Read the rates that rows of a window state; return their sessions."""
        found = [
            one
            for one in self.rates.of_rows(scope.account, *self._span(window, scope))
            if self._calendars.holds(window, one.account, one.time)
        ]
        self._of_rows = {(one.account, one.key): one for one in found}
        return {self._calendars.trading_day_of(one.account, one.time) for one in found}

    def _by_rows(self, session: date, scope: Scope, without: Iterable[str]) -> tuple[Tally, dict[str, Tally]]:
        """Return a session whose rows state rates, converted row by row, and what of a currency has no rate at all."""
        day, tally = Window.between(session, session), self._options.tally_rules.tally
        rows, own = self.rows(day, scope, self._base), self._own.rows(day, scope, None)
        rest = [b for b in (*own.bookings, *own.cash) if (b.account, b.fill_key) not in self._of_rows]
        of_money = {money: [b for b in rest if b.currency == money] for money in without}
        left = {money: tally(bookings, []) for money, bookings in of_money.items() if bookings}
        return tally([*rows.bookings, *rows.cash], rows.closed), left

    def _conversion(self, window: Window, scope: Scope) -> Conversion:
        made = self._converted(window, scope)
        rates = list(made.rates)
        total = merge(tally for _, tally in made.sessions)
        missing = {money: _missing(money, own) for money, own in sorted(made.left_out.items())}
        before = after = fx_result = None
        reason = fx_reason = "account_only" if scope.needs_row_filter else None
        with exact():
            if reason is None:
                found = self._balances(window, scope.account)
                before, after, reason = found.before, found.after, found.reason
                day = self._last_day(window)
                for money in sorted(found.without_rate - missing.keys()):
                    missing[money] = MissingRate(money, day, day, ZERO, ZERO)
                for used in found.rates:
                    if all((one.session, one.currency) != (day, used.from_currency) for one in rates):
                        rates.append(shown_rate(day, used))
                # what is wholly apart changes nothing of the rest; anything else would pass for a result of rates
                torn = {money for money in missing if not made.is_apart(money) or money in found.counted}
                fx_reason = reason or self._without_rate(torn)
                if lost := torn & found.without_rate:
                    before, after, reason = None, None, reason or self._without_rate(lost)
            if before is not None and after is not None and fx_reason is None:
                fx_result = after - before - total.result - total.money.flows
        return Conversion(
            base=self._base,
            gross=total.gross,
            fees=total.fees,
            carry=total.carry,
            net_pnl=total.curve.net,
            income=total.money.income,
            costs=total.money.costs,
            tax=total.money.tax,
            result=total.result,
            flows=total.money.flows,
            fx_result=fx_result,
            fx_reason=fx_reason,
            opening_balance=before,
            balance=after,
            balance_reason=reason,
            rates=tuple(rates),
            missing=tuple(missing.values()),
        )

    def _without_rate(self, moneys: Iterable[str]) -> str | None:
        named = ", ".join(sorted(moneys))
        return f"missing_rate: no rate of {named} in {self._base}" if named else None

    def _last_day(self, window: Window) -> date:
        """Return the last session of a window that has begun."""
        return max(window.start, min(window.last_day, self._today(Scope())))

    def _balances(self, window: Window, account: str | None) -> "_BaseBalances":
        """Return the balances before and at the end of a window, each at the rates of its day."""
        balances = balances_of(self._context)
        last = self._last_day(window)
        found = _BaseBalances(ZERO, ZERO)
        for money in self._moneys_held(balances, account):
            self.rates.load((money,), window.start - DAY, last)
            before = balances.at_start(account, money, window.start)
            if before is None:
                return _BaseBalances(None, None, reason=balances.missing(account, money))
            after = before + balances.change(account, money, window.start, window.end)
            rate = self.rates.find(money, last)
            if rate is None:
                found.without_rate |= {money} if before or after else set()
                continue
            if before or after:
                found.counted.add(money)
                if rate.kind != "same":
                    found.rates.append(rate)
            found.add(before * self._rate_before(money, window, rate), after * rate.rate)
        return found

    def _rate_before(self, money: str, window: Window, last: UsedRate) -> Decimal:
        """Return the rate of the day before a window; where none is stated yet, the first one within it."""
        days = (window.start + DAY * number for number in range(-1, (window.end - window.start).days))
        found = (self.rates.find(money, day) for day in days)
        return next((one.rate for one in found if one is not None), last.rate)

    def _moneys_held(self, balances: Balances, account: str | None) -> list[str]:
        """Return the currencies that an account, or any, has a starting balance in or was booked in."""
        names = (
            [account] if account is not None else [*self._ledger.queries.accounts(), *balances.kept.accounts]
        )
        held = {money for name in names for money in balances.currencies(name)}
        return sorted(held) or [self._base]


class _BaseBalances(Struct):
    """Balances in the base before a window and at its end, their rates, the currencies in them and without a rate."""

    before: Decimal | None
    after: Decimal | None
    rates: list[UsedRate] = []
    without_rate: set[str] = set()
    counted: set[str] = set()
    reason: str | None = None

    def add(self, before: Decimal, after: Decimal) -> None:
        """Add those of one more currency; call it inside `exact()`."""
        self.before = (self.before or ZERO) + before
        self.after = (self.after or ZERO) + after


def builder_for(context: LedgerContext, base: str | None) -> SummaryBuilder:
    """Return a builder of summaries in a base currency, or in one of the ledger; use it in one snapshot."""
    return summary_builder(context) if base is None else BaseSummaryBuilder(context, base)


def shown_rate(session: date, used: UsedRate) -> SessionRate:
    """Return the rate of a session as it is shown."""
    return SessionRate(
        session=session,
        currency=used.from_currency,
        rate=used.rate,
        kind=used.kind,
        day=used.day,
        stated=tuple(f"{rate.label} ({rate.source or 'no source'})" for rate in used.stated),
        pegs=used.pegs,
    )


def _missing(money: str, sessions: Sessions) -> MissingRate:
    with exact():
        net = sum((tally.curve.net for _, tally in sessions), ZERO)
        result = sum((tally.result for _, tally in sessions), ZERO)
    return MissingRate(money, sessions[0][0], sessions[-1][0], net, result)


def _missing_reasons(conversion: Conversion) -> Iterator[PartialReason]:
    for one in conversion.missing:
        days = str(one.first) if one.first == one.last else f"{one.first} to {one.last}"
        amount = to_plain_string(one.result) if one.result or one.net_pnl else "the balance in"
        left = f"{amount} {one.currency} of {days}"
        yield PartialReason(
            "missing_rate",
            f"no rate of {one.currency} in {conversion.base}: {left} left out; "
            f"`tearsheet rates add {one.last} {one.currency} {conversion.base} RATE`, or a peg, brings it in",
        )
