"""Undo of an import as if it had never happened; fills that other imports contain too stay."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.store.tables.columns import FillRow, RejectionRow, Row
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.query_rows import FillNameRow, InstantRow, SourceFile
from tearsheet.store.tables.rows import LINE_BITS, rejection_to_row
from tearsheet.store.write.claims import Claim, ClaimFold, conflict_rejection, finalize, is_same_fill
from tearsheet.store.write.imported_fills import (
    FillImporter,
    FillName,
    Instant,
    instant_of,
    load_claims,
    stored_fills,
)
from tearsheet.store.write.rebooking import StreamRebuilder
from tearsheet.trade.fill import Rejection

#: Up to this many fills are always removed from the books stream by stream.
_FEW = 10_000


class _ConflictRow(Row, frozen=True, gc=False):
    """A saved rejection of a line whose fill was stored with other content."""

    id: int
    reason: str


class UndoResult(Struct, frozen=True):
    """Number of fills or records that an undo removed, of those it left because other imports contain
    them, and of all fills that remain.
    """

    removed: int
    retained: int
    remaining: int = 0

    @property
    def removed_most(self) -> bool:
        """Return whether rebuilding the rest is less work than removing stream by stream."""
        return self.removed > max(self.remaining, _FEW)


class ImportUndo:
    """Undo of one import inside a transaction."""

    def __init__(
        self, queries: Queries, streams: StreamRebuilder, fills: FillImporter, source_id: int
    ) -> None:
        self._queries = queries
        self._streams = streams
        self._fills = fills
        self._source_id = source_id
        self._superseded_by: dict[int, int | None] = {}
        self._id_range = (source_id << LINE_BITS, (source_id + 1) << LINE_BITS)

    def remove(self) -> UndoResult:
        """Remove the fills that only this import contains, and process the claims of the others again."""
        own = (self._source_id,)
        sighted = self._queries.value("count_sightings", own)
        for stream in self._queries.rows(InstantRow, "streams_of_batch", self._id_range):
            self._streams.mark_dirty(stream.account, stream.symbol, stream.time_us)
        for row in self._queries.rows(FillRow, "links_of_batch", self._id_range):
            self._streams.mark_linked(row)
        self._reapply_claims(self._claims_of_others())
        removed = self._queries.value("count_fills_of_source", self._id_range)
        remaining = self._queries.value("count_fills") - removed
        self._queries.execute("remove_sightings", own)
        self._queries.execute("remove_variants_of_source", own)
        result = UndoResult(removed, max(sighted - removed, 0), remaining)
        # creating the indexes of the few fills that remain is faster than updating them
        connection = self._queries.connection
        indexes = connection.drop_indexes_temporarily("fill") if result.removed_most else []
        if not result.removed_most:  # else all books are made anew
            self._queries.detach_bookings(*self._id_range)
        self._queries.execute("remove_fills_of_source", self._id_range)
        for statement in indexes:
            connection.execute(statement)
        return result

    def restore_rejections(self) -> None:
        """Withdraw the import's own rejections, and restore those that it withdrew by reading a file again."""
        own = self._source_id
        self._queries.execute("withdraw_rejections", (own, own))
        for source_id in self._queries.values("sources_withdrawn_by", (own, own)):
            self._queries.execute("restore_rejections", (self._next_import(source_id), own, source_id))

    def _claims_of_others(self) -> dict[FillName, list[Claim]]:
        """Return the claims, in order, about all fills whose result may change."""
        own = (self._source_id,)
        if not self._queries.exists("any_posted"):
            # a fill that another import added first does not change if its rank is unchanged
            losing = self._queries.rows(FillNameRow, "names_that_lose", own)
            return load_claims(self._queries, sorted(_names(losing)))
        names = _names(self._queries.rows(FillNameRow, "shared_names", own))
        # the rank of a posted fill depends on all fills of its instant that were stored before it
        queried = {
            (row.account, row.symbol, row.time_us)
            for row in self._queries.rows(InstantRow, "instants_with_posted", own)
        }
        claims = load_claims(self._queries, sorted(names | self._fills_at(queried)))
        while instants := _instants(claims) - queried:
            queried |= instants
            claims |= load_claims(self._queries, sorted(self._fills_at(instants) - claims.keys()))
        return claims

    def _fills_at(self, instants: Iterable[Instant]) -> set[FillName]:
        found = self._queries.rows_each(FillNameRow, "names_at", sorted(instants))
        return _names(chain.from_iterable(found))

    def _reapply_claims(self, claims: dict[FillName, list[Claim]]) -> None:
        """Fold the claims of other imports, import by import, and store the result."""
        names = sorted(claims)
        stored = stored_fills(self._queries, names)
        replayed = _ReplayedClaims(self._queries)
        for source_id, own in _by_source(claims):
            if source_id != self._source_id:
                replayed.add(source_id, own)
        for name in names:
            fold = replayed.folds[name]
            outcome = [finalize(claim, claim.status, fold.row) for claim in replayed.outcomes[name]]
            self._fills.upsert(name, stored.get(name), fold, outcome)
            for claim in claims[name]:
                rejection = replayed.refused[name].get((claim.source_id, claim.line))
                if claim.source_id != self._source_id and (rejection or claim.status == "refused"):
                    self._replace_rejection(claim, rejection)

    def _replace_rejection(self, claim: Claim, rejection: Rejection | None) -> None:
        """Withdraw the saved rejection of a claim, and save the one that it has now, unless they are the same.

        Those that a later import of the same file withdrew are replaced too: undoing that import restores them.
        """
        later = self._next_import(claim.source_id)
        place = (claim.source_id, claim.line, claim.row.key, later)
        row = None if rejection is None else rejection_to_row(claim.source_id, rejection)
        for saved in self._queries.rows(_ConflictRow, "conflicts_at", place):
            if row is not None and saved.reason == row.reason:
                row = None
            else:
                self._queries.execute("withdraw_rejection", (self._source_id, saved.id))
        if row is not None:
            self._queries.add(RejectionRow, [replace(row, withdrawn_by=later)])

    def _next_import(self, source_id: int) -> int | None:
        """Return the next import of the same file, which withdrew the rejections of this one."""
        if source_id not in self._superseded_by:
            self._superseded_by[source_id] = self._queries.value("read_again_by", (source_id,))
        return self._superseded_by[source_id]


