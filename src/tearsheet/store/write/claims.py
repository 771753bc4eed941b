"""What the lines of imports claim of one fill, and what is kept of it: a fold over claims in their order.

The first fill of a key is kept. A correction takes its place, a bust takes it away, and what stood
before is superseded; any other content under the same key is refused. So what is kept depends on
the claims alone, and taking an import out is folding the others again.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.store.tables.rows import Row
from tearsheet.trade.fill import Fill, FillRevision, Rejection
from tearsheet.trade.session import from_micros

ClaimKind = Literal["fill", "correction", "bust"]
ClaimStatus = Literal["stands", "superseded", "refused"]
#: Where these stand in a row of `fill`.
_ACCOUNT, SYMBOL, KEY, TIME, RANK, SIDE, _QUANTITY, _COMMISSION = 1, 2, 3, 4, 5, 6, 7, 9
#: A row of `fill` without its record; what a claim says are all columns but the id.
WIDTH = 18


class Claim(Struct, frozen=True):
    """What a line of an import says of a fill; `said` is a row of `fill`, without its record.

    The rank of a posted one is that within its request, since its instant is filled as they come.
    """

    source_id: int
    line: int
    status: ClaimKind
    is_posted: bool
    row: Row
    fate: ClaimStatus = "stands"


class ClaimFold(Struct):
    """What came of the claims of one key so far."""

    row: Row | None = None
    first_source_id: int = 0
    is_busted: bool = False
    versions: list[Row] = []
    has_fill: bool = False

    def add(self, claim: Claim, said: Row) -> ClaimStatus:
        """Take in the next claim; `said` is what it says, with the rank that it has among others."""
        before = next((one for one in self.versions if is_same_fill(one, said)), None)
        if claim.status == "fill":
            fate = self._add_fill(claim, said, is_known=before is not None)
        elif claim.status == "bust":
            self.is_busted, self.row, fate = True, None, "stands"
        elif self._is_current(said):
            fate = "stands"
        elif self.is_busted or before is not None:
            fate = "superseded"
        else:
            self._correct(said)
            fate = "stands"
        if fate != "refused":
            self.first_source_id = self.first_source_id or claim.source_id
            self.has_fill = self.has_fill or claim.status == "fill"
            if before is None:
                self.versions.append(said)
        return fate

    def _add_fill(self, claim: Claim, said: Row, *, is_known: bool) -> ClaimStatus:
        if self._is_current(said):
            if not claim.is_posted:  # of the ranks that files give, the highest counts
                self.row = with_rank(self.row, said[RANK])
            return "stands"
        if is_known:
            return "superseded"
        if not self.versions:
            self.row = said
            return "stands"
        # what was corrected or busted before it was read itself
        return "refused" if self.has_fill else "superseded"

    def _correct(self, said: Row) -> None:
        """A correction that moves a fill neither in time nor to another instrument keeps its place."""
        before = self.row
        if before is not None and (before[SYMBOL], before[TIME]) == (said[SYMBOL], said[TIME]):
            said = (*said[:RANK], before[RANK], *said[RANK + 1 :])
        self.row = said

    def _is_current(self, said: Row) -> bool:
        return self.row is not None and is_same_fill(self.row, said)


def fold_claims(claims: Iterable[Claim], kept: Row | None) -> ClaimFold:
    """The fold of claims that were judged before, whose outcome is kept."""
    fold = ClaimFold(row=kept)
    for claim in claims:
        if claim.fate != "refused":
            fold.first_source_id = fold.first_source_id or claim.source_id
            fold.has_fill = fold.has_fill or claim.status == "fill"
            fold.is_busted = fold.is_busted or claim.status == "bust"
            if not any(is_same_fill(one, claim.row) for one in fold.versions):
                fold.versions.append(claim.row)
    return fold


def finalize(claim: Claim, fate: ClaimStatus, kept: Row | None) -> Claim:
    """A claim with what became of it in the end: one that stood may be superseded by now."""
    if fate == "stands" and claim.status != "bust" and (kept is None or not is_same_fill(kept, claim.row)):
        fate = "superseded"
    return replace(claim, fate=fate)


def is_identical(claim: Claim, kept: Row | None) -> bool:
    """Whether a claim says word for word what is kept, so that its sighting says it all."""
    return (
        claim.fate == "stands"
        and claim.status == "fill"
        and kept is not None
        and claim.row[1:RANK] == kept[1:RANK]
        and claim.row[SIDE:WIDTH] == kept[SIDE:WIDTH]
    )


def with_rank(row: Row | None, rank: int) -> Row | None:
    """A row with a rank, if that is higher than its own."""
    if row is None or rank <= row[RANK]:
        return row
    return (*row[:RANK], rank, *row[RANK + 1 :])


def is_same_fill(one: Row, other: Row) -> bool:
    """Whether two rows are one execution: the same instrument, instant, side and exact numbers."""
    if one[SYMBOL] != other[SYMBOL] or one[TIME] != other[TIME] or one[SIDE] != other[SIDE]:
        return False
    numbers = zip(one[_QUANTITY : _COMMISSION + 1], other[_QUANTITY : _COMMISSION + 1], strict=True)
    return all(a == b or Decimal(a) == Decimal(b) for a, b in numbers)


def claim_kind(fill: Fill) -> ClaimKind:
    """Whether a line is a fill, or a correction or a bust of one."""
    return fill.kind if isinstance(fill, FillRevision) else "fill"


def conflict_rejection(file: str, line: int, said: Row, before: Row) -> Rejection:
    """The rejection of a line whose execution was read before with other content."""
    at = from_micros(said[TIME])
    return Rejection(
        file=file,
        line=line,
        text=_describe_row(said),
        code="conflicting_id",
        reason=f"execution {said[12]} of account {said[1]} was read before as {_describe_row(before)}",
        hint="the first one is kept; check which is right with the broker",
        account=said[1],
        since=at,
        until=at,
    )


def _describe_row(row: Row) -> str:
    _, _, symbol, _, time_us, _, side, quantity, price, commission, *_ = row
    at = from_micros(time_us).isoformat()
    return f"{symbol} {side} {quantity} @ {price} fee {commission} at {at}"
