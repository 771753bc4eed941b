"""A ledger's fills, written into a lake."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct

from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.context import LedgerContext
from tearsheet.bulk.arrow import pa, pq
from tearsheet.bulk.fill_schema import FILLS, bucket_of
from tearsheet.bulk.lake import (
    BATCH_ROWS,
    MANIFEST,
    SOURCES,
    Lake,
    LakeFile,
    LakeManifest,
    LakeRules,
    LakeSource,
    encode,
)
from tearsheet.bulk.place import LakePlace
from tearsheet.bulk.run import bucket_part
from tearsheet.columns.fill_columns import FillColumns
from tearsheet.errors import InputError, UsageError
from tearsheet.store.kept_accounts import kept_accounts
from tearsheet.store.tables.ledger import Ledger

DEFAULT_BUCKETS = 16
#: What a lake of fills cannot say, by the query that finds it.
_BEYOND = {
    "any_event": "events, or accounts that hold both sides at once",
    "any_leg": "round trips whose two sides were stated together",
    "any_log_stream": "results of a trade log, which are no executions",
    "any_gap": "books that lack something, as `tearsheet summary` says",
}


class LakeReport(Struct, frozen=True):
    """What was written."""

    lake: str
    source: str
    buckets: int
    accounts: int
    fills: int
    files: int
    is_new: bool


def write_ledger(
    context: LedgerContext,
    address: str,
    buckets: int | None = None,
    on_fills: Callable[[int], None] = lambda n: None,
) -> LakeReport:
    """Write all fills of a ledger into a lake, which is made if it is missing; what it had of this ledger goes.

    Raises InputError for a ledger with more than fills, UsageError where the lake has other rules or buckets.
    """
    ledger = context.ledger
    with ledger.snapshot():
        _check_fills_alone(context)
        lake = _open_or_make(address, _rules(context), buckets)
        source = LakeSource(
            name=ledger.identity[:16],
            label=ledger.name,
            revision=ledger.revision,
            currency=context.settings.currency,
            starting_balance=context.settings.starting_balance,
            accounts=[],
            terms=kept_accounts(ledger),
            files=[],
        )
        return put_source(lake, source, map(arrow_fills, _told(ledger, on_fills)))


def put_source(lake: Lake, source: LakeSource, tables: Iterator[Any]) -> LakeReport:
    """Put the fills of a source, which come in order, into a lake; `source` states neither accounts nor files."""
    with TemporaryDirectory() as folder, ExitStack() as opened:
        writers = _BucketWriters(Path(folder), lake.manifest.buckets, opened)
        for table in tables:
            writers.add(table)
        writers.close()
        opened.close()
        for other in lake.sources:
            shared = writers.accounts.intersection(other.accounts) if other.name != source.name else ()
            for account in sorted(shared):
                raise InputError(
                    f"account {account!r} of {source.label} is in the lake already, of {other.label}",
                    "an account belongs to one source; rename one of the two",
                )
        files = writers.put(lake, source.name)
    written = _with(source, sorted(writers.accounts), files)
    return _commit(lake, written)


def _commit(lake: Lake, source: LakeSource) -> LakeReport:
    """Name the files of a source, which makes them count, and remove those of before."""
    name = f"{SOURCES}/{source.name}.json"
    before = {file.name for one in lake.sources if one.name == source.name for file in one.files}
    data = encode(source)
    is_new = lake.place.read(name) != data
    if is_new:
        lake.place.put(name, data)
    for old in sorted(before - {file.name for file in source.files}):
        lake.place.remove(old)
    return LakeReport(
        lake=lake.place.address,
        source=source.name,
        buckets=lake.manifest.buckets,
        accounts=len(source.accounts),
        fills=source.fills,
        files=len(source.files),
        is_new=is_new,
    )


def _with(source: LakeSource, accounts: list[str], files: list[LakeFile]) -> LakeSource:
    fields = {name: getattr(source, name) for name in source.__struct_fields__}
    return LakeSource(**{**fields, "accounts": accounts, "files": files})


class _BucketWriters:
    """A Parquet file for each bucket that has fills, in a folder of this machine."""

    def __init__(self, folder: Path, buckets: int, opened: ExitStack) -> None:
        self.accounts: set[str] = set()
        self._folder, self._buckets, self._opened = folder, buckets, opened
        self._numbers: dict[str, int] = {}
        self._writers: dict[int, Any] = {}
        self._rows: dict[int, int] = {}
        self._held: dict[int, list[Any]] = {}

    def add(self, table: Any) -> None:
        """Add a table of fills."""
        coded = table.column("account").combine_chunks().dictionary_encode()
        names = coded.dictionary.to_pylist()
        self.accounts.update(names)
        numbers = pa.array([bucket_of(name, self._buckets) for name in names], pa.int32())
        of_row = numbers.take(coded.indices)
        for number in sorted(set(numbers.to_pylist())):
            part = table.filter(pa.compute.equal(of_row, number))
            self._held.setdefault(number, []).append(part)
            self._rows[number] = self._rows.get(number, 0) + part.num_rows
            if sum(one.num_rows for one in self._held[number]) >= BATCH_ROWS:
                self._flush(number)

    def _flush(self, number: int) -> None:
        if number not in self._writers:
            writer = pq.ParquetWriter(self._folder / f"{number}.parquet", FILLS, compression="zstd")
            self._writers[number] = self._opened.enter_context(writer)
        self._writers[number].write_table(pa.concat_tables(self._held.pop(number)).combine_chunks())

    def put(self, lake: Lake, source: str) -> list[LakeFile]:
        """Put the files into a lake; a name has the digest of what is in it, so no file is ever changed."""
        files = []
        for number in sorted(self._writers):
            data = (self._folder / f"{number}.parquet").read_bytes()
            digest = sha256(data).hexdigest()
            name = f"fills/{bucket_part(number)}/{source}-{digest[:12]}.parquet"
            lake.place.put(name, data)
            files.append(LakeFile(name, number, self._rows[number], digest))
        return files

    def close(self) -> None:
        """Write what is held."""
        for number in list(self._held):
            self._flush(number)


def _check_fills_alone(context: LedgerContext) -> None:
    """Raise InputError for a ledger whose books are made of more than its fills."""
    ledger = context.ledger
    beyond = [words for query, words in _BEYOND.items() if ledger.queries.exists(query)]
    if not booking_rules_from(context.settings, ledger).fees.is_empty:
        beyond.append("a fee schedule")
    own = [
        name
        for name, terms in kept_accounts(ledger).accounts.items()
        if terms.timezone or terms.day_starts_at
    ]
    if own:
        beyond.append(f"accounts with a trading day of their own: {', '.join(own)}")
    if context.calendars.own:
        beyond.append("accounts with a calendar of their own")
    if beyond:
        raise InputError(
            f"the ledger {ledger.name} has more than fills: {'; '.join(beyond)}",
            "a lake holds fills alone; keep these accounts in a ledger of their own",
        )


def _rules(context: LedgerContext) -> LakeRules:
    settings = context.settings
    return LakeRules(
        timezone=settings.timezone,
        day_starts_at=settings.day_starts_at.isoformat("minutes"),
        breakeven_band=settings.breakeven_band,
        breakeven_breaks_streak=settings.breakeven_streak == "break",
    )


def _open_or_make(address: str, rules: LakeRules, buckets: int | None) -> Lake:
    place = LakePlace(address)
    wanted = LakeManifest(buckets=buckets or DEFAULT_BUCKETS, rules=rules)
    if place.read(MANIFEST) is None:
        place.put(MANIFEST, encode(wanted))
    lake = Lake.open(address)
    found = lake.manifest
    if buckets not in (None, found.buckets):
        raise UsageError(
            f"{place.path(MANIFEST)}: buckets is {found.buckets}, not {buckets}",
            "the number of buckets is for the life of a lake; write another lake",
        )
    for name in rules.__struct_fields__:
        here, there = getattr(rules, name), getattr(found.rules, name)
        if here != there:
            raise UsageError(
                f"{place.path(MANIFEST)}: {name} is {there}, that of the ledger {here}",
                "all ledgers of a lake have the same rules; write another lake",
            )
    return lake


def _told(ledger: Ledger, on_fills: Callable[[int], None]) -> Iterator[FillColumns]:
    for columns in ledger.queries.fill_columns():
        yield columns
        on_fills(len(columns.key))


def arrow_fills(columns: FillColumns) -> Any:
    """Return columns of fills as a table of the lake."""
    lists = columns._asdict()
    lists["time"] = pa.array(lists.pop("time_us"), pa.int64()).cast(FILLS.field("time").type)
    lists["closes"] = list(map(bool, columns.closes))
    return pa.table([lists[name] for name in FILLS.names], schema=FILLS)