class _ReplayedClaims:
    """Claims about several fills, folded together in the order in which they were read."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self.folds: dict[FillName, ClaimFold] = defaultdict(ClaimFold)
        self._rows_at: dict[Instant, dict[FillName, FillRow]] = defaultdict(dict)
        self.outcomes: dict[FillName, list[Claim]] = defaultdict(list)
        #: rejections by import and line
        self.refused: dict[FillName, dict[tuple[int, int], Rejection]] = defaultdict(dict)

    def add(self, source_id: int, claims: Sequence[tuple[FillName, Claim]]) -> None:
        """Process the claims of one import."""
        ranks = self._last_ranks(source_id, claims)
        file = ""
        for name, claim in claims:
            fold, row = self.folds[name], claim.row
            last = ranks.get(instant_of(row))
            if last is not None and not any(is_same_fill(version, row) for version in fold.versions):
                row = replace(row, rank=last + 1 + row.rank)
            before = fold.row
            status = fold.add(claim, row)
            if before != fold.row:
                self._move(name, before, fold.row)
            self.outcomes[name].append(replace(claim, status=status))
            if status == "refused":
                file = file or self._file_of(source_id)
                against = before or fold.versions[-1]
                rejection = conflict_rejection(file, claim.line, claim.row, against)
                self.refused[name][source_id, claim.line] = rejection

    def _last_ranks(self, source_id: int, claims: Sequence[tuple[FillName, Claim]]) -> dict[Instant, int]:
        """Return the last rank at each instant of posted fills before their request."""
        instants = {instant_of(claim.row) for _, claim in claims if claim.is_posted}
        ranks: dict[Instant, int] = {}
        for instant in instants:
            rank = self._queries.value("logged_rank_at", (*instant, source_id << LINE_BITS))
            replayed = (row.rank for row in self._rows_at[instant].values())
            if (last := max((one for one in (rank, *replayed) if one is not None), default=None)) is not None:
                ranks[instant] = last
        return ranks

    def _move(self, name: FillName, before: FillRow | None, after: FillRow | None) -> None:
        if before is not None:
            del self._rows_at[instant_of(before)][name]
        if after is not None:
            self._rows_at[instant_of(after)][name] = after

    def _file_of(self, source_id: int) -> str:
        source = self._queries.row(SourceFile, "source_of_id", (source_id,))
        return "" if source is None else source.name.rpartition("/")[2]


def _names(rows: Iterable[FillNameRow]) -> set[FillName]:
    return {(row.account, row.key) for row in rows}


def _by_source(claims: dict[FillName, list[Claim]]) -> Iterator[tuple[int, Sequence[tuple[FillName, Claim]]]]:
    """Group claims by import, and sort them as they were read."""
    flat = [(name, claim) for name, own in claims.items() for claim in own]
    flat.sort(key=lambda one: (one[1].source_id, one[1].line, one[0]))
    for source_id, group in groupby(flat, key=lambda one: one[1].source_id):
        yield source_id, list(group)


def _instants(claims: dict[FillName, list[Claim]]) -> set[Instant]:
    return {instant_of(claim.row) for own in claims.values() for claim in own}
