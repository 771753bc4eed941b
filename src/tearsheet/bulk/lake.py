"""A lake: fills as Parquet, one folder for each bucket of accounts, and what says how to book them.

`lake.json` has the version, the number of buckets and the rules of the books. `sources/NAME.json` names the files
that belong to one source, such as a ledger; files that none names do not count, so that a write is there whole or not
at all.
"""

from collections.abc import Iterator, Sequence
from datetime import time
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from tearsheet.bulk.arrow import pa, pc
from tearsheet.bulk.fill_schema import FILLS, FILLS_VERSION, NAMED, check_columns, check_values
from tearsheet.bulk.place import LakePlace
from tearsheet.columns.exact_lane import FoldRules
from tearsheet.errors import InputError, NotFoundError, SchemaError
from tearsheet.settings import exchange_holidays
from tearsheet.store.kept_accounts import KeptAccounts
from tearsheet.trade.session import TradingCalendar

MANIFEST = "lake.json"
SOURCES = "sources"
#: Fills that are read and folded at once.
BATCH_ROWS = 65_536
#: Ranks from here on are lines of a trade log, which come before symbols in the order.
_LOG_RANK = 1 << 32
_ORDER = [(name, "ascending") for name in ("time", "account", "log_place", "symbol", "rank", "key")]


class LakeRules(Struct, frozen=True, kw_only=True):
    """How the books of a lake are made."""

    timezone: str
    day_starts_at: str
    breakeven_band: Decimal
    breakeven_breaks_streak: bool

    @property
    def calendar(self) -> TradingCalendar:
        """Return the calendar of all accounts that state none of their own."""
        return TradingCalendar(
            ZoneInfo(self.timezone), time.fromisoformat(self.day_starts_at), exchange_holidays()
        )

    @property
    def fold_rules(self) -> FoldRules:
        """Return the rules of a fold."""
        return FoldRules(self.calendar, self.breakeven_band, self.breakeven_breaks_streak)


class LakeManifest(Struct, frozen=True, kw_only=True):
    """What holds for the whole lake."""

    schema: int = FILLS_VERSION
    buckets: int
    rules: LakeRules


class LakeFile(Struct, frozen=True):
    """A file of fills of one bucket, in the order in which they are folded."""

    name: str
    bucket: int
    rows: int
    sha256: str


class LakeSource(Struct, frozen=True, kw_only=True):
    """What one writer put into the lake, with the terms of its accounts."""

    name: str
    label: str
    revision: int
    currency: str
    starting_balance: Decimal | None
    accounts: list[str]
    terms: KeptAccounts
    files: list[LakeFile]

    @property
    def fills(self) -> int:
        """Return the number of fills."""
        return sum(file.rows for file in self.files)


class FillBatch(NamedTuple):
    """Fills of a file, or of several that were merged, in order; `files` are for messages."""

    files: str
    rows: Any


class Lake:
    """An open lake."""

    def __init__(self, place: LakePlace, manifest: LakeManifest) -> None:
        self.place, self.manifest = place, manifest
        self.sources: list[LakeSource] = self._read_sources()

    @classmethod
    def open(cls, address: str) -> "Lake":
        """Open a lake. Raises NotFoundError, InputError, SchemaError."""
        place = LakePlace(address)
        data = place.read(MANIFEST)
        if data is None:
            raise NotFoundError(
                f"no lake at {place.address}: {MANIFEST} is missing",
                "`tearsheet bulk write --lake PLACE` makes one of a ledger",
            )
        version = decode(place, MANIFEST, data, _Version).schema
        if version != FILLS_VERSION:
            raise SchemaError(
                f"{place.path(MANIFEST)}: schema is {version}, this version reads {FILLS_VERSION}",
                "update Tearsheet" if version > FILLS_VERSION else "write the lake anew",
            )
        return cls(place, decode(place, MANIFEST, data, LakeManifest))

    def _read_sources(self) -> list[LakeSource]:
        return [
            decode(self.place, name, self.place.read(name) or b"", LakeSource)
            for name in self.place.names(SOURCES)
        ]

    @property
    def state(self) -> str:
        """Return a digest of the rules and of all that the sources name."""
        return sha256(encode([self.manifest, self.sources])).hexdigest()[:16]

    @property
    def fills(self) -> int:
        """Return the number of fills."""
        return sum(source.fills for source in self.sources)

    def source_of(self, account: str) -> LakeSource:
        """Return the source that has an account. Raises NotFoundError."""
        for source in self.sources:
            if account in source.accounts:
                return source
        raise NotFoundError(
            f"no account {account!r}", f"{self.place.address} has {len(self.accounts):,} accounts"
        )

    @property
    def accounts(self) -> list[str]:
        """Return the names of all accounts, sorted."""
        return sorted(account for source in self.sources for account in source.accounts)

    def bucket_files(self, buckets: Sequence[int], source: str | None = None) -> list[LakeFile]:
        """Return the files of some buckets, of one source or all."""
        chosen = frozenset(buckets)
        sources = (one for one in self.sources if source in (None, one.name))
        return [file for one in sources for file in one.files if file.bucket in chosen]

    def batches(self, buckets: Sequence[int], source: str | None = None) -> Iterator[FillBatch]:
        """Yield the fills of buckets, of one source or all, in the order in which they are folded.

        Raises InputError.
        """
        files = self.bucket_files(buckets, source)
        streams = [_FileStream(file.name, self._file_batches(file)) for file in files]
        if len(streams) == 1:
            for rows in streams[0].batches:
                yield FillBatch(self.place.path(files[0].name), rows)
            return
        names = f"{len(files)} files of {self.place.address}"
        for rows in _merged(streams):
            yield FillBatch(names, rows)

    def _file_batches(self, file: LakeFile) -> Iterator[Any]:
        """Yield checked record batches of a file."""
        path, rows = self.place.path(file.name), 0
        opened = self.place.parquet(file.name, NAMED)
        check_columns(path, opened.schema_arrow)
        for batch in opened.iter_batches(batch_size=BATCH_ROWS, columns=FILLS.names):
            check_values(path, batch, file.bucket, self.manifest.buckets)
            rows += batch.num_rows
            yield batch
        if rows != file.rows:
            raise InputError(
                f"{path}: {rows:,} rows, where its source states {file.rows:,}",
                "another program changed the file; write the source anew",
            )


