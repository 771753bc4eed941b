"""What was answered to a request with an idempotency key, so that a repeated request changes nothing."""

from datetime import datetime, timedelta

from msgspec import Struct

from tearsheet.errors import UsageError
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.session import to_micros

#: How long a key is remembered.
RETENTION = timedelta(days=7)


class IdempotencyKey(Struct, frozen=True):
    """A request's idempotency key, and a digest of all that it asks for."""

    key: str
    request: str


class IdempotencyTable:
    """Keeps answers by their keys; used inside the transaction of the change they speak of."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def find(self, receipt: IdempotencyKey | None) -> str | None:
        """The answer that was given to this very request. Raises UsageError for another with its key."""
        row = None if receipt is None else self._queries.fetch_one("receipt", (receipt.key,))
        if receipt is None or row is None:
            return None
        if row[0] != receipt.request:
            raise UsageError(
                f"the Idempotency-Key {receipt.key!r} was used for another request",
                "give every request a key of its own; repeat a key only with the same content",
            )
        return str(row[1])

    def save(self, receipt: IdempotencyKey | None, answer: str, now: datetime) -> None:
        """Remember an answer, and forget those older than a week."""
        if receipt is None:
            return
        self._queries.execute("remove_old_receipts", (to_micros(now - RETENTION),))
        self._queries.execute("put_receipt", (receipt.key, receipt.request, answer, to_micros(now)))
