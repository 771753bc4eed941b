"""JSON Schemas of posted fills, marks and exchange rates, guides of brokers, and the list of time zones."""

from functools import cache
from pathlib import Path

import tzdata

from tearsheet.sources.api_body import FILL_FIELDS, MARK_FIELDS, RATE_FIELDS, object_schema
from tearsheet.sources.guides.catalogue import Guide, all_guides

#: The JSON Schema of a posted fill.
FILL_SCHEMA = object_schema(FILL_FIELDS)
#: The JSON Schema of a posted mark.
MARK_SCHEMA = object_schema(MARK_FIELDS)
#: The JSON Schema of a posted exchange rate.
RATE_SCHEMA = object_schema(RATE_FIELDS)


@cache
def time_zone_names() -> list[str]:
    """Return all time zone names of the packaged tzdata, which are the same on every platform."""
    text = (Path(tzdata.__file__).parent / "zones").read_text("utf-8")
    return sorted(text.split())


def broker_guides() -> dict[str, Guide]:
    """Return how to get the right file out of each broker, by the guide's address."""
    return all_guides()
