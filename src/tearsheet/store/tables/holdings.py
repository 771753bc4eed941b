"""The quantity of an instrument that an account held at an instant."""

from datetime import datetime
from decimal import Decimal

from tearsheet.store.tables.columns import PositionRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.rows import position_from_row
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.session import to_micros


def holding_before(queries: Queries, account: str, symbol: str, at: datetime) -> Decimal:
    """Return the quantity held just before an instant (short is negative)."""
    parameters = (account, symbol, to_micros(at))
    held = ZERO
    with exact():
        for row in queries.rows(PositionRow, "positions_of_stream_since", parameters):
            opened_at = position_from_row(row).opened_at
            if opened_at is not None and opened_at < at:
                bookings = queries.bookings_of(row.id)
                held += sum((booking.quantity for booking in bookings if booking.time < at), ZERO)
    return held
