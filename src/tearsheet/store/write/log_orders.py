"""Grouping of trade-log lines by order: versions of one order, and orders that reuse an ID.

Simulators count from 1 each day, so an order id alone names no order. The result does not depend on the order
in which lines are read.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC

from msgspec import Struct

from tearsheet.store.write.stored_record import StoredRecord


class LogOrder(Struct):
    """Versions of one order in the order of the log, without repeated contents, and its key."""

    key: str | None
    versions: list[StoredRecord]

    @property
    def valid(self) -> StoredRecord:
        """The version that counts: the last one."""
        return self.versions[-1]

    def conflicts(self, *, as_fills: bool) -> Iterator[StoredRecord]:
        """Yield superseded versions that may have been another order: of the same kind, at another time."""
        for one, later in zip(self.versions, self.versions[1:], strict=False):
            if (one.closed or as_fills) and may_be_another(one, later):
                yield one


def may_be_another(one: StoredRecord, later: StoredRecord) -> bool:
    """Return whether two lines of one order id are of the same kind and state other times throughout."""
    if one.closed is not later.closed:
        return False
    before, after = one.to_record(), later.to_record()
    return before.timestamp != after.timestamp and before.result_time != after.result_time


def orders_of(records: Sequence[StoredRecord]) -> list[LogOrder]:
    """Return the orders of the lines with one account and ID, in log order.

    The first order has the key of its records; any other has one with its symbol and day.
    """
    orders: list[LogOrder] = []
    for record in sorted(records, key=_log_order):
        if any(record.body == version.body for order in orders for version in order.versions):
            continue
        order = next((one for one in reversed(orders) if _is_version(record, one)), None)
        if order is not None:
            order.versions.append(record)
            continue
        key = None
        if orders:
            key = f"{record.key}#{record.symbol}#{_day(record)}"
            used = sum(one.key is not None and one.key.startswith(key) for one in orders)
            key = f"{key}#{used}" if used else key
        orders.append(LogOrder(key, [record]))
    return orders


def _log_order(record: StoredRecord) -> tuple[int, str, bytes]:
    return record.rank, record.file, record.body


def _is_version(record: StoredRecord, order: LogOrder) -> bool:
    """Return whether a record is a version of an order.

    It has the same symbol, and is of the same day, states the same time, or is the result of an open order. A
    record that opens on the day of an order that has ended before is another one.
    """
    valid, stated = order.valid, record.to_record()
    if record.symbol != valid.symbol:
        return False
    if any(stated.timestamp == version.to_record().timestamp for version in order.versions):
        return True
    if not valid.closed:
        return record.closed or _day(record) == _day(valid)
    reopens = not record.closed and stated.timestamp > valid.to_record().result_time
    return not reopens and _day(record) in {_day(version) for version in order.versions}


def _day(record: StoredRecord) -> str:
    return record.day or record.to_record().timestamp.astimezone(UTC).date().isoformat()
