"""Stored answers by idempotency key, so that an identical request is applied only once."""

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Self

from msgspec import Struct

from tearsheet.errors import UsageError
from tearsheet.store.tables.columns import ReceiptRow
from tearsheet.store.tables.queries import Queries
from tearsheet.trade.session import to_micros

#: How long an answer is stored.
RETENTION = timedelta(days=7)


class IdempotencyKey(Struct, frozen=True):
    """Idempotency key of a request, and a digest of its content."""

    key: str
    request: str

    @classmethod
    def from_request(cls, key: str | None, *content: bytes) -> Self | None:
        """Return the key with the hash of what the request states; None without a key."""
        if key is None:
            return None
        return cls(key, blake2b(b"\0".join(content), digest_size=16).hexdigest())


class IdempotencyTable:
    """Table of answers by key; used inside the transaction that the answer describes."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def find(self, key: IdempotencyKey | None) -> str | None:
        """Return the answer to an identical request. Raises UsageError if the key was used for another."""
        row = None if key is None else self._queries.row(ReceiptRow, "receipt", (key.key,))
        if key is None or row is None:
            return None
        if row.request != key.request:
            raise UsageError(
                f"the Idempotency-Key {key.key!r} was already used for a different request",
                "use a new key for each request",
            )
        return row.answer

    def save(self, key: IdempotencyKey | None, answer: str, now: datetime) -> None:
        """Save an answer, and remove those that are older than `RETENTION`."""
        if key is None:
            return
        self._queries.execute("remove_old_receipts", (to_micros(now - RETENTION),))
        row = ReceiptRow(key=key.key, request=key.request, answer=answer, at_us=to_micros(now))
        self._queries.add(ReceiptRow, [row])
