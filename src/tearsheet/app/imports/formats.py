"""JSON Schemas of posted fills, marks and exchange rates, guides of brokers, and the list of time zones."""

from functools import cache
from pathlib import Path

import tzdata

from tearsheet.sources.api_body import FILL_FIELDS, MARK_FIELDS, RATE_FIELDS, object_schema
from tearsheet.sources.cash_body import CASH_FIELDS
from tearsheet.sources.guides.catalogue import Guide, all_guides
from tearsheet.sources.layouts.catalogue import layouts

#: The JSON Schema of a posted fill.
FILL_SCHEMA = object_schema(FILL_FIELDS)
#: JSON Schema of money of an account, as it is posted.
CASH_SCHEMA = object_schema(CASH_FIELDS)
#: The JSON Schema of a posted mark.
MARK_SCHEMA = object_schema(MARK_FIELDS)
#: The JSON Schema of a posted exchange rate.
RATE_SCHEMA = object_schema(RATE_FIELDS)


#: The layout that the documentation gives to everybody.
GENERIC_FILLS = "generic_fills"


def generic_fields() -> tuple[str, ...]:
    """Return the fields of generic statements of fills, which are the names of their columns."""
    layout = layouts()[GENERIC_FILLS]
    return tuple(
        name for columns in (layout.columns, layout.optional) for names in columns.values() for name in names
    )


@cache
def time_zone_names() -> list[str]:
    """Return all time zone names of the packaged tzdata, which are the same on every platform."""
    text = (Path(tzdata.__file__).parent / "zones").read_text("utf-8")
    return sorted(text.split())


def broker_guides() -> dict[str, Guide]:
    """Return how to get the right file out of each broker, by the guide's address."""
    return all_guides()
