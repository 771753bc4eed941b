"""Fees of the operator's schedule, for stored fills without stated fees."""

from collections.abc import Iterable, Iterator

from tearsheet.store.tables.queries import Queries
from tearsheet.trade.fee_schedule import FeeSchedule
from tearsheet.trade.fill import Fill
from tearsheet.trade.session import to_micros

#: Fills of one order are not further apart.
_ORDER_US = 7 * 86_400_000_000


class UnstatedFees:
    """The fee schedule applied to fills on their way from the ledger into the books."""

    def __init__(self, queries: Queries, schedule: FeeSchedule) -> None:
        self._queries = queries
        self._schedule = schedule

    def priced(self, fills: Iterable[Fill]) -> Iterator[Fill]:
        """Yield fills; those without stated fees get the fees of the schedule."""
        if self._schedule.is_empty:
            return iter(fills)
        return (self._schedule.priced(fill, self._continues_order) for fill in fills)

    def _continues_order(self, fill: Fill) -> bool:
        """Return whether an earlier stored fill is of the same order."""
        if fill.order_id is None:
            return False
        at_us = to_micros(fill.time)
        order = (fill.rank, fill.rank, fill.key)
        parameters = (fill.account, fill.symbol, at_us - _ORDER_US, fill.order_id, at_us, at_us, *order)
        return self._queries.exists("earlier_of_order", parameters)
