"""Events that a person states: how an open position ended, or what was held when the history begins."""

import csv
import io
import tempfile
from collections.abc import Mapping
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.import_file import ImportJob, import_file
from tearsheet.app.reports import ImportReport
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.performance.summary import Scope
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.text.contracts import expiry_of
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.position import Position

#: When the last options of a day have been traded in New York.
_CLOSE = time(16, 20, tzinfo=ZoneInfo("America/New_York"))


def settle(
    context: LedgerContext,
    account: str,
    symbol: str,
    price: Decimal,
    at: datetime | None = None,
    quantity: Decimal | None = None,
    how: str = "settlement",
    who: str | None = None,
) -> ImportReport:
    """Close an open position at a price, at its expiry unless a time is given. Raises NotFoundError, UsageError."""
    position = _open_position(context, account, symbol)
    if at is None:
        expiry = expiry_of(position.symbol)
        at = context.now if expiry is None else min(datetime.combine(expiry, _CLOSE), context.now)
    if quantity is not None and not 0 < quantity <= position.open_quantity:
        raise UsageError(
            f"{to_plain_string(quantity)} cannot end", f"{to_plain_string(position.open_quantity)} are open"
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
    return _import(context, stated, who)


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
    stated = {
        "kind": "opening",
        "account": account,
        "symbol": symbol,
        "time": at.isoformat(),
        "currency": currency or "",
        "quantity": to_plain_string(quantity),
        "cost": "" if cost is None else to_plain_string(cost),
    }
    return _import(context, stated, who)


def _open_position(context: LedgerContext, account: str, symbol: str) -> Position:
    with context.ledger.snapshot() as queries:
        held = queries.open_positions(Scope(account=account))
    wanted = "".join(symbol.split()).upper()
    found = [one for one in held if "".join(one.symbol.split()).upper() == wanted]
    if len(found) == 1:
        return found[0]
    named = ", ".join(sorted(one.symbol for one in held)) or "nothing"
    which = "both sides are open" if found else f"{symbol} is not open"
    raise NotFoundError(f"{account}: {which}", f"open are {named}")


def _import(context: LedgerContext, stated: Mapping[str, str], who: str | None) -> ImportReport:
    """Import one event as a file of its own, so that it can be undone like any other."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(stated))
    table.writeheader()
    table.writerow(stated)
    with tempfile.TemporaryDirectory(prefix="tearsheet-event-") as folder:
        path = Path(folder) / "event.csv"
        path.write_text(text.getvalue(), encoding="utf-8")
        name = f"{stated['kind']} {stated['account']} {stated['symbol']}"
        options = StatementOptions(layout="generic_events")
        return import_file(context, ImportJob(path=path, name=name, options=options, who=who))
