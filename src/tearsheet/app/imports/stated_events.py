"""Events that a person states, and those that are missing: how an open position ended, what was held at first."""

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import Struct, json

from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.import_file import ImportJob, import_file
from tearsheet.app.reports import ImportReport
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.performance.summary import Scope
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.text.contracts import expiry_of
from tearsheet.store.tables.columns import FillRow
from tearsheet.store.tables.query_rows import FirstFillRow, GapRow, UnmatchedReportRow
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.event import EventTerms
from tearsheet.trade.position import Position, signed_open_quantity
from tearsheet.trade.session import EARLIEST, LATEST, from_micros, to_micros

#: When the last options of a day have been traded in New York.
_CLOSE = time(16, 20, tzinfo=ZoneInfo("America/New_York"))
#: Gaps that an opening would fill.
#: Ways in which a position ends without a trade.
ENDS = ("expiry", "assignment", "exercise", "cash_settlement", "merger", "delisting")
_CODES = ("unmatched_closes", "unknown_cost")


class MissingOpening(Struct, frozen=True):
    """An instrument whose fills close what nothing opened, or whose cost is unknown.

    `states_results` says whether the broker's own results of these fills are known.
    """

    account: str
    symbol: str
    first_at: datetime
    detail: str
    states_results: bool


class UnsettledOption(Struct, frozen=True):
    """An option that is open after its expiry; a short quantity is below 0."""

    account: str
    symbol: str
    quantity: Decimal
    expiry: date


def missing_openings(context: LedgerContext) -> list[MissingOpening]:
    """Return a line for each instrument that lacks its opening, by its first fill."""
    span = (to_micros(EARLIEST), to_micros(LATEST))
    found: dict[tuple[str, str], GapRow] = {}
    with context.ledger.snapshot() as queries:
        for row in queries.rows(GapRow, "gaps", (*span, None, None)):
            if row.code in _CODES:
                found.setdefault((row.account, row.symbol), row)
        reported = {
            (account, one.symbol)
            for account in {account for account, _ in found}
            for one in queries.rows(UnmatchedReportRow, "unmatched_with_report", (account, None, None))
        }
    return [
        MissingOpening(*key, from_micros(row.time_us), row.detail, key in reported)
        for key, row in found.items()
    ]


def unsettled_options(context: LedgerContext) -> list[UnsettledOption]:
    """Return the open options whose expiry is over, the oldest first."""
    today = context.settings.calendar.trading_day_of(context.now)
    return sorted(_unsettled(context, today), key=lambda one: (one.expiry, one.account, one.symbol))


def _unsettled(context: LedgerContext, today: date) -> Iterator[UnsettledOption]:
    with context.ledger.snapshot() as queries:
        held = queries.open_positions(Scope())
    for position in held:
        expiry = expiry_of(position.symbol)
        if expiry is not None and expiry < today:
            yield UnsettledOption(position.account, position.symbol, signed_open_quantity(position), expiry)


def settle(
    context: LedgerContext,
    account: str,
    symbol: str,
    price: Decimal,
    at: datetime | None = None,
    quantity: Decimal | None = None,
    how: str = ENDS[0],
    who: str | None = None,
) -> ImportReport:
    """Close an open position at a price, at its expiry unless a time is given. Raises NotFoundError, UsageError."""
    if how not in ENDS:
        raise UsageError(f"how is {how[:50]!r}", f"allowed are {', '.join(ENDS)}")
    position = _open_position(context, account, symbol)
    if at is None:
        expiry = expiry_of(position.symbol)
        at = context.now if expiry is None else min(datetime.combine(expiry, _CLOSE), context.now)
    if quantity is not None and not 0 < quantity <= position.open_quantity:
        raise UsageError(
            f"{to_plain_string(quantity)} cannot end", f"{to_plain_string(position.open_quantity)} are open"
        )
    if position.opened_at is not None and at < position.opened_at:
        raise UsageError(
            f"{at.isoformat()} is before the position was opened, at {position.opened_at.isoformat()}",
            "state when it ended",
        )
    stated = {
        "kind": "settle",
        "account": position.account,
        "symbol": position.symbol,
        "time": at.isoformat(),
        "currency": position.currency,
        "price": to_plain_string(price),
        "quantity": "" if quantity is None else to_plain_string(quantity),
        "position_side": position.position_side or "",
        "how": how,
    }
    return _import(context, [stated], who)


