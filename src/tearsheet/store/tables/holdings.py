"""What an account held of an instrument before an instant, whatever came later."""

from datetime import datetime
from decimal import Decimal

from tearsheet.store.tables import rows
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.session import to_micros


def holding_before(queries: Queries, account: str, symbol: str, at: datetime) -> Decimal:
    """The quantity held just before an instant (short is negative)."""
    found = queries.execute("positions_of_stream_since", (account, symbol, to_micros(at)))
    held = ZERO
    with exact():
        for position in map(rows.position_from_row, found.fetchall()):
            if position.opened_at is not None and position.opened_at < at:
                its = queries.bookings_of(position.id)
                held += sum((b.quantity for b in its if b.time < at), ZERO)
    return held
