"""Storage of fills from statements and requests: a fill is stored once, however often it is read."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import sub

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.columns.fill_columns import FillColumns, StatedFills
from tearsheet.store.tables.columns import FillRow, SightingRow, VariantRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.query_rows import FillNameRow
from tearsheet.store.tables.rows import LINE_BITS, fill_to_row
from tearsheet.store.write.claims import (
    SHARED_COLUMNS,
    Claim,
    ClaimFold,
    ClaimKind,
    ClaimStatus,
    claim_kind,
    conflict_rejection,
    finalize,
    fold_claims,
    has_same_content,
    is_identical,
    is_same_fill,
    variant_row,
)
from tearsheet.store.write.rebooking import StreamRebuilder
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, FillRevision, Rejection
from tearsheet.trade.session import EARLIEST, to_micros

#: Account and key of a fill.
FillName = tuple[str, str]
#: Account, symbol and time of fills.
Instant = tuple[str, str, int]
#: From this many fills on it is faster to insert them and see whether all are new than to query each.
_LEAST_ROWS = 100
_FILL_NAMES = ("id", "fill_id", "order_id", *FillColumns._fields)


class _ClaimRow(VariantRow, frozen=True, gc=False):
    """A line of an import with the content that it states for a fill, and the layout of its file."""

    status: ClaimKind
    fate: ClaimStatus
    layout: str


class ImportCounts(Struct):
    """Counts of an import's fills and events, and the range of time they span."""

    new: int = 0
    events: int = 0
    known: int = 0
    rejected: int = 0
    skipped: dict[str, int] = {}
    first_us: int | None = None
    last_us: int | None = None

    def count_new(self, fill: Fill) -> None:
        """Count a new fill or event."""
        if isinstance(fill, Event):
            self.events += 1
        else:
            self.new += 1

    def extend_time_range(self, time_us: int) -> None:
        """Extend the range of time by an instant."""
        self.first_us = time_us if self.first_us is None else min(self.first_us, time_us)
        self.last_us = time_us if self.last_us is None else max(self.last_us, time_us)


class _PendingRows(Struct):
    """Rows of an import's chunk that are not written yet."""

    source_id: int
    file: str
    is_posted: bool
    existing: dict[FillName, FillRow]
    last_ranks: dict[Instant, int | None]
    fresh: dict[FillName, FillRow] = {}
    sightings: dict[tuple[int, int], SightingRow] = {}
    variants: dict[tuple[int, FillName], VariantRow] = {}
    conflicts: list[Rejection] = []
    #: fills that were not stored before
    opened: list[Fill] = []

    def previous(self, name: FillName) -> FillRow | None:
        """Return the row of a fill that is stored or about to be."""
        return self.fresh.get(name) or self.existing.get(name)

    def add_sighting(self, line: int, fill_id: int, rank: int) -> None:
        """Record a line that contains a stored fill."""
        sighting = SightingRow(source_id=self.source_id, line=line, fill_id=fill_id, rank=rank)
        self.sightings[line, fill_id] = sighting

    def add_variant(self, line: int, status: ClaimStatus, row: FillRow) -> None:
        """Record a line with other content than the stored fill."""
        name = (row.account, row.key)
        self.variants.setdefault((line, name), variant_row(self.source_id, line, "fill", status, row))

    def ranked(self, row: FillRow) -> FillRow:
        """Return a posted fill ranked after the stored fills of its instrument and instant."""
        last = self.last_ranks.get(instant_of(row))
        return row if last is None else replace(row, rank=last + 1 + row.rank)


