"""What can be taken in, for those who show it: the formats of files, and the fields of requests."""

from functools import cache
from pathlib import Path

import tzdata

from tearsheet.sources.posted import FILL_FIELDS, MARK_FIELDS, object_schema

#: The JSON Schema of a posted fill.
FILL_SCHEMA = object_schema(FILL_FIELDS)
#: The JSON Schema of a posted mark.
MARK_SCHEMA = object_schema(MARK_FIELDS)


@cache
def time_zone_names() -> list[str]:
    """The names of all time zones, of the packaged data, so that they are the same everywhere."""
    text = (Path(tzdata.__file__).parent / "zones").read_text("utf-8")
    return sorted(text.split())
