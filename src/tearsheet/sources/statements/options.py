"""Options of one statement: what the user states because the file does not."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.sources.layouts.mapping import FeeSign
from tearsheet.sources.text.encoding import DecimalMark
from tearsheet.sources.text.time_formats import DateOrder


class StatementOptions(Struct, frozen=True):
    """What the user states about a file; None or an empty mapping leaves it to the file.

    `layouts` is the folder of the user's own layouts, `mapping` names a field for each column, `constants` are
    fields that every row has, and `fee_rates` the value of one unit of a currency in the currency of the trade.
    `day` is that of a file that states times only, `currency` the money of a file that states none.
    """

    timezone: ZoneInfo | None = None
    account: str | None = None
    layout: str | None = None
    date_order: DateOrder | None = None
    decimal_mark: DecimalMark | None = None
    layouts: Path | None = None
    mapping: Mapping[str, str] = {}
    constants: Mapping[str, str] = {}
    fee_rates: Mapping[str, Decimal] = {}
    day: date | None = None
    currency: str | None = None
    fee_sign: FeeSign | None = None
