"""Claims of import lines about one fill, and the fill that results from them in order.

The first fill of a key is stored. A correction replaces it, a bust removes it, and the replaced claims are
superseded; other content under the same key is rejected. The result depends only on the claims, so undoing
an import processes the claims of the other imports again.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.store.tables.columns import FillRow, VariantRow
from tearsheet.trade.fill import ConflictRejection, Fill, FillRevision
from tearsheet.trade.session import from_micros

SHARED_COLUMNS = tuple(name for name in FillRow.__struct_fields__ if name in VariantRow.__struct_fields__)
ClaimKind = Literal["fill", "correction", "bust"]
ClaimStatus = Literal["stands", "superseded", "refused"]


class Claim(Struct, frozen=True):
    """Content that an import line states for a fill; the row has no ID and no record.

    The rank of a posted claim is that within its request, because the ranks of its instant follow the
    order of arrival.
    """

    source_id: int
    line: int
    kind: ClaimKind
    is_posted: bool
    row: FillRow
    status: ClaimStatus = "stands"


class ClaimFold(Struct):
    """Fold of the claims of one key in order."""

    row: FillRow | None = None
    first_source_id: int = 0
    is_busted: bool = False
    versions: list[FillRow] = []
    has_fill: bool = False
    #: rank that files state for the fill, by instrument and instant; a correction's own rank is that of its file
    file_ranks: dict[tuple[str, int], int] = {}

    def add(self, claim: Claim, row: FillRow) -> ClaimStatus:
        """Process the next claim; `row` is its row with its rank among the fills of its instant."""
        is_known = any(is_same_fill(version, row) for version in self.versions)
        if claim.kind == "fill":
            status = self._add_fill(claim, row, is_known=is_known)
        elif claim.kind == "bust":
            self.is_busted, self.row, status = True, None, "stands"
        elif self._is_current(row):
            status = "stands"
        elif self.is_busted or is_known:
            status = "superseded"
        else:
            self._correct(row)
            status = "stands"
        if status != "refused":
            self.note_rank(claim)
            if claim.kind == "fill" and status == "superseded" and self.row is not None:
                self.row = self._with_file_rank(self.row)  # a superseded fill still states its place
            self.first_source_id = self.first_source_id or claim.source_id
            self.has_fill = self.has_fill or claim.kind == "fill"
            if not is_known:
                self.versions.append(row)
        return status

    def _add_fill(self, claim: Claim, row: FillRow, *, is_known: bool) -> ClaimStatus:
        if self._is_current(row):
            if not claim.is_posted:  # of the ranks in files the highest counts
                self.row = with_rank(self.row, row.rank)
            return "stands"
        if is_known:
            return "superseded"
        if not self.versions:
            self.row = row
            return "stands"
        # an original fill that arrives after its correction or bust
        return "refused" if self.has_fill else "superseded"

    def _correct(self, row: FillRow) -> None:
        """Replace the fill; its rank is unchanged unless its time or instrument changes."""
        before = self.row
        if before is not None and (before.symbol, before.time_us) == (row.symbol, row.time_us):
            row = replace(row, rank=before.rank)
        self.row = self._with_file_rank(row)

    def note_rank(self, claim: Claim) -> None:
        """Note the rank that a file states for the fill; of several the highest counts."""
        if claim.kind == "fill" and not claim.is_posted:
            instant = (claim.row.symbol, claim.row.time_us)
            self.file_ranks[instant] = max(claim.row.rank, self.file_ranks.get(instant, claim.row.rank))

    def _with_file_rank(self, row: FillRow) -> FillRow:
        rank = self.file_ranks.get((row.symbol, row.time_us), row.rank)
        return row if rank == row.rank else replace(row, rank=rank)

    def _is_current(self, row: FillRow) -> bool:
        return self.row is not None and is_same_fill(self.row, row)


def fold_claims(claims: Iterable[Claim], stored: FillRow | None) -> ClaimFold:
    """Return the fold of claims whose status is known and whose result is the stored fill."""
    fold = ClaimFold(row=stored)
    for claim in claims:
        if claim.status != "refused":
            fold.first_source_id = fold.first_source_id or claim.source_id
            fold.has_fill = fold.has_fill or claim.kind == "fill"
            fold.is_busted = fold.is_busted or claim.kind == "bust"
            fold.note_rank(claim)
            if not any(is_same_fill(version, claim.row) for version in fold.versions):
                fold.versions.append(claim.row)
    return fold


def finalize(claim: Claim, status: ClaimStatus, stored: FillRow | None) -> Claim:
    """Set a claim's final status: superseded if it differs from the final stored fill."""
    is_stored = stored is not None and is_same_fill(stored, claim.row)
    if status == "stands" and claim.kind != "bust" and not is_stored:
        status = "superseded"
    return replace(claim, status=status)


