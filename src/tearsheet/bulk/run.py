"""A run: the books of one state of a lake, written part by part and published when all parts are there.

A run has the digest of what it is made of as its name, so that the same lake gives the same files. A part is there
when its mark is, which is written after its files; whoever comes later, after a kill too, makes the missing parts only.
"""

from hashlib import sha256
from typing import Any

from msgspec import Struct

from tearsheet import __version__
from tearsheet.bulk.arrow import pa, pq
from tearsheet.bulk.books import BookName, PartBooks, fold_part
from tearsheet.bulk.lake import Lake, decode, encode
from tearsheet.errors import InputError, NotFoundError

PUBLISHED = "published.json"
RUNS = "runs"
#: The part that has the tallies of all accounts together.
TOTAL = "total"
_ROW_GROUP = 65_536


class BookFile(Struct, frozen=True):
    """A file of books."""

    name: str
    rows: int
    sha256: str


class PartMark(Struct, frozen=True):
    """What says that a part is complete."""

    part: str
    fills: int
    files: dict[str, BookFile]


class BulkRun(Struct, frozen=True, kw_only=True):
    """What a run is made of, and its parts; `tables` are what it writes of each."""

    name: str
    state: str
    tables: list[BookName]
    parts: list[str]

    @classmethod
    def of(cls, lake: Lake, *, has_rows: bool, has_total: bool) -> "BulkRun":
        """Return the run of a lake as it is now."""
        tables: list[BookName] = ["tallies", "bookings", "positions"] if has_rows else ["tallies"]
        numbers = sorted({file.bucket for source in lake.sources for file in source.files})
        parts = [*([TOTAL] if has_total else []), *map(bucket_part, numbers)]
        name = sha256(encode([__version__, lake.state, tables])).hexdigest()[:16]
        return cls(name=name, state=lake.state, tables=tables, parts=parts)

    @property
    def has_rows(self) -> bool:
        """Return whether it has bookings and positions beside tallies."""
        return "bookings" in self.tables

    def file(self, table: str, part: str) -> str:
        """Return the name of a file of books."""
        return f"{RUNS}/{self.name}/{table}/{part}.parquet"

    def mark_file(self, part: str) -> str:
        """Return the name of the mark of a part."""
        return f"{RUNS}/{self.name}/{part}.json"

    def mark(self, lake: Lake, part: str) -> PartMark | None:
        """Return the mark of a part; None if it is not complete."""
        data = lake.place.read(self.mark_file(part))
        return None if data is None else decode(lake.place, self.mark_file(part), data, PartMark)

    def missing(self, lake: Lake) -> list[str]:
        """Return the parts that are not complete."""
        return [part for part in self.parts if self.mark(lake, part) is None]

    def table(self, lake: Lake, name: BookName, part: str) -> Any:
        """Read a table of a part. Raises NotFoundError for one that the run has not, InputError."""
        if name not in self.tables:
            raise NotFoundError(
                f"the books at {lake.place.address} have no {name}",
                "`tearsheet bulk rebuild` without --only-tallies writes them",
            )
        mark = self.mark(lake, part)
        file = self.file(name, part)
        if mark is None:
            raise InputError(
                f"{lake.place.path(self.mark_file(part))} is missing", "run `tearsheet bulk rebuild`"
            )
        table = lake.place.parquet(file).read()
        if table.num_rows != mark.files[name].rows:
            raise InputError(
                f"{lake.place.path(file)}: {table.num_rows:,} rows, where its mark states {mark.files[name].rows:,}",
                "another program changed the file; remove the folder of the run and rebuild",
            )
        return table


def bucket_part(bucket: int) -> str:
    """Return the name of the part of a bucket."""
    return f"bucket={bucket:04d}"


def bucket_number(part: str) -> int:
    """Return the bucket of a part."""
    return int(part.partition("=")[2])


def make_part(lake: Lake, run: BulkRun, part: str) -> PartMark:
    """Make the books of a part and write them. Raises InputError."""
    is_total = part == TOTAL
    buckets = range(lake.manifest.buckets) if is_total else [bucket_number(part)]
    rules = lake.manifest.rules.fold_rules
    made = fold_part(lake.batches(buckets), rules, has_rows=run.has_rows and not is_total, is_total=is_total)
    return write_part(lake, run, part, made)


def write_part(lake: Lake, run: BulkRun, part: str, made: PartBooks) -> PartMark:
    """Write the books of a part, and its mark after them."""
    files = {}
    for name, table in made.tables.items():
        data = parquet_bytes(table)
        lake.place.put(run.file(name, part), data)
        files[name] = BookFile(run.file(name, part), table.num_rows, sha256(data).hexdigest())
    mark = PartMark(part, made.fills, {str(name): file for name, file in files.items()})
    lake.place.put(run.mark_file(part), encode(mark))
    return mark


def parquet_bytes(table: Any) -> bytes:
    """Return a table as a Parquet file, the same for the same table."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=_ROW_GROUP)
    return bytes(sink.getvalue())


def publish(lake: Lake, run: BulkRun) -> bool:
    """Let readers have a run whose parts are all complete; return whether it was not published before."""
    missing = run.missing(lake)
    if missing:
        raise InputError(
            f"{len(missing)} parts of the run {run.name} are missing, the first is {missing[0]}",
            "run `tearsheet bulk rebuild` again: it makes the missing parts only",
        )
    data = encode(run)
    if lake.place.read(PUBLISHED) == data:
        return False
    lake.place.put(PUBLISHED, data)
    return True


def published_run(lake: Lake) -> BulkRun:
    """Return the published run. Raises NotFoundError without one, and where the lake has changed since."""
    data = lake.place.read(PUBLISHED)
    if data is None:
        raise NotFoundError(f"{lake.place.address} has no books", "`tearsheet bulk rebuild` makes them")
    run: BulkRun = decode(lake.place, PUBLISHED, data, BulkRun)
    if run.state != lake.state:
        raise NotFoundError(
            f"the books of {lake.place.address} are of an earlier state of its fills",
            "`tearsheet bulk rebuild` makes those of now",
        )
    return run
