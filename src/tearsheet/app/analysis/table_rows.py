"""The rows of the tables of `table_columns.py`, streamed from one snapshot of the ledger."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import groupby
from typing import Any, TypeVar

from msgspec import Struct

from tearsheet.app import arguments
from tearsheet.app.analysis.balances import balances_of
from tearsheet.app.analysis.lists import Lists, PositionView, position_view
from tearsheet.app.analysis.notes import tags_by_position
from tearsheet.app.analysis.summaries import summary_builder
from tearsheet.app.analysis.table_columns import TableName
from tearsheet.app.context import LedgerContext
from tearsheet.errors import UsageError
from tearsheet.performance.account import BalanceDay, balance_days
from tearsheet.performance.series import daily_curve
from tearsheet.performance.summary import Scope
from tearsheet.store.kept_accounts import kept_accounts
from tearsheet.store.list_values import PageCursor
from tearsheet.store.tables.queries import Queries, is_in_scope
from tearsheet.store.tables.trade_list import NameColumn, distinct_names
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.fill import Fill
from tearsheet.trade.position import Booking, Position
from tearsheet.trade.session import DAY, LATEST, Window

Row = tuple[Any, ...]
_Timed = TypeVar("_Timed", Fill, Booking, Position)
_RATIO = Context(prec=60, rounding=ROUND_HALF_EVEN)
_MOST_KNOWN = 100_000
_PAGE_ROWS = 1000


class TableScope(Struct, frozen=True):
    """What of a ledger a table shows: sessions from `start` to `end`, both included, a scope, a tag, a currency."""

    start: date | None = None
    end: date | None = None
    scope: Scope = Scope()
    tag: str | None = None
    currency: str | None = None

    @property
    def window(self) -> Window:
        """Return its sessions; without both dates a window `all`, which begins with the first session."""
        if self.start is not None and self.end is not None:
            return Window.between(self.start, self.end)
        last = LATEST.date() - DAY
        return Window.choose("all", last, self.start, self.end)

    @property
    def label(self) -> str:
        """Return the scope as text."""
        dates = f"from {self.start} " if self.start else "", f"to {self.end}" if self.end else ""
        parts = (self.scope.label, self.tag and f"#{self.tag}", self.currency, "".join(dates).strip())
        return " · ".join(filter(None, parts))


class TableRows:
    """Rows of a ledger's tables; `of` reads inside a snapshot that lasts until its last row."""

    def __init__(self, context: LedgerContext, chosen: TableScope) -> None:
        self._context, self._chosen = context, chosen
        self._ledger, self._settings = context.ledger, context.settings
        self._scope, self._calendars = chosen.scope, context.calendars
        self._since = self._calendars.start(chosen.scope.account, chosen.window.start)
        self._until = self._calendars.end(chosen.scope.account, chosen.window)

    def of(self, table: TableName, *, idle: bool = True) -> Iterator[Row]:
        """Yield the rows of a table; without `idle`, returns leave out days on which nothing was booked.

        Raises UsageError for a tag or filter that the table cannot have, MixedCurrencyError.
        """
        if self._chosen.tag is not None and table not in ("trades", "positions", "bookings"):
            raise UsageError(f"{table} have no tags", "tags are of trades, positions and their bookings")
        makers: dict[TableName, Callable[[Queries], Iterable[Row]]] = {
            "fills": self._fills,
            "trades": self._trades,
            "positions": self._positions,
            "bookings": self._bookings,
            "days": self._days,
            "returns": lambda queries: self._returns(idle=idle),
            "equity": lambda queries: self._equity(),
            "rejections": lambda queries: self._rejections(),
        }
        with self._ledger.snapshot() as queries:
            yield from makers[table](queries)

    def _fills(self, queries: Queries) -> Iterator[Row]:
        scope, currency = self._scope, self._chosen.currency
        found = queries.executions(self._since, self._until)
        for fill in _sorted_ties(found, lambda one: one.time, _fill_order):
            if (
                scope.account in (None, fill.account)
                and scope.symbol in (None, fill.symbol)
                and scope.strategy in (None, fill.strategy)
                and scope.mode in (None, fill.mode)
                and currency in (None, fill.currency)
                and self._holds(fill.account, fill.time)
            ):
                yield self._fill_row(fill)

    def _fill_row(self, f: Fill) -> Row:
        return (
            f.account,
            f.symbol,
            f.time,
            f.side.value,
            f.quantity,
            f.price,
            f.commission,
            f.multiplier,
            f.currency,
            f.fill_id,
            f.order_id,
            f.strategy,
            f.stop_loss,
            f.target,
            f.mode,
            self._calendars.trading_day_of(f.account, f.time),
            f.key,
            f.states_fee,
        )

    def _trades(self, queries: Queries) -> Iterator[Row]:
        tags, tag, currency = tags_by_position(queries), self._chosen.tag, self._chosen.currency
        found = queries.closed(self._scope.account, self._since, self._until)
        for position in _sorted_ties(found, _closed_at, lambda one: one.closing_order):
            own = sorted(tags.get(position.id, ()))
            is_wanted = tag is None or tag in own
            if (
                is_wanted
                and is_in_scope(self._scope, position)
                and currency in (None, position.currency)
                and self._holds(position.account, _closed_at(position))
            ):
                yield self._trade_row(position, own)

    def _trade_row(self, p: Position, tags: Sequence[str]) -> Row:
        view, closed_at = position_view(p, self._settings.breakeven_band), _closed_at(p)
        with exact():
            risk = p.initial_risk
        return (
            p.id,
            p.account,
            p.symbol,
            p.currency,
            p.strategy,
            p.mode,
            view.side,
            p.opened_at,
            closed_at,
            self._calendars.trading_day_of(p.account, closed_at),
            p.held,
            p.quantity,
            p.peak_quantity,
            view.average_entry,
            view.average_exit,
            p.multiplier,
            p.gross,
            p.fees,
            p.carry,
            view.net,
            view.outcome,
            p.stop_loss,
            p.target,
            risk,
            view.r_multiple,
            p.planned_risk_reward,
            p.fills,
            tags,
            p.position_side,
            p.closed_by,
        )

    def _positions(self, queries: Queries) -> Iterator[Row]:
        lists = Lists(self._context)
        found = lists.open_positions(self._scope, self._chosen.tag)
        currency = self._chosen.currency
        for view in sorted(found, key=lambda one: (one.account, one.symbol, one.side, one.id)):
            if currency in (None, view.currency):
                yield _position_row(view)

    def _bookings(self, queries: Queries) -> Iterator[Row]:
        currency, belongs = self._chosen.currency, self._booking_filter(queries)
        session_of = self._calendars.trading_day_of
        for chunk, _ in queries.time_chunks(self._scope.account, self._since, self._until):
            for booking in sorted(chunk, key=lambda one: one.order):
                if (
                    currency in (None, booking.currency)
                    and self._holds(booking.account, booking.time)
                    and belongs(booking)
                ):
                    yield _booking_row(booking, session_of(booking.account, booking.time))

    def _holds(self, account: str, at: datetime) -> bool:
        return self._calendars.holds(self._chosen.window, account, at)

    def _booking_filter(self, queries: Queries) -> Callable[[Booking], bool]:
        """Return whether a booking is in the scope: its position is, or it is an event of the symbol alone."""
        scope, tag = self._scope, self._chosen.tag
        if not scope.needs_row_filter and tag is None:
            return lambda booking: True
        tagged = (
            None if tag is None else {key for key, own in tags_by_position(queries).items() if tag in own}
        )
        is_by_symbol = scope.strategy is None and scope.mode is None and tag is None
        known: dict[str, bool] = {}

        def belongs(booking: Booking) -> bool:
            identity = booking.position_id
            if not identity:
                return is_by_symbol and not booking.is_cash and booking.symbol == scope.symbol
            if identity not in known:
                if len(known) >= _MOST_KNOWN:
                    known.clear()
                position = queries.position(identity)
                known[identity] = (
                    position is not None
                    and is_in_scope(scope, position)
                    and (tagged is None or identity in tagged)
                )
            return known[identity]

        return belongs

    def _days(self, queries: Queries) -> Iterator[Row]:
        window, account = self._chosen.window, self._scope.account
        builder = summary_builder(self._context)
        found = self._ledger.tallies.currencies(account, window.start, window.end)
        currencies = [one for one in found if self._chosen.currency in (None, one)]
        days = [
            (session, currency, tally)
            for currency in currencies
            for session, tally in builder.sessions(window, self._scope, currency)
        ]
        for session, currency, t in sorted(days, key=lambda day: day[:2]):
            counts = (t.closed, t.wins, t.losses)
            yield (
                session,
                currency,
                t.curve.net,
                t.gross,
                t.fees,
                *counts,
                t.quantity,
                t.breakevens,
                t.carry,
                t.fills,
                t.result,
                t.money.flows,
                t.money.converted,
            )

    def _returns(self, *, idle: bool) -> Iterator[Row]:
        window, currency = self._window_and_currency()
        days = self._balance_days(window, currency)
        if not days:
            return
        traded = {day.session: day for day in days}
        balance = days[0].opening
        for session in self._exchange_days(window, days[0].session, days[-1].session):
            day = traded.get(session)
            if balance is None:
                raise UsageError(
                    f"returns are results ÷ balance, and there is none of {self._chosen.label}",
                    self._no_balance(currency),
                )
            if day is None:
                if idle and self._calendars.common.is_weekday(session):
                    yield (session, ZERO, balance, share(ZERO, balance), True, ZERO, ZERO)
                continue
            with exact():
                base = balance + day.inflows
            yield (session, day.net_pnl, balance, share(day.result, base), False, day.result, day.inflows)
            balance = day.balance

    def _equity(self) -> Iterator[Row]:
        window, currency = self._window_and_currency()
        sessions = summary_builder(self._context).sessions(window, self._scope, currency)
        balances = {day.session: day.balance for day in self._balance_days(window, currency)}
        for day in daily_curve(sessions):
            balance = balances.get(day.session)
            with exact():
                high = day.drawdown + (day.total if balance is None else balance)
            drawn = None if balance is None else share(day.drawdown, high)
            yield (day.session, day.net_pnl, balance, high, day.drawdown, drawn, day.total)

    def _window_and_currency(self) -> tuple[Window, str]:
        builder = summary_builder(self._context)
        window = builder.from_first_session(self._chosen.window, self._scope)
        return window, builder.currency(window, self._scope, self._chosen.currency)

    def _balance_days(self, window: Window, currency: str) -> tuple[BalanceDay, ...]:
        """Return the sessions with what each did to the balance; a filter beyond the account has no balance."""
        if self._scope.needs_row_filter:
            sessions = summary_builder(self._context).sessions(window, self._scope, currency)
            return balance_days(sessions, None)
        balances = balances_of(self._context)
        return balances.days(self._scope.account, currency, window.start, window.end)

    def _no_balance(self, currency: str) -> str:
        if self._scope.needs_row_filter:
            return "filter by account only: symbols and strategies have no balance"
        missing = balances_of(self._context).missing(self._scope.account, currency)
        return f"{missing or ''}, or TEARSHEET_STARTING_BALANCE for the whole ledger".removeprefix(
            "no_balance: "
        )

    def _exchange_days(self, window: Window, first: date, last: date) -> Iterator[date]:
        """Yield every day from the first session with a result to the last, or to today if the window has it."""
        today = self._calendars.trading_day_of(self._scope.account, self._context.now)
        last = max(last, min(window.last_day, today))
        return (first + DAY * number for number in range((last - first).days + 1))

    def _rejections(self) -> Iterator[Row]:
        lists, account = Lists(self._context), self._scope.account
        found, place = [], None
        while True:
            page = lists.rejections(_PAGE_ROWS, place)
            found += [one for one in page.items if account is None or one.account in (None, account)]
            if page.next is None:
                break
            place = PageCursor(page.next.time_us, page.next.id)
        for r in reversed(found):
            yield (r.file, r.line, r.account, r.code, r.reason, r.hint, r.text)


