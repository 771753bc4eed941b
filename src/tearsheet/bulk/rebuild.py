"""The books of a whole lake, by an engine, published at the end."""

import os

from msgspec import Struct

from tearsheet.bulk.lake import Lake
from tearsheet.bulk.pool import OnPart, make_parts
from tearsheet.bulk.run import BulkRun, publish
from tearsheet.errors import UsageError

LOCAL = "local"


class RebuildReport(Struct, frozen=True):
    """What a rebuild did: `made` parts of all; the others were there already."""

    lake: str
    run: str
    fills: int
    parts: int
    made: int
    tables: list[str]
    is_new: bool


def rebuild(
    address: str,
    *,
    engine: str = LOCAL,
    processes: int | None = None,
    has_rows: bool = True,
    has_total: bool = False,
    on_part: OnPart = lambda part, fills: None,
) -> RebuildReport:
    """Make and publish the books of a lake; what an earlier call has made of the same fills is kept.

    0 processes are this one. Raises UsageError for an unknown engine, NotFoundError, InputError.
    """
    if engine != LOCAL:
        raise UsageError(f"no engine {engine!r}", f"engines: {LOCAL}")
    lake = Lake.open(address)
    run = BulkRun.of(lake, has_rows=has_rows, has_total=has_total)
    missing = run.missing(lake)
    count = (os.cpu_count() or 1) if processes is None else processes
    make_parts(lake, run, missing, count, on_part)
    is_new = publish(lake, run)
    return RebuildReport(
        lake=lake.place.address,
        run=run.name,
        fills=lake.fills,
        parts=len(run.parts),
        made=len(missing),
        tables=list(run.tables),
        is_new=is_new,
    )