def is_identical(claim: Claim, stored: FillRow | None) -> bool:
    """Return whether a claim equals the stored fill except for its rank, so that a sighting describes it."""
    return (
        claim.status == "stands"
        and claim.kind == "fill"
        and stored is not None
        and has_same_content(claim.row, stored)
    )


def with_rank(row: FillRow | None, rank: int) -> FillRow | None:
    """Return a row with the higher of its own rank and this one."""
    return row if row is None or rank <= row.rank else replace(row, rank=rank)


def has_same_content(one: FillRow, other: FillRow) -> bool:
    """Return whether two rows differ at most in id, rank, record and the result that the broker states."""
    if one == other:
        return True
    own = replace(
        one, id=other.id, rank=other.rank, record_id=other.record_id, reported=other.reported
    )  # a file may state the result of a fill that another left out
    return own == other


def is_same_fill(one: FillRow, other: FillRow) -> bool:
    """Return whether two rows are one execution: the same instrument, instant, side and exact numbers."""
    return (
        one.symbol == other.symbol
        and one.time_us == other.time_us
        and one.side == other.side
        and _is_same_number(one.quantity, other.quantity)
        and _is_same_number(one.price, other.price)
        and _is_same_number(one.commission, other.commission)
        and (one.event, one.position_side, one.terms) == (other.event, other.position_side, other.terms)
        and _is_same_number(one.amount or "0", other.amount or "0")
    )


def _is_same_number(one: str, other: str) -> bool:
    return one == other or Decimal(one) == Decimal(other)


def claim_kind(fill: Fill) -> ClaimKind:
    """Return whether a line is a fill, or a correction or bust of one."""
    return fill.kind if isinstance(fill, FillRevision) else "fill"


def variant_row(source_id: int, line: int, kind: ClaimKind, status: ClaimStatus, row: FillRow) -> VariantRow:
    """Return the row of a claim with other content than the stored fill."""
    shared = {name: getattr(row, name) for name in SHARED_COLUMNS}
    return VariantRow(source_id=source_id, line=line, status=kind, fate=status, **shared)


def conflict_rejection(file: str, line: int, row: FillRow, before: FillRow) -> ConflictRejection:
    """Return the rejection of a line whose execution is stored with other content."""
    at = from_micros(row.time_us)
    return ConflictRejection(
        file=file,
        line=line,
        text=_describe_row(row),
        code="conflicting_id",
        reason=f"{_execution_name(row)} was read before as {_describe_row(before)}",
        hint="the first one is used; check with your broker",
        account=row.account,
        fill_key=row.key,
        since=at,
        until=at,
    )


def _describe_row(row: FillRow) -> str:
    at = from_micros(row.time_us).isoformat()
    if row.event is not None:
        return f"{row.symbol} {row.event} {row.amount} {row.currency} at {at}"
    return f"{row.symbol} {row.side} {row.quantity} @ {row.price} fee {row.commission} at {at}"


def _execution_name(row: FillRow) -> str:
    """Return how messages name a fill or event: its kind and the broker's id."""
    return f"{row.event or 'execution'} {row.fill_id} of account {row.account}"