def check_filters(context: LedgerContext, **filters: str | None) -> None:
    """Raise UsageError with the nearest known name for a filter that names what the ledger does not have."""
    for kind, name in filters.items():
        if arguments.text(name, kind) is not None:
            arguments.choice(name, kind, known_names(context, kind))


def known_names(context: LedgerContext, kind: str) -> Sequence[str]:
    """Return the names that a filter of a kind may have: account, strategy, symbol, mode, tag or currency."""
    if kind == "mode":
        return ("PAPER", "LIVE")
    with context.ledger.snapshot() as queries:
        if kind == "tag":
            return sorted(set().union(*tags_by_position(queries).values()))
        stated = kept_accounts(context.ledger).accounts
        if kind == "currency":
            booked = context.ledger.tallies.currencies(None, date.min, date.max)
            opened = {
                code
                for terms in stated.values()
                for code in (terms.currency, *(terms.starting_balance or ()))
            }
            return sorted({*booked, context.settings.currency, *filter(None, opened)})
        logged = queries.open_log_positions(Scope(), context.settings.currency)
        held = {getattr(one, kind) for one in (*queries.open_positions(Scope()), *logged)}
        column: NameColumn = kind  # type: ignore[assignment]
        closed = queries.accounts() if kind == "account" else distinct_names(queries, column, None)
        return sorted({*closed, *(stated if kind == "account" else ()), *filter(None, held)})


