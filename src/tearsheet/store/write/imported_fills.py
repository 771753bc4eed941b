"""Keeps the fills that statements and requests bring: a fill is kept once, however often it is read."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from tearsheet.store.tables import rows
from tearsheet.store.tables.queries import Queries
from tearsheet.store.write import claims
from tearsheet.store.write.claims import Claim, ClaimStatus, claim_kind, conflict_rejection, is_same_fill
from tearsheet.store.write.rebooking import StreamRebuilder
from tearsheet.trade.fill import Fill, FillRevision, Rejection
from tearsheet.trade.session import to_micros

FillName = tuple[str, str]
#: From so many fills on it is faster to see whether all are new than to ask for each.
_LEAST = 100


class ImportCounts(Struct):
    """What became of the fills of an import, and the instants that they span."""

    new: int = 0
    known: int = 0
    rejected: int = 0
    skipped: dict[str, int] = {}
    first_us: int | None = None
    last_us: int | None = None

    def extend_time_range(self, time_us: int) -> None:
        """Take in an instant."""
        self.first_us = time_us if self.first_us is None else min(self.first_us, time_us)
        self.last_us = time_us if self.last_us is None else max(self.last_us, time_us)


class _PendingRows(Struct):
    """What some lines of an import bring, until it is written."""

    source_id: int
    file: str
    is_posted: bool
    existing: dict[FillName, rows.Row]
    last_ranks: dict[tuple[str, str, int], int | None]
    fresh: dict[FillName, rows.Row] = {}
    sightings: dict[tuple[int, int], int] = {}
    variants: dict[tuple[int, FillName], rows.Row] = {}
    conflicts: list[Rejection] = []
    #: the fills that nobody had told of
    opened: list[Fill] = []

    def previous(self, name: FillName) -> rows.Row | None:
        """What is kept of a fill by now."""
        return self.fresh.get(name) or self.existing.get(name)

    def record(self, line: int, name: FillName, status: str, fate: ClaimStatus, said: rows.Row) -> None:
        """Remember what a line says in words of its own."""
        self.variants.setdefault((line, name), (self.source_id, line, status, fate, *said[1:18]))


class FillImporter:
    """The fills of one posting that come from statements or requests."""

    def __init__(self, queries: Queries, streams: StreamRebuilder) -> None:
        self._queries = queries
        self._streams = streams
        #: how many fills of each import were new; a fill's id is its import × 2^32 + that
        self._counts: Counter[int] = Counter()
        #: the fills that were corrected or busted; of these all that was claimed has to be asked
        self._superseded: set[FillName] = set(map(tuple, queries.execute("superseded_names")))

    def add(
        self,
        source_id: int,
        file: str,
        lines: Iterable[tuple[int, Fill]],
        counts: ImportCounts,
        *,
        is_posted: bool = False,
    ) -> list[Rejection]:
        """Keep the fills of an import; returns those that contradict a fill kept before.

        Posted fills of one instrument and instant stand in the order in which they arrive.
        """
        batch = list(lines)
        if not is_posted and len(batch) >= _LEAST and self._add_new(source_id, batch, counts):
            return []
        ranks = self._last_ranks(batch) if is_posted else {}
        stretch = _PendingRows(source_id, file, is_posted, self._existing(batch), ranks)
        for line, fill in batch:
            counts.extend_time_range(to_micros(fill.time))
            name = (fill.account, fill.key)
            if isinstance(fill, FillRevision) or name in self._superseded:
                self._superseded.add(name)
                said = rows.fill_to_row(0, fill, None)
                claim = Claim(source_id, line, claim_kind(fill), is_posted, said)
                self._apply_claim(stretch, claim, counts)
            elif stretch.previous(name) is None:
                self._insert(stretch, line, name, fill)
                counts.new += 1
            else:
                self._handle_existing(stretch, line, name, fill, counts)
        self._write(stretch)
        if is_posted:  # these may stand behind others of their instant, with other ranks
            for fill in stretch.opened:
                self._streams.mark_dirty(fill.account, fill.symbol, to_micros(fill.time))
        else:
            self._streams.add_new(stretch.opened)
        return stretch.conflicts

    def _add_new(self, source_id: int, batch: Sequence[tuple[int, Fill]], counts: ImportCounts) -> bool:
        """Keep a batch of fills of which none was told of before; False where one was.

        Nobody is asked beforehand: the fills go in, and the ledger says whether one was there.
        """
        if any(type(fill) is FillRevision for _, fill in batch) or self._has_superseded(batch):
            return False
        last = self._last_id(source_id)
        made = [rows.fill_to_row(n, fill, None) for n, (_, fill) in enumerate(batch, last + 1)]
        if not self._queries.insert_if_new("add_fill", made):
            self._queries.execute("remove_fills_of_source", (last, last + len(made) + 1))
            return False
        self._counts[source_id] += len(made)
        seen = [
            (source_id, line, row[0], row[claims.RANK]) for (line, _), row in zip(batch, made, strict=True)
        ]
        self._queries.execute_many("add_sighting", seen)
        counts.new += len(made)
        times = [row[claims.TIME] for row in made]
        counts.extend_time_range(min(times))
        counts.extend_time_range(max(times))
        self._streams.add_new([fill for _, fill in batch])
        return True

    def _has_superseded(self, batch: Sequence[tuple[int, Fill]]) -> bool:
        known = self._superseded
        return bool(known) and any((fill.account, fill.key) in known for _, fill in batch)

    def _insert(self, stretch: _PendingRows, line: int, name: FillName, fill: Fill) -> None:
        """Keep a fill that nobody has told of before."""
        row = rows.fill_to_row(self._new_id(stretch.source_id), fill, None)
        if stretch.is_posted:
            row = _with_rank(row, stretch)
        stretch.fresh[name] = row
        stretch.sightings[line, row[0]] = fill.rank
        stretch.opened.append(fill)

    def _handle_existing(
        self, stretch: _PendingRows, line: int, name: FillName, fill: Fill, counts: ImportCounts
    ) -> None:
        before, said = stretch.previous(name), rows.fill_to_row(0, fill, None)
        assert before is not None
        if is_same_fill(before, said):
            self._confirm(stretch, line, name, before, said)
            counts.known += 1
        else:
            stretch.record(line, name, "fill", "refused", said)
            stretch.conflicts.append(conflict_rejection(stretch.file, line, said, before))

    def _confirm(
        self, stretch: _PendingRows, line: int, name: FillName, before: rows.Row, said: rows.Row
    ) -> None:
        """A fill that is kept was read again. Of the ranks that files give it the highest counts."""
        stretch.sightings[line, before[0]] = said[claims.RANK]
        if before[6:18] != said[6:18]:
            stretch.record(line, name, "fill", "stands", said)
        if said[claims.RANK] <= before[claims.RANK] or stretch.is_posted:
            return
        row = (*before[:5], said[claims.RANK], *before[6:])
        if name in stretch.fresh:
            stretch.fresh[name] = row
        else:
            stretch.existing[name] = row
            self._queries.execute("set_rank", (said[claims.RANK], before[0]))
        self._streams.mark_dirty(said[1], said[2], said[4])

    def _apply_claim(self, stretch: _PendingRows, claim: Claim, counts: ImportCounts) -> None:
        """Judge a line where corrections and busts are about, by all that was claimed of its fill."""
        self._write(stretch)
        name = (claim.row[1], claim.row[3])
        told = load_claims(self._queries, [name])[name]
        before = self._row(name)
        fold = claims.fold_claims(told, before)
        said = _with_rank(claim.row, stretch) if claim.is_posted else claim.row
        fate = fold.add(claim, said)
        if fate == "refused":
            stretch.record(claim.line, name, "fill", "refused", claim.row)
            against = before or fold.versions[-1]
            stretch.conflicts.append(conflict_rejection(stretch.file, claim.line, claim.row, against))
        elif fold.row == before and any(is_same_fill(one.row, claim.row) for one in told):
            counts.known += 1
        else:
            counts.new += 1
        outcome = [claims.finalize(one, one.fate, fold.row) for one in told]
        outcome.append(claims.finalize(claim, fate, fold.row))
        if fate != "refused":
            self.upsert(name, before, fold, outcome)
            stretch.existing.pop(name, None)
            if (row := self._row(name)) is not None:
                stretch.existing[name] = row

    def upsert(
        self, name: FillName, before: rows.Row | None, fold: claims.ClaimFold, outcome: Sequence[Claim]
    ) -> None:
        """Write anew what is kept of a fill, and what each line said of it."""
        if before is not None:
            self._queries.execute("remove_sightings_of_fill", (before[0],))
            self._queries.execute("remove_fill", (before[0],))
            self._streams.mark_dirty(before[1], before[2], before[4])
        self._queries.execute("remove_variants", name)
        identity = 0
        if fold.row is not None:
            is_at_home = before is not None and before[0] >> rows.LINE_BITS == fold.first_source_id
            identity = before[0] if before is not None and is_at_home else self._new_id(fold.first_source_id)
            self._queries.execute("add_fill", (identity, *fold.row[1:18], None))
            self._streams.mark_dirty(fold.row[1], fold.row[2], fold.row[4])
        variants: dict[tuple[int, int], rows.Row] = {}
        sightings: dict[tuple[int, int], rows.Row] = {}
        for one in outcome:
            if one.fate == "stands" and identity:
                sightings[one.source_id, one.line] = (one.source_id, one.line, identity, one.row[5])
            if not claims.is_identical(one, fold.row):
                row = (one.source_id, one.line, one.status, one.fate, *one.row[1:18])
                variants.setdefault((one.source_id, one.line), row)
        self._queries.execute_many("add_sighting", sightings.values())
        self._queries.execute_many("add_variant", variants.values())

    def _write(self, stretch: _PendingRows) -> None:
        """Write what was gathered so far."""
        self._queries.execute_many("add_fill", stretch.fresh.values())
        seen = ((stretch.source_id, *where, rank) for where, rank in stretch.sightings.items())
        self._queries.execute_many("add_sighting", seen)
        self._queries.execute_many("add_variant", stretch.variants.values())
        stretch.existing.update(stretch.fresh)
        stretch.fresh, stretch.sightings, stretch.variants = {}, {}, {}

    def _row(self, name: FillName) -> rows.Row | None:
        return self._queries.fetch_one("fill_of_key", name)

    def _new_id(self, source_id: int) -> int:
        identity = self._last_id(source_id) + 1
        self._counts[source_id] += 1
        return identity

    def _last_id(self, source_id: int) -> int:
        if source_id not in self._counts:
            span = (source_id << rows.LINE_BITS, (source_id + 1) << rows.LINE_BITS)
            row = self._queries.fetch_one("last_fill_of_source", span)
            last = row[0] if row else None
            self._counts[source_id] = 0 if last is None else last - span[0]
        return source_id << rows.LINE_BITS | self._counts[source_id]

    def _existing(self, batch: Sequence[tuple[int, Fill]]) -> dict[FillName, rows.Row]:
        """Which fills of a batch were kept before, by account and key."""
        asked = list({(fill.account, fill.key): None for _, fill in batch})
        found = self._queries.execute_each("fill_of_key", asked)
        return {name: its[0] for name, its in zip(asked, found, strict=True) if its}

    def _last_ranks(self, batch: Sequence[tuple[int, Fill]]) -> dict[tuple[str, str, int], int | None]:
        """The last rank at each instant of posted fills."""
        places = [(fill.account, fill.symbol, to_micros(fill.time)) for _, fill in batch]
        found = self._queries.execute_each("last_rank_at", places)
        return {place: its[0][0] for place, its in zip(places, found, strict=True)}


def load_claims(queries: Queries, names: Sequence[FillName]) -> dict[FillName, list[Claim]]:
    """What every line says of some fills, in the order in which the lines were read."""
    sighted = queries.execute_each("sightings_of_key", names)
    varied = queries.execute_each("variants_of_key", names)
    found = {}
    for name, seen, others in zip(names, sighted, varied, strict=True):
        own = {
            (row[0], row[1]): Claim(row[0], row[1], row[2], row[4] == "api", (0, *row[5:22]), row[3])
            for row in others
        }
        kept = {
            (row[0], row[1]): Claim(
                row[0], row[1], "fill", row[3] == "api", (0, *row[4:8], row[2], *row[9:21])
            )
            for row in seen
        }
        found[name] = [claim for _, claim in sorted((kept | own).items())]
    return found


def _with_rank(row: rows.Row, stretch: _PendingRows) -> rows.Row:
    """A posted fill behind those that are kept of its instrument and instant."""
    last = stretch.last_ranks.get((row[1], row[2], row[4]))
    return row if last is None else (*row[:5], last + 1 + row[5], *row[6:])


def existing_fills(queries: Queries, file: str, lines: Sequence[tuple[int, Fill]]) -> list[Rejection | bool]:
    """Of each fill whether it is kept already, or a rejection where its id is kept with other content."""
    names = [(fill.account, fill.key) for _, fill in lines]
    superseded = set(map(tuple, queries.execute("superseded_names")))
    told = load_claims(queries, [name for name in names if name in superseded])
    found = queries.execute_each("fill_of_key", names)
    return [
        _existing_or_conflict(file, line, fill, its[0] if its else None, told.get(name, []))
        for name, (line, fill), its in zip(names, lines, found, strict=True)
    ]


def _existing_or_conflict(
    file: str, line: int, fill: Fill, kept: rows.Row | None, told: Sequence[Claim]
) -> Rejection | bool:
    said = rows.fill_to_row(0, fill, None)
    if not told and not isinstance(fill, FillRevision):
        return kept is not None and (is_same_fill(kept, said) or conflict_rejection(file, line, said, kept))
    fold = claims.fold_claims(told, kept)
    if fold.add(Claim(0, line, claim_kind(fill), True, said), said) == "refused":
        return conflict_rejection(file, line, said, kept or fold.versions[-1])
    return fold.row == kept and any(is_same_fill(one.row, said) for one in told)