def state_opening(
    context: LedgerContext,
    account: str,
    symbol: str,
    quantity: Decimal,
    cost: Decimal | None,
    at: datetime,
    currency: str | None = None,
    who: str | None = None,
) -> ImportReport:
    """State what was held before the history begins; a quantity below 0 was short. Raises UsageError."""
    if not quantity:
        raise UsageError("nothing was held", "state a quantity, below 0 for a short position")
    if cost is not None and cost < 0:
        raise UsageError("a cost is not below 0", "the quantity is below 0 for a short position")
    stated = {
        "kind": "opening",
        "account": account,
        "symbol": symbol,
        "time": at.isoformat(),
        "currency": currency or "",
        "quantity": to_plain_string(quantity),
        "cost": "" if cost is None else to_plain_string(cost),
    }
    _reject_second_opening(context, stated, at)
    return _import(context, [stated], who)


def _reject_second_opening(context: LedgerContext, stated: Mapping[str, str], at: datetime) -> None:
    """Raise UsageError unless an opening is the only one of its instrument, and before its first fill."""
    account, wanted = stated["account"], stated["symbol"]
    with context.ledger.snapshot() as queries:
        for row in queries.rows(FillRow, "openings_of_account", (account,)):
            terms = json.decode(row.terms or "{}", type=EventTerms)
            known = {
                "quantity": row.quantity.lstrip("-"),
                "cost": "" if terms.cost is None else to_plain_string(terms.cost),
            }
            is_same = row.time_us == to_micros(at) and all(
                stated[name].lstrip("-") == known[name] for name in known
            )
            if _is_symbol(row.symbol, wanted) and not is_same:
                raise UsageError(
                    f"{account} {row.symbol} was opened with {row.quantity} at {from_micros(row.time_us).isoformat()}",
                    "an opening is stated once; undo the import of the other one",
                )
        for first in queries.rows(FirstFillRow, "first_fills_of_account", (account,)):
            if _is_symbol(first.symbol, wanted) and first.time_us < to_micros(at):
                raise UsageError(
                    f"the first fill of {account} {first.symbol} is of {from_micros(first.time_us).isoformat()}",
                    "an opening comes before it",
                )


def _is_symbol(symbol: str, wanted: str) -> bool:
    """Return whether a symbol is the one that a person wrote, spaces and case aside."""
    return "".join(symbol.split()).upper() == "".join(wanted.split()).upper()


def open_from_reported(
    context: LedgerContext, account: str, symbol: str | None = None, who: str | None = None
) -> ImportReport:
    """Take the broker's own results for closing fills without an opening: the cost follows from each.

    It holds for all instruments of the account that have such fills, or for one, and for what is imported later.
    Raises NotFoundError without one whose result a file states.
    """
    with context.ledger.snapshot() as queries:
        closes = queries.rows(UnmatchedReportRow, "unmatched_with_report", (account, symbol, symbol))
    if not closes:
        raise NotFoundError(
            f"{account}{f' {symbol}' if symbol else ''}: no fill closes what nothing opened and states its result",
            "the cost is stated by `tearsheet opening ACCOUNT SYMBOL QUANTITY --cost COST --time TIME`",
        )
    stated = [
        {
            "kind": "opening_from_reported",
            "account": account,
            "symbol": one.symbol,
            "time": from_micros(one.first_us).isoformat(),
            "currency": one.currency,
        }
        for one in closes
    ]
    return _import(context, stated, who)


def _open_position(context: LedgerContext, account: str, symbol: str) -> Position:
    with context.ledger.snapshot() as queries:
        held = queries.open_positions(Scope(account=account))
    found = [one for one in held if _is_symbol(one.symbol, symbol)]
    if len(found) == 1:
        return found[0]
    named = ", ".join(sorted(one.symbol for one in held)) or "nothing"
    which = "both sides are open" if found else f"{symbol} is not open"
    raise NotFoundError(f"{account}: {which}", f"open are {named}")


def _import(context: LedgerContext, stated: Sequence[Mapping[str, str]], who: str | None) -> ImportReport:
    """Import events as a file of their own, so that they can be undone like any other."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(stated[0]))
    table.writeheader()
    table.writerows(stated)
    with tempfile.TemporaryDirectory(prefix="tearsheet-event-") as folder:
        path = Path(folder) / "event.csv"
        path.write_text(text.getvalue(), encoding="utf-8")
        symbols = " ".join(row["symbol"] for row in stated[:5])
        name = f"{stated[0]['kind'].replace('_', ' ')} {stated[0]['account']} {symbols}"
        options = StatementOptions(layout="generic_events")
        return import_file(context, ImportJob(path=path, name=name, options=options, who=who))