class FillImporter:
    """Storage of fills from statements and requests inside one transaction."""

    def __init__(self, queries: Queries, streams: StreamRebuilder) -> None:
        self._queries = queries
        self._streams = streams
        #: new fills by import; a fill's id is its import × 2^32 + its number
        self._counts: Counter[int] = Counter()
        #: fills with a correction or bust; all of their claims are processed
        self._superseded: set[FillName] = superseded_names(queries)
        #: time of the last fill that an import states, by import and account
        self.latest: dict[tuple[int, str], int] = {}

    def add(
        self,
        source_id: int,
        file: str,
        lines: Iterable[tuple[int, Fill]],
        counts: ImportCounts,
        *,
        is_posted: bool = False,
    ) -> list[Rejection]:
        """Store fills of an import; return rejections of those that contradict a stored fill.

        Posted fills of one instrument and instant are ranked in the order of their arrival.
        """
        chunk = list(lines)
        self._note_times(source_id, chunk)
        if not is_posted and len(chunk) >= _LEAST_ROWS and self._add_new(source_id, chunk, counts):
            return []
        ranks = self._last_ranks(chunk) if is_posted else {}
        pending = _PendingRows(source_id, file, is_posted, self._existing(chunk), ranks)
        for line, fill in chunk:
            counts.extend_time_range(to_micros(fill.time))
            name = (fill.account, fill.key)
            if isinstance(fill, FillRevision) or name in self._superseded:
                self._superseded.add(name)
                row = fill_to_row(0, fill, None)
                self._apply_claim(pending, Claim(source_id, line, claim_kind(fill), is_posted, row), counts)
            elif (before := pending.previous(name)) is None:
                self._insert(pending, line, name, fill)
                counts.count_new(fill)
            else:
                self._handle_existing(pending, line, before, fill, counts)
        self._write(pending)
        if is_posted:  # their ranks may differ, and other fills of their instant may follow
            for fill in pending.opened:
                self._streams.mark_posted(fill)
        else:
            self._streams.add_new(pending.opened)
        return pending.conflicts

    def add_columns(
        self, source_id: int, file: str, fills: StatedFills, counts: ImportCounts
    ) -> list[Rejection]:
        """Store fills of an import that are given as columns; return rejections as `add` does."""
        columns, count = fills.columns, len(fills.lines)
        names = self._superseded
        if names and not names.isdisjoint(zip(columns.account, columns.key, strict=True)):
            return self.add(source_id, file, fills.numbered(), counts)
        last = self._last_id(source_id)
        ids = range(last + 1, last + count + 1)
        closes = [mark or None for mark in columns.closes]
        own = (ids, fills.fill_ids, fills.order_ids, *columns._replace(closes=closes))
        if not self._queries.add_columns_if_new(FillRow, _FILL_NAMES, own):
            self._queries.execute("remove_fills_of_source", (last, last + count + 1))
            return self.add(source_id, file, fills.numbered(), counts)
        self._counts[source_id] += count
        in_time = sorted(zip(columns.time_us, columns.account, strict=True))
        for account, time_us in {account: time_us for time_us, account in in_time}.items():
            self._note_time((source_id, account), time_us)
        self._see_lines(source_id, fills.lines, last)
        counts.new += count
        counts.extend_time_range(min(columns.time_us))
        counts.extend_time_range(max(columns.time_us))
        self._streams.add_columns(fills, ids)
        return []

    def _see_lines(self, source_id: int, lines: Sequence[int], last: int) -> None:
        """Record the lines of fills whose ids follow on `last`: neighbours together, which the database copies."""
        shifts = list(map(sub, lines, range(last + 1, last + len(lines) + 1)))
        start = 0
        while start < len(lines):
            end = bisect_right(shifts, shifts[start], start)
            run = (source_id, shifts[start], last + start, last + end)
            self._queries.execute("add_sightings_of_lines", run)
            start = end

    def _add_new(self, source_id: int, chunk: Sequence[tuple[int, Fill]], counts: ImportCounts) -> bool:
        """Insert a chunk of fills if all of them are new, which the insert itself detects."""
        fills = [fill for _, fill in chunk]
        kinds = Counter(map(type, fills))
        if FillRevision in kinds or self._has_superseded(chunk):
            return False
        last = self._last_id(source_id)
        new = [fill_to_row(n, fill, None) for n, fill in enumerate(fills, last + 1)]
        if not self._queries.add_if_new(FillRow, new):
            self._queries.execute("remove_fills_of_source", (last, last + len(new) + 1))
            return False
        self._counts[source_id] += len(new)
        sightings = [
            SightingRow(source_id, line, row.id, row.rank) for (line, _), row in zip(chunk, new, strict=True)
        ]
        self._queries.add(SightingRow, sightings)
        counts.events += kinds[Event]
        counts.new += len(fills) - kinds[Event]
        times = [row.time_us for row in new]
        counts.extend_time_range(min(times))
        counts.extend_time_range(max(times))
        self._streams.add_new(fills, new)
        return True

    def _note_times(self, source_id: int, chunk: Sequence[tuple[int, Fill]]) -> None:
        last: dict[str, datetime] = {}
        for _, fill in chunk:
            if fill.time > last.get(fill.account, EARLIEST):
                last[fill.account] = fill.time
        for account, at in last.items():
            self._note_time((source_id, account), to_micros(at))

    def _note_time(self, name: tuple[int, str], time_us: int) -> None:
        self.latest[name] = max(time_us, self.latest.get(name, 0))

    def _has_superseded(self, chunk: Sequence[tuple[int, Fill]]) -> bool:
        names = self._superseded
        return bool(names) and any((fill.account, fill.key) in names for _, fill in chunk)

    def _insert(self, pending: _PendingRows, line: int, name: FillName, fill: Fill) -> None:
        row = fill_to_row(self._new_id(pending.source_id), fill, None)
        if pending.is_posted:
            row = pending.ranked(row)
        pending.fresh[name] = row
        pending.add_sighting(line, row.id, fill.rank)
        pending.opened.append(fill)

    def _handle_existing(
        self, pending: _PendingRows, line: int, before: FillRow, fill: Fill, counts: ImportCounts
    ) -> None:
        row = fill_to_row(before.id, fill, None)
        if is_same_fill(before, row):
            self._confirm(pending, line, before, row)
            counts.known += 1
        else:
            pending.add_variant(line, "refused", row)
            pending.conflicts.append(conflict_rejection(pending.file, line, row, before))

    def _confirm(self, pending: _PendingRows, line: int, before: FillRow, row: FillRow) -> None:
        """Record that a stored fill was read again. The highest of its ranks in files is used."""
        pending.add_sighting(line, before.id, row.rank)
        if not has_same_content(row, before):
            pending.add_variant(line, "stands", row)
        if row.rank <= before.rank or pending.is_posted:
            return
        name, ranked = (row.account, row.key), replace(before, rank=row.rank)
        if name in pending.fresh:
            pending.fresh[name] = ranked
        else:
            pending.existing[name] = ranked
            self._queries.detach_bookings(before.id, before.id + 1)
            self._queries.execute("set_rank", (row.rank, before.id))
        self._streams.mark_dirty(row.account, row.symbol, row.time_us)

    def _apply_claim(self, pending: _PendingRows, claim: Claim, counts: ImportCounts) -> None:
        """Process a claim about a fill that has corrections or busts, together with its other claims."""
        self._write(pending)
        name = (claim.row.account, claim.row.key)
        earlier = load_claims(self._queries, [name])[name]
        before = self._row(name)
        fold = fold_claims(earlier, before)
        status = fold.add(claim, pending.ranked(claim.row) if claim.is_posted else claim.row)
        if status == "refused":
            pending.add_variant(claim.line, "refused", claim.row)
            against = before or fold.versions[-1]
            pending.conflicts.append(conflict_rejection(pending.file, claim.line, claim.row, against))
        elif fold.row == before and any(is_same_fill(one.row, claim.row) for one in earlier):
            counts.known += 1
        else:
            counts.new += 1
        outcome = [finalize(one, one.status, fold.row) for one in earlier]
        outcome.append(finalize(claim, status, fold.row))
        if status != "refused":
            self.upsert(name, before, fold, outcome)
            pending.existing.pop(name, None)
            if (row := self._row(name)) is not None:
                pending.existing[name] = row

    def upsert(
        self, name: FillName, before: FillRow | None, fold: ClaimFold, outcome: Sequence[Claim]
    ) -> None:
        """Replace a stored fill, and the sightings and variants of its claims."""
        if before is not None:
            self._queries.detach_bookings(before.id, before.id + 1)
            self._queries.execute("remove_sightings_of_fill", (before.id,))
            self._queries.execute("remove_fill", (before.id,))
            self._streams.mark_linked(before)
            self._streams.mark_dirty(before.account, before.symbol, before.time_us)
        self._queries.execute("remove_variants", name)
        identity = 0
        if fold.row is not None:
            keeps_id = before is not None and before.id >> LINE_BITS == fold.first_source_id
            identity = before.id if before is not None and keeps_id else self._new_id(fold.first_source_id)
            self._queries.add(FillRow, [replace(fold.row, id=identity, record_id=None)])
            self._streams.mark_dirty(fold.row.account, fold.row.symbol, fold.row.time_us)
        variants: dict[tuple[int, int], VariantRow] = {}
        sightings: dict[tuple[int, int], SightingRow] = {}
        for one in outcome:
            place = (one.source_id, one.line)
            if one.status == "stands" and identity:
                sightings[place] = SightingRow(
                    source_id=one.source_id, line=one.line, fill_id=identity, rank=one.row.rank
                )
            if not is_identical(one, fold.row):
                variants.setdefault(place, variant_row(*place, one.kind, one.status, one.row))
        self._queries.add(SightingRow, sightings.values())
        self._queries.add(VariantRow, variants.values())

    def _write(self, pending: _PendingRows) -> None:
        self._queries.add(FillRow, pending.fresh.values())
        self._queries.add(SightingRow, pending.sightings.values())
        self._queries.add(VariantRow, pending.variants.values())
        pending.existing.update(pending.fresh)
        pending.fresh, pending.sightings, pending.variants = {}, {}, {}

    def _row(self, name: FillName) -> FillRow | None:
        return self._queries.row(FillRow, "fill_of_key", name)

    def _new_id(self, source_id: int) -> int:
        identity = self._last_id(source_id) + 1
        self._counts[source_id] += 1
        return identity

    def _last_id(self, source_id: int) -> int:
        start = source_id << LINE_BITS
        if source_id not in self._counts:
            last = self._queries.value("last_fill_of_source", (start, (source_id + 1) << LINE_BITS))
            self._counts[source_id] = 0 if last is None else last - start
        return start | self._counts[source_id]

    def _existing(self, chunk: Sequence[tuple[int, Fill]]) -> dict[FillName, FillRow]:
        """Return the stored fills of a chunk, by account and key."""
        return stored_fills(self._queries, list({(fill.account, fill.key): None for _, fill in chunk}))

    def _last_ranks(self, chunk: Sequence[tuple[int, Fill]]) -> dict[Instant, int | None]:
        """Return the last stored rank at each instant of posted fills."""
        instants = [(fill.account, fill.symbol, to_micros(fill.time)) for _, fill in chunk]
        found = self._queries.values_each("last_rank_at", instants)
        return {instant: next(iter(ranks), None) for instant, ranks in zip(instants, found, strict=True)}