class _Version(Struct):
    schema: int


class _FileStream:
    """Batches of one file, and the part of them that was not given out yet."""

    def __init__(self, name: str, batches: Iterator[Any]) -> None:
        self.name, self.batches = name, batches
        self.held: Any = None
        self.is_over = False

    def fill(self) -> None:
        """Read on if nothing is held."""
        while not self.is_over and (self.held is None or not self.held.num_rows):
            self.held = next(self.batches, None)
            self.is_over = self.held is None

    def take_before(self, end: Any) -> Any:
        """Give out what is before an instant, or all."""
        held = self.held
        count = held.num_rows
        if end is not None:
            count = pc.sum(pc.less(held.column("time"), end)).as_py() or 0
        self.held = held.slice(count)
        return held.slice(0, count)


def _merged(streams: Sequence[_FileStream]) -> Iterator[Any]:
    """Merge streams that are in order of time; no more is in memory than a batch of each."""
    while True:
        for stream in streams:
            stream.fill()
        going = [stream for stream in streams if not stream.is_over]
        if not going:
            return
        end = min((stream.held.column("time")[-1] for stream in going), key=_micros)
        parts = [stream.take_before(end) for stream in going]
        if not any(
            part.num_rows for part in parts
        ):  # all of the next instant, which may go on in further batches
            parts = list(_of_instant(going, end))
        yield from _in_order(parts)


def _of_instant(streams: Sequence[_FileStream], instant: Any) -> Iterator[Any]:
    """Yield everything of one instant, over as many batches as it has."""
    after = pc.add(instant, pa.scalar(1, pa.duration("us")))
    for stream in streams:
        while not stream.is_over and _micros(stream.held.column("time")[0]) == _micros(instant):
            yield stream.take_before(after)
            stream.fill()


def _in_order(parts: Sequence[Any]) -> Iterator[Any]:
    plain = [pa.Table.from_batches([part]).select(FILLS.names).cast(FILLS) for part in parts if part.num_rows]
    yield from sorted_fills(pa.concat_tables(plain)).to_batches(max_chunksize=BATCH_ROWS)


def sorted_fills(table: Any) -> Any:
    """Return fills in the order in which they are folded."""
    rank = table.column("rank")
    log_place = pc.if_else(pc.greater_equal(rank, _LOG_RANK), rank, 0)
    keyed = table.append_column("log_place", log_place)
    return table.take(pc.sort_indices(keyed, sort_keys=_ORDER)).combine_chunks()


def _micros(scalar: Any) -> int:
    return int(scalar.value)


def encode(value: Any) -> bytes:
    """Return JSON with sorted keys, the same for the same value."""
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2) + b"\n"


def decode(place: LakePlace, name: str, data: bytes, kind: type[Any]) -> Any:
    """Read JSON of a lake. Raises InputError with file, key and what is wrong there."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise InputError(
            f"{place.path(name)}: {error}", "write the lake anew, or restore the file"
        ) from error
