"""Response types of rejected rows, of rates, and of fills and marks that were posted."""

from datetime import date, datetime
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


class RateView(Struct, kw_only=True):
    """An exchange rate: one unit of `from_currency` is `rate` units of `to_currency` on a day."""

    day: date
    from_currency: str
    to_currency: str
    rate: Decimal
    source: str
    import_id: int
    recorded_at: datetime
    recorded_by: str | None
    counts: bool


# a view because rejections of a request are an error answer
class RatesResult(Struct, kw_only=True):
    """Result of stating rates: new ones, corrected ones and known ones, and the import they are kept as, if any."""

    file: str
    id: int | None
    new: int
    corrected: int
    known: int
    repeated: bool
    revision: int