def instant_of(row: FillRow) -> Instant:
    """Return the account, symbol and time of a fill."""
    return row.account, row.symbol, row.time_us


def superseded_names(queries: Queries) -> set[FillName]:
    """Return the fills that have a correction, a bust or a superseded claim."""
    return {(row.account, row.key) for row in queries.rows(FillNameRow, "superseded_names")}


def stored_fills(queries: Queries, names: Sequence[FillName]) -> dict[FillName, FillRow]:
    """Return the stored rows of fills, by account and key."""
    found = queries.rows_each(FillRow, "fill_of_key", names)
    return {name: row for name, matches in zip(names, found, strict=True) for row in matches}


def load_claims(queries: Queries, names: Sequence[FillName]) -> dict[FillName, list[Claim]]:
    """Return the claims about each fill, in the order in which the lines were read."""
    sightings = queries.rows_each(_ClaimRow, "sightings_of_key", names)
    variants = queries.rows_each(_ClaimRow, "variants_of_key", names)
    claims = {}
    for name, identical, different in zip(names, sightings, variants, strict=True):
        by_place = {(row.source_id, row.line): _claim(row) for row in (*identical, *different)}
        claims[name] = [claim for _, claim in sorted(by_place.items())]
    return claims


def _claim(row: _ClaimRow) -> Claim:
    content = {name: getattr(row, name) for name in SHARED_COLUMNS}
    fill = FillRow(id=0, record_id=None, **content)
    return Claim(row.source_id, row.line, row.status, row.layout == "api", fill, row.fate)


def existing_fills(queries: Queries, file: str, lines: Sequence[tuple[int, Fill]]) -> list[Rejection | bool]:
    """Return for each fill whether it is stored, or a rejection if its id is stored with other content."""
    names = [(fill.account, fill.key) for _, fill in lines]
    superseded = superseded_names(queries)
    claims = load_claims(queries, [name for name in names if name in superseded])
    stored = stored_fills(queries, names)
    return [
        _existing_or_conflict(file, line, fill, stored.get(name), claims.get(name, []))
        for name, (line, fill) in zip(names, lines, strict=True)
    ]


def _existing_or_conflict(
    file: str, line: int, fill: Fill, stored: FillRow | None, earlier: Sequence[Claim]
) -> Rejection | bool:
    row = fill_to_row(0, fill, None)
    if not earlier and not isinstance(fill, FillRevision):
        return stored is not None and (
            is_same_fill(stored, row) or conflict_rejection(file, line, row, stored)
        )
    fold = fold_claims(earlier, stored)
    if fold.add(Claim(0, line, claim_kind(fill), True, row), row) == "refused":
        return conflict_rejection(file, line, row, stored or fold.versions[-1])
    return fold.row == stored and any(is_same_fill(one.row, row) for one in earlier)
