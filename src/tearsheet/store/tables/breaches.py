"""Breaches and releases as facts of the ledger: they are added once and stay for ever."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct

from tearsheet.errors import NotFoundError
from tearsheet.rules.breach import Breach, Release
from tearsheet.store.tables.pages import AT_ONCE, LAST_INSTANT, LAST_TEXT, Page, PageCursor
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.rows import Row
from tearsheet.trade.session import from_micros, to_micros


class BreachRecord(Struct, frozen=True):
    """A breach, and its release if somebody has lifted it."""

    breach: Breach
    release: Release | None


class BreachTable:
    """Keeps breaches and releases; used inside the transaction that found them."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def for_account(self, account: str, since: date) -> list[BreachRecord]:
        """Those of an account whose period began on a day or later, or never ends."""
        found = self._queries.execute("breaches_of_account", (account, since.isoformat()))
        return [_record(row) for row in found]

    def add(self, breaches: Iterable[Breach], now: datetime) -> None:
        """Keep breaches; one that is known stays as it was first told."""
        for b in breaches:
            start = b.period_start.isoformat() if b.period_start else ""
            row = (
                b.id,
                b.account,
                b.limit,
                b.trading_day.isoformat(),
                start,
                b.number,
                to_micros(b.at),
                str(b.value),
                str(b.threshold),
                b.fill_key,
                to_micros(now),
            )
            self._queries.execute("add_breach", row)

    def release(self, release: Release) -> None:
        """Keep a release of a breach that nobody has released yet."""
        r = release
        row = (r.breach_id, to_micros(r.at), r.actor, r.reason, str(r.allowed_value))
        self._queries.execute("add_release", row)

    def accounts(self) -> list[str]:
        """Every account that ever broke a limit."""
        return [name for (name,) in self._queries.execute("accounts_with_breaches")]

    def page(self, account: str | None, number: int, after: PageCursor | None) -> Page[BreachRecord]:
        """Breaches with their releases, those found last first."""
        place = after or PageCursor(LAST_INSTANT, LAST_TEXT)
        bounds = (place.time_us, place.time_us, place.id, min(number, AT_ONCE) + 1)
        which, scope = ("all", ()) if account is None else ("account", (account,))
        found = self._queries.execute(f"page_of_breaches_{which}", (*scope, *bounds)).fetchall()
        items, more = found[: bounds[-1] - 1], len(found) == bounds[-1]
        following = PageCursor(items[-1][14], items[-1][0]) if more else None
        return Page([_record(row) for row in items], following)


def load_equity_peak(queries: Queries, account: str, since: date | None) -> Decimal | None:
    """The highest that equity with what was open was seen at a price, None if it never was."""
    row = queries.fetch_one("open_high", (account, since.isoformat() if since else ""))
    return None if row is None else Decimal(row[0])


def save_equity_peak(queries: Queries, account: str, since: date | None, high: Decimal) -> None:
    """Remember how high equity with what was open has been seen."""
    row = (account, since.isoformat() if since else "", str(high))
    queries.execute("put_open_high", row)


def load_snapshot(queries: Queries, account: str, plan: str) -> tuple[date, str] | None:
    """The session at which a plan's running sums are kept, and the sums."""
    row = queries.fetch_one("limit_base", (account, plan))
    return None if row is None else (date.fromisoformat(row[0]), row[1])


def save_snapshot(
    queries: Queries, account: str, plan: str, session: date, start: datetime, body: str
) -> None:
    """Keep the running sums at the start of a session; those of other plans are of no use any more."""
    queries.execute("remove_other_limit_bases", (account, plan))
    row = (account, plan, session.isoformat(), to_micros(start), body)
    queries.execute("put_limit_base", row)


def breach_not_found(account: str, limit: str) -> NotFoundError:
    """What is said where there is no breach to lift."""
    return NotFoundError(f"{limit} of {account} is not breached now", "`tearsheet verdict` shows what is")


def _record(row: Row) -> BreachRecord:
    breach = Breach(
        id=row[0],
        account=row[1],
        limit=row[2],
        trading_day=date.fromisoformat(row[3]),
        period_start=date.fromisoformat(row[4]) if row[4] else None,
        number=row[5],
        at=from_micros(row[6]),
        value=Decimal(row[7]),
        threshold=Decimal(row[8]),
        fill_key=row[9],
    )
    release = None
    if row[10] is not None:
        release = Release(
            breach_id=row[0],
            at=from_micros(row[10]),
            actor=row[11],
            reason=row[12],
            allowed_value=Decimal(row[13]),
        )
    return BreachRecord(breach, release)
