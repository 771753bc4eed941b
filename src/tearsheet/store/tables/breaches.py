"""Breaches and releases, which are append-only, and the saved running sums of limits."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from msgspec import Struct

from tearsheet.errors import NotFoundError
from tearsheet.rules.breach import Breach, Release
from tearsheet.store.list_values import Page, PageCursor
from tearsheet.store.tables.columns import BreachRow, LimitBaseRow, ReleaseRow, Row
from tearsheet.store.tables.pages import CHUNK_ROWS, LAST_INSTANT, LAST_TEXT
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.query_rows import ReleasedBreachRow
from tearsheet.trade.session import from_micros, to_micros


class BreachRecord(Struct, frozen=True):
    """Breach with its release, if any."""

    breach: Breach
    release: Release | None


class OpenHighRow(Row, frozen=True, gc=False):
    """The highest equity of an account, including open positions."""

    TABLE: ClassVar[str] = "open_high"

    account: str
    since: str
    high: str


class OpeningEquityRow(Row, frozen=True, gc=False):
    """What an account held when a session began, at its last prices."""

    TABLE: ClassVar[str] = "opening_equity"

    account: str
    session: str
    unrealized: str


class KnownEquityRow(Row, frozen=True, gc=False):
    """Open P&L of an account at its latest mark prices."""

    TABLE: ClassVar[str] = "known_equity"

    account: str
    at_us: int
    unrealized: str


class BreachTable:
    """Table of breaches and releases; used inside the transaction that detects them."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def for_account(self, account: str, since: date) -> list[BreachRecord]:
        """Return an account's breaches whose period starts on or after a day, or never ends."""
        found = self._queries.rows(ReleasedBreachRow, "breaches_of_account", (account, since.isoformat()))
        return list(map(_record, found))

    def add(self, breaches: Iterable[Breach], now: datetime) -> None:
        """Save breaches; a breach that is stored already is not changed."""
        for b in breaches:
            row = BreachRow(
                id=b.id,
                account=b.account,
                name=b.limit,
                trading_day=b.trading_day.isoformat(),
                period_start=_day_text(b.period_start),
                number=b.number,
                at_us=to_micros(b.at),
                value=str(b.value),
                threshold=str(b.threshold),
                fill_key=b.fill_key,
                found_us=to_micros(now),
            )
            self._queries.execute("add_breach", row)

    def release(self, release: Release) -> None:
        """Save the release of a breach that was not released."""
        row = ReleaseRow(
            breach_id=release.breach_id,
            at_us=to_micros(release.at),
            actor=release.actor,
            reason=release.reason,
            upto=str(release.allowed_value),
        )
        self._queries.add(ReleaseRow, [row])

    def accounts(self) -> list[str]:
        """Return every account with a breach."""
        return self._queries.values("accounts_with_breaches")

    def page(self, account: str | None, number: int, after: PageCursor | None) -> Page[BreachRecord]:
        """Return breaches with their releases, the latest detected first."""
        place = after or PageCursor(LAST_INSTANT, LAST_TEXT)
        most = min(number, CHUNK_ROWS)
        bounds = (place.time_us, place.time_us, place.id, most + 1)
        which, scope = ("all", ()) if account is None else ("account", (account,))
        found = self._queries.rows(ReleasedBreachRow, f"page_of_breaches_{which}", (*scope, *bounds))
        items, last = found[:most], found[most - 1] if len(found) > most else None
        return Page(list(map(_record, items)), None if last is None else PageCursor(last.found_us, last.id))


def load_equity_peak(queries: Queries, account: str, since: date | None) -> Decimal | None:
    """Return the highest recorded equity including open positions, or None."""
    high = queries.value("open_high", (account, _day_text(since)))
    return None if high is None else Decimal(high)


def save_equity_peak(queries: Queries, account: str, since: date | None, high: Decimal) -> None:
    """Save the highest equity including open positions."""
    row = OpenHighRow(account=account, since=_day_text(since), high=str(high))
    queries.execute("put_open_high", row)


def load_openings(queries: Queries, account: str, since: date) -> dict[date, Decimal]:
    """Return what was open when each session began, from a session on, where it is known."""
    found = queries.rows(OpeningEquityRow, "opening_equity", (account, since.isoformat()))
    return {date.fromisoformat(row.session): Decimal(row.unrealized) for row in found}


def save_opening(queries: Queries, account: str, session: date, unrealized: Decimal) -> None:
    """Save what was open when a session began; what was saved first stays."""
    row = OpeningEquityRow(account=account, session=session.isoformat(), unrealized=str(unrealized))
    queries.execute("add_opening_equity", row)


def load_known_equity(queries: Queries, account: str) -> tuple[datetime, Decimal] | None:
    """Return the instant of the latest marks and the open P&L at them, or None."""
    row = queries.row(KnownEquityRow, "known_equity", (account,))
    return None if row is None else (from_micros(row.at_us), Decimal(row.unrealized))


def save_known_equity(queries: Queries, account: str, at: datetime, unrealized: Decimal) -> None:
    """Save what is open at the last prices."""
    row = KnownEquityRow(account=account, at_us=to_micros(at), unrealized=str(unrealized))
    queries.execute("put_known_equity", row)


def load_snapshot(queries: Queries, account: str, plan: str) -> tuple[date, str] | None:
    """Return the saved running sums of a plan and the session at whose start they apply, or None."""
    row = queries.row(LimitBaseRow, "limit_base", (account, plan))
    return None if row is None else (date.fromisoformat(row.session), row.body)


def save_snapshot(
    queries: Queries, account: str, plan: str, session: date, start: datetime, body: str
) -> None:
    """Save the running sums at the start of a session, and remove those of other plans."""
    queries.execute("remove_other_limit_bases", (account, plan))
    row = LimitBaseRow(
        account=account, plan=plan, session=session.isoformat(), start_us=to_micros(start), body=body
    )
    queries.execute("put_limit_base", row)


def breach_not_found(account: str, limit: str) -> NotFoundError:
    """Return the error for a release without an active breach."""
    return NotFoundError(f"{limit} of {account} has no active breach", "`tearsheet verdict` shows what is")


def _day_text(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _record(row: ReleasedBreachRow) -> BreachRecord:
    breach = Breach(
        id=row.id,
        account=row.account,
        limit=row.name,
        trading_day=date.fromisoformat(row.trading_day),
        period_start=date.fromisoformat(row.period_start) if row.period_start else None,
        number=row.number,
        at=from_micros(row.at_us),
        value=Decimal(row.value),
        threshold=Decimal(row.threshold),
        fill_key=row.fill_key,
    )
    if row.released_us is None or row.actor is None or row.reason is None or row.upto is None:
        return BreachRecord(breach, None)
    release = Release(
        breach_id=row.id,
        at=from_micros(row.released_us),
        actor=row.actor,
        reason=row.reason,
        allowed_value=Decimal(row.upto),
    )
    return BreachRecord(breach, release)
