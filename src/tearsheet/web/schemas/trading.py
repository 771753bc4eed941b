"""Response types of rejected rows and of fills and marks that were posted."""

from datetime import datetime
from decimal import Decimal

from msgspec import UNSET, Struct, UnsetType


# a view because fields of `Rejection` without a value are left out of the JSON
class RejectionView(Struct, kw_only=True):
    """A line that could not be used."""

    file: str
    line: int
    text: str
    code: str
    reason: str
    hint: str
    account: str | UnsetType = UNSET
    since: datetime | UnsetType = UNSET
    until: datetime | UnsetType = UNSET


class MarkView(Struct, kw_only=True):
    """The last known price of an instrument."""

    symbol: str
    price: Decimal
    time: datetime


# a view because rejections of a request are an error answer
class WriteResult(Struct, kw_only=True):
    """Result of a write: numbers of new and of known items; `repeated` if the idempotency key was used before."""

    new: int
    known: int
    duplicates: int
    repeated: bool
    revision: int
