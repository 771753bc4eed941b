"""Takes an import out of the ledger, as if it had never come; what other imports say of its fills stays."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.store.tables import rows
from tearsheet.store.tables.queries import Queries
from tearsheet.store.write import claims
from tearsheet.store.write.claims import Claim, ClaimFold
from tearsheet.store.write.imported_fills import FillImporter, FillName, load_claims
from tearsheet.store.write.rebooking import StreamRebuilder
from tearsheet.trade.fill import Rejection

Instant = tuple[str, str, int]
#: So few fills are always taken out of the books by their streams.
_FEW = 10_000


class UndoResult(Struct, frozen=True):
    """How many fills or records went with an import, how many that others brought too stayed,
    and how many fills are left in all."""

    removed: int
    retained: int
    remaining: int = 0

    @property
    def removed_most(self) -> bool:
        """Whether it is less work to book what is left than to take out what went."""
        return self.removed > max(self.remaining, _FEW)


class ImportUndo:
    """Takes out what one import said, inside a posting."""

    def __init__(
        self, queries: Queries, streams: StreamRebuilder, fills: FillImporter, source_id: int
    ) -> None:
        self._queries = queries
        self._streams = streams
        self._fills = fills
        self._source_id = source_id
        self._span = (source_id << rows.LINE_BITS, (source_id + 1) << rows.LINE_BITS)

    def remove(self) -> UndoResult:
        """Take out the fills that only this import told of, and judge the others anew without it."""
        sighted = self._count("count_sightings", (self._source_id,))
        for account, symbol, since_us in self._run("streams_of_batch", self._span):
            self._streams.mark_dirty(account, symbol, since_us)
        self._reapply_claims(self._claims_of_others())
        gone = self._count("count_fills_of_source", self._span)
        left = self._count("count_fills", ()) - gone
        self._queries.execute("remove_sightings", (self._source_id,))
        self._queries.execute("remove_variants_of_source", (self._source_id,))
        undone = UndoResult(gone, max(sighted - gone, 0), left)
        # where few are left it is faster to make their indexes anew
        connection = self._queries.connection
        indexes = connection.drop_indexes_temporarily("fill") if undone.removed_most else []
        self._queries.execute("remove_fills_of_source", self._span)
        for statement in indexes:
            connection.execute(statement)
        return undone

    def restore_rejections(self) -> None:
        """Its own rejections count no more; those that it took back as it read a file again do."""
        own = self._source_id
        self._queries.execute("withdraw_rejections", (own, own))
        for (source_id,) in self._run("sources_withdrawn_by", (own, own)):
            again = self._superseded_by(source_id)
            self._queries.execute("restore_rejections", (again, own, source_id))

    def _claims_of_others(self) -> dict[FillName, list[Claim]]:
        """The claims of other imports, in order, of all fills whose outcome may be another now."""
        own = (self._source_id,)
        if self._queries.fetch_one("any_posted") is None:
            # a fill that others brought first, with the rank that it has, stays as it is
            return load_claims(self._queries, sorted(map(tuple, self._run("names_that_lose", own))))
        names = set(map(tuple, self._run("shared_names", own)))
        # the rank of a posted fill depends on all that were kept of its instant before it
        asked = set(map(tuple, self._run("instants_with_posted", (self._source_id,))))
        told = load_claims(self._queries, sorted(names | self._fills_at(asked)))
        while instants := _instants(told) - asked:
            asked |= instants
            told |= load_claims(self._queries, sorted(self._fills_at(instants) - told.keys()))
        return told

    def _fills_at(self, instants: Iterable[Instant]) -> set[FillName]:
        found = self._queries.execute_each("names_at", sorted(instants))
        return {tuple(row) for its in found for row in its}

    def _reapply_claims(self, told: dict[FillName, list[Claim]]) -> None:
        """Fold the claims of other imports, import by import, and write what comes of them."""
        names = sorted(told)
        found = self._queries.execute_each("fill_of_key", names)
        kept = {name: its[0] if its else None for name, its in zip(names, found, strict=True)}
        left = [
            (claim.source_id, claim.line, name, claim)
            for name, its in told.items()
            for claim in its
            if claim.source_id != self._source_id
        ]
        left.sort(key=lambda one: one[:3])
        judged = _ReplayedClaims(self._queries)
        for source_id, group in groupby(left, key=lambda one: one[0]):
            judged.add(source_id, [(name, claim) for _, _, name, claim in group])
        for name in names:
            fold, outcome = judged.folds[name], judged.outcomes[name]
            settled = [claims.finalize(claim, claim.fate, fold.row) for claim in outcome]
            self._fills.upsert(name, kept[name], fold, settled)
            refused = judged.refused[name]
            for rejection, claim in refused:
                self._reject(claim, rejection)
            reasons = {rejection.reason for rejection, _ in refused}
            for claim in told[name]:
                if claim.fate == "refused" and claim.source_id != self._source_id:
                    self._clear_rejection(claim, reasons)

    def _reject(self, claim: Claim, rejection: Rejection) -> None:
        """Keep the rejection of a line that is refused now, unless it is kept already."""
        place = (claim.source_id, claim.line)
        reasons = {reason for (reason,) in self._run("conflicts_at", place)}
        if rejection.reason in reasons:
            return
        self._queries.execute("add_rejection", rows.rejection_to_row(claim.source_id, rejection))
        if (again := self._superseded_by(claim.source_id)) is not None:
            self._queries.execute("withdraw_rejection", (again, *place, rejection.reason))

    def _clear_rejection(self, claim: Claim, reasons: set[str]) -> None:
        """Take back what a line was refused for, where that is not so any more."""
        execution = f"execution {claim.row[12]} of account {claim.row[1]} "
        place = (claim.source_id, claim.line)
        for (reason,) in self._run("conflicts_at", place):
            if reason.startswith(execution) and reason not in reasons:
                self._queries.execute("withdraw_rejection", (self._source_id, *place, reason))

    def _superseded_by(self, source_id: int) -> int | None:
        row = self._queries.fetch_one("read_again_by", (source_id,))
        return None if row is None else row[0]

    def _count(self, name: str, parameters: tuple[int, ...]) -> int:
        row = self._queries.fetch_one(name, parameters)
        return int(row[0]) if row else 0

    def _run(self, name: str, parameters: Sequence[object]) -> list[rows.Row]:
        return self._queries.execute(name, parameters).fetchall()


class _ReplayedClaims:
    """The claims of several fills, folded together in the order in which they were read."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self.folds: dict[FillName, ClaimFold] = defaultdict(ClaimFold)
        self._rows_at: dict[Instant, dict[FillName, rows.Row]] = defaultdict(dict)
        self.outcomes: dict[FillName, list[Claim]] = defaultdict(list)
        self.refused: dict[FillName, list[tuple[Rejection, Claim]]] = defaultdict(list)

    def add(self, source_id: int, told: Sequence[tuple[FillName, Claim]]) -> None:
        """Take in all that one import says."""
        ranks = self._last_ranks(source_id, told)
        file = ""
        for name, claim in told:
            fold, said = self.folds[name], claim.row
            last = ranks.get(_instant(said))
            if last is not None and not any(claims.is_same_fill(one, said) for one in fold.versions):
                said = (*said[:5], last + 1 + said[5], *said[6:])
            before = fold.row
            fate = fold.add(claim, said)
            if before != fold.row:
                self._apply(name, before, fold.row)
            judged = replace(claim, fate=fate)
            self.outcomes[name].append(judged)
            if fate == "refused":
                file = file or self._file_of(source_id)
                against = before or fold.versions[-1]
                rejection = claims.conflict_rejection(file, claim.line, claim.row, against)
                self.refused[name].append((rejection, judged))

    def _last_ranks(self, source_id: int, told: Sequence[tuple[FillName, Claim]]) -> dict[Instant, int]:
        """The last rank at each instant of posted fills before this request came."""
        instants = {_instant(claim.row) for _, claim in told if claim.is_posted}
        found: dict[Instant, int] = {}
        if not instants:
            return found
        bound = source_id << rows.LINE_BITS
        for instant in instants:
            row = self._queries.fetch_one("logged_rank_at", (*instant, bound))
            if row is not None and row[0] is not None:
                found[instant] = row[0]
        for instant in instants:
            ranks = [row[5] for row in self._rows_at[instant].values()]
            if ranks:
                found[instant] = max(*ranks, found.get(instant, ranks[0]))
        return found

    def _apply(self, name: FillName, before: rows.Row | None, after: rows.Row | None) -> None:
        if before is not None:
            del self._rows_at[_instant(before)][name]
        if after is not None:
            self._rows_at[_instant(after)][name] = after

    def _file_of(self, source_id: int) -> str:
        row = self._queries.fetch_one("source_of_id", (source_id,))
        return "" if row is None else str(row[2]).rpartition("/")[2]


def _instant(said: rows.Row) -> Instant:
    return said[1], said[2], said[4]


def _instants(told: dict[FillName, list[Claim]]) -> set[Instant]:
    return {_instant(claim.row) for its in told.values() for claim in its}