def share(part: Decimal, whole: Decimal) -> Decimal | None:
    """Return a quotient with more digits than a float has; None where the whole is not above 0."""
    return _RATIO.divide(part, whole) if whole > 0 else None


def _closed_at(position: Position) -> datetime:
    return position.closed_at or position.last_at


def _fill_order(fill: Fill) -> tuple[str, str, int, str]:
    return fill.account, fill.symbol, fill.rank, fill.key


def _sorted_ties(
    found: Iterable[_Timed], moment: Callable[[_Timed], datetime], order: Callable[[_Timed], Any]
) -> Iterator[_Timed]:
    """Yield rows that come by time; those of one instant in an order that no database's collation decides."""
    for _, together in groupby(found, key=moment):
        yield from sorted(together, key=order)


def _booking_row(b: Booking, session: date) -> Row:
    with exact():
        net, part = b.net, b.account_part
    return (
        b.position_id or None,
        b.account,
        b.symbol,
        b.currency,
        b.time,
        session,
        b.part,
        b.quantity,
        b.price,
        b.gross,
        b.fees,
        net,
        b.closes,
        b.fill_key,
        b.carry,
        b.event,
        b.cash,
        None if part is None else part[0],
    )


def _position_row(v: PositionView) -> Row:
    return (
        v.id,
        v.account,
        v.symbol,
        v.currency,
        v.strategy,
        v.mode,
        v.side,
        v.opened_at,
        v.last_fill_at,
        v.open_quantity,
        v.average_entry,
        v.gross,
        v.fees,
        v.carry,
        v.net,
        v.stop_loss,
        v.target,
        v.mark,
        v.mark_at,
        v.unrealized_pnl,
        v.unrealized_reason,
        v.fills,
        v.tags,
        v.position_side,
    )
