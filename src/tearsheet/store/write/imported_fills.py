"""Keeps the fills that statements and requests bring: a fill is kept once, however often it is read."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from tearsheet.store.tables import rows
from tearsheet.store.tables.queries import Reading
from tearsheet.store.write import claims
from tearsheet.store.write.claims import Claim, Fate, conflict, same, status_of
from tearsheet.store.write.rebooking import FillStreams
from tearsheet.trade.fill import Fill, Rejection, Revision
from tearsheet.trade.session import to_micros

Name = tuple[str, str]
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

    def span(self, time_us: int) -> None:
        """Take in an instant."""
        self.first_us = time_us if self.first_us is None else min(self.first_us, time_us)
        self.last_us = time_us if self.last_us is None else max(self.last_us, time_us)


class _PendingRows(Struct):
    """What some lines of an import bring, until it is written."""

    source_id: int
    file: str
    is_posted: bool
    kept: dict[Name, rows.Row]
    last_ranks: dict[tuple[str, str, int], int | None]
    fresh: dict[Name, rows.Row] = {}
    sightings: dict[tuple[int, int], int] = {}
    variants: dict[tuple[int, Name], rows.Row] = {}
    conflicts: list[Rejection] = []
    #: the fills that nobody had told of
    opened: list[Fill] = []

    def before(self, name: Name) -> rows.Row | None:
        """What is kept of a fill by now."""
        return self.fresh.get(name) or self.kept.get(name)

    def note(self, line: int, name: Name, status: str, fate: Fate, said: rows.Row) -> None:
        """Remember what a line says in words of its own."""
        self.variants.setdefault((line, name), (self.source_id, line, status, fate, *said[1:18]))


class ImportedFills:
    """The fills of one posting that come from statements or requests."""

    def __init__(self, reading: Reading, streams: FillStreams) -> None:
        self._reading = reading
        self._streams = streams
        #: how many fills of each import were new; a fill's id is its import × 2^32 + that
        self._counts: Counter[int] = Counter()
        #: the fills that were corrected or busted; of these all that was claimed has to be asked
        self._superseded: set[Name] = set(map(tuple, reading.execute("superseded_names")))

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
        stretch = _PendingRows(source_id, file, is_posted, self._kept(batch), ranks)
        for line, fill in batch:
            counts.span(to_micros(fill.time))
            name = (fill.account, fill.key)
            if isinstance(fill, Revision) or name in self._superseded:
                self._superseded.add(name)
                said = rows.fill_row(0, fill, None)
                claim = Claim(source_id, line, status_of(fill), is_posted, said)
                self._apply_claim(stretch, claim, counts)
            elif stretch.before(name) is None:
                self._open(stretch, line, name, fill)
                counts.new += 1
            else:
                self._handle_existing(stretch, line, name, fill, counts)
        self._write(stretch)
        if is_posted:  # these may stand behind others of their instant, with other ranks
            for fill in stretch.opened:
                self._streams.touch(fill.account, fill.symbol, to_micros(fill.time))
        else:
            self._streams.take(stretch.opened)
        return stretch.conflicts

    def _add_new(self, source_id: int, batch: Sequence[tuple[int, Fill]], counts: ImportCounts) -> bool:
        """Keep a batch of fills of which none was told of before; False where one was.

        Nobody is asked beforehand: the fills go in, and the ledger says whether one was there.
        """
        if any(type(fill) is Revision for _, fill in batch) or self._has_superseded(batch):
            return False
        last = self._last_id(source_id)
        made = [rows.fill_row(n, fill, None) for n, (_, fill) in enumerate(batch, last + 1)]
        if not self._reading.add_new("add_fill", made):
            self._reading.execute("remove_fills_of_source", (last, last + len(made) + 1))
            return False
        self._counts[source_id] += len(made)
        seen = [
            (source_id, line, row[0], row[claims.RANK]) for (line, _), row in zip(batch, made, strict=True)
        ]
        self._reading.execute_many("add_sighting", seen)
        counts.new += len(made)
        times = [row[claims.TIME] for row in made]
        counts.span(min(times))
        counts.span(max(times))
        self._streams.take([fill for _, fill in batch])
        return True

    def _has_superseded(self, batch: Sequence[tuple[int, Fill]]) -> bool:
        known = self._superseded
        return bool(known) and any((fill.account, fill.key) in known for _, fill in batch)

    def _open(self, stretch: _PendingRows, line: int, name: Name, fill: Fill) -> None:
        """Keep a fill that nobody has told of before."""
        row = rows.fill_row(self._new_id(stretch.source_id), fill, None)
        if stretch.is_posted:
            row = _with_rank(row, stretch)
        stretch.fresh[name] = row
        stretch.sightings[line, row[0]] = fill.rank
        stretch.opened.append(fill)

    def _handle_existing(self, stretch: _PendingRows, line: int, name: Name, fill: Fill, counts: ImportCounts) -> None:
        before, said = stretch.before(name), rows.fill_row(0, fill, None)
        assert before is not None
        if same(before, said):
            self._sight(stretch, line, name, before, said)
            counts.known += 1
        else:
            stretch.note(line, name, "fill", "refused", said)
            stretch.conflicts.append(conflict(stretch.file, line, said, before))

    def _sight(self, stretch: _PendingRows, line: int, name: Name, before: rows.Row, said: rows.Row) -> None:
        """A fill that is kept was read again. Of the ranks that files give it the highest counts."""
        stretch.sightings[line, before[0]] = said[claims.RANK]
        if before[6:18] != said[6:18]:
            stretch.note(line, name, "fill", "stands", said)
        if said[claims.RANK] <= before[claims.RANK] or stretch.is_posted:
            return
        row = (*before[:5], said[claims.RANK], *before[6:])
        if name in stretch.fresh:
            stretch.fresh[name] = row
        else:
            stretch.kept[name] = row
            self._reading.execute("set_rank", (said[claims.RANK], before[0]))
        self._streams.touch(said[1], said[2], said[4])

    def _apply_claim(self, stretch: _PendingRows, claim: Claim, counts: ImportCounts) -> None:
        """Judge a line where corrections and busts are about, by all that was claimed of its fill."""
        self._write(stretch)
        name = (claim.said[1], claim.said[3])
        told = claims_of(self._reading, [name])[name]
        before = self._row(name)
        fold = claims.of_claims(told, before)
        said = _with_rank(claim.said, stretch) if claim.is_posted else claim.said
        fate = fold.take(claim, said)
        if fate == "refused":
            stretch.note(claim.line, name, "fill", "refused", claim.said)
            against = before or fold.seen[-1]
            stretch.conflicts.append(conflict(stretch.file, claim.line, claim.said, against))
        elif fold.kept == before and any(same(one.said, claim.said) for one in told):
            counts.known += 1
        else:
            counts.new += 1
        outcome = [claims.settled(one, one.fate, fold.kept) for one in told]
        outcome.append(claims.settled(claim, fate, fold.kept))
        if fate != "refused":
            self.put(name, before, fold, outcome)
            stretch.kept.pop(name, None)
            if (row := self._row(name)) is not None:
                stretch.kept[name] = row

    def put(self, name: Name, before: rows.Row | None, fold: claims.Fold, outcome: Sequence[Claim]) -> None:
        """Write anew what is kept of a fill, and what each line said of it."""
        if before is not None:
            self._reading.execute("remove_sightings_of_fill", (before[0],))
            self._reading.execute("remove_fill", (before[0],))
            self._streams.touch(before[1], before[2], before[4])
        self._reading.execute("remove_variants", name)
        identity = 0
        if fold.kept is not None:
            is_at_home = before is not None and before[0] >> rows.LINE_BITS == fold.home
            identity = before[0] if before is not None and is_at_home else self._new_id(fold.home)
            self._reading.execute("add_fill", (identity, *fold.kept[1:18], None))
            self._streams.touch(fold.kept[1], fold.kept[2], fold.kept[4])
        variants: dict[tuple[int, int], rows.Row] = {}
        sightings: dict[tuple[int, int], rows.Row] = {}
        for one in outcome:
            if one.fate == "stands" and identity:
                sightings[one.source_id, one.line] = (one.source_id, one.line, identity, one.said[5])
            if not claims.is_verbatim(one, fold.kept):
                row = (one.source_id, one.line, one.status, one.fate, *one.said[1:18])
                variants.setdefault((one.source_id, one.line), row)
        self._reading.execute_many("add_sighting", sightings.values())
        self._reading.execute_many("add_variant", variants.values())

    def _write(self, stretch: _PendingRows) -> None:
        """Write what was gathered so far."""
        self._reading.execute_many("add_fill", stretch.fresh.values())
        seen = ((stretch.source_id, *where, rank) for where, rank in stretch.sightings.items())
        self._reading.execute_many("add_sighting", seen)
        self._reading.execute_many("add_variant", stretch.variants.values())
        stretch.kept.update(stretch.fresh)
        stretch.fresh, stretch.sightings, stretch.variants = {}, {}, {}

    def _row(self, name: Name) -> rows.Row | None:
        return self._reading.one("fill_of_key", name)

    def _new_id(self, source_id: int) -> int:
        identity = self._last_id(source_id) + 1
        self._counts[source_id] += 1
        return identity

    def _last_id(self, source_id: int) -> int:
        if source_id not in self._counts:
            span = (source_id << rows.LINE_BITS, (source_id + 1) << rows.LINE_BITS)
            row = self._reading.one("last_fill_of_source", span)
            last = row[0] if row else None
            self._counts[source_id] = 0 if last is None else last - span[0]
        return source_id << rows.LINE_BITS | self._counts[source_id]

    def _kept(self, batch: Sequence[tuple[int, Fill]]) -> dict[Name, rows.Row]:
        """Which fills of a batch were kept before, by account and key."""
        asked = list({(fill.account, fill.key): None for _, fill in batch})
        found = self._reading.execute_each("fill_of_key", asked)
        return {name: its[0] for name, its in zip(asked, found, strict=True) if its}

    def _last_ranks(self, batch: Sequence[tuple[int, Fill]]) -> dict[tuple[str, str, int], int | None]:
        """The last rank at each instant of posted fills."""
        places = [(fill.account, fill.symbol, to_micros(fill.time)) for _, fill in batch]
        found = self._reading.execute_each("last_rank_at", places)
        return {place: its[0][0] for place, its in zip(places, found, strict=True)}


def claims_of(reading: Reading, names: Sequence[Name]) -> dict[Name, list[Claim]]:
    """What every line says of some fills, in the order in which the lines were read."""
    sighted = reading.execute_each("sightings_of_key", names)
    varied = reading.execute_each("variants_of_key", names)
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


def standing(reading: Reading, file: str, lines: Sequence[tuple[int, Fill]]) -> list[Rejection | bool]:
    """Of each fill whether it is kept already, or a rejection where its id is kept with other content."""
    names = [(fill.account, fill.key) for _, fill in lines]
    superseded = set(map(tuple, reading.execute("superseded_names")))
    told = claims_of(reading, [name for name in names if name in superseded])
    found = reading.execute_each("fill_of_key", names)
    return [
        _existing_or_conflict(file, line, fill, its[0] if its else None, told.get(name, []))
        for name, (line, fill), its in zip(names, lines, found, strict=True)
    ]


def _existing_or_conflict(
    file: str, line: int, fill: Fill, kept: rows.Row | None, told: Sequence[Claim]
) -> Rejection | bool:
    said = rows.fill_row(0, fill, None)
    if not told and not isinstance(fill, Revision):
        return kept is not None and (same(kept, said) or conflict(file, line, said, kept))
    fold = claims.of_claims(told, kept)
    if fold.take(Claim(0, line, status_of(fill), True, said), said) == "refused":
        return conflict(file, line, said, kept or fold.seen[-1])
    return fold.kept == kept and any(same(one.said, said) for one in told)
