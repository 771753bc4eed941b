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
from tearsheet.trade.fill import Fill, Rejection, Revision
from tearsheet.trade.session import from_micros

Status = Literal["fill", "correction", "bust"]
Fate = Literal["stands", "superseded", "refused"]
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
    status: Status
    is_posted: bool
    said: Row
    fate: Fate = "stands"


class Fold(Struct):
    """What came of the claims of one key so far."""

    kept: Row | None = None
    home: int = 0
    is_busted: bool = False
    seen: list[Row] = []
    has_fill: bool = False

    def take(self, claim: Claim, said: Row) -> Fate:
        """Take in the next claim; `said` is what it says, with the rank that it has among others."""
        before = next((one for one in self.seen if same(one, said)), None)
        if claim.status == "fill":
            fate = self._add_fill(claim, said, is_known=before is not None)
        elif claim.status == "bust":
            self.is_busted, self.kept, fate = True, None, "stands"
        elif self._is_kept(said):
            fate = "stands"
        elif self.is_busted or before is not None:
            fate = "superseded"
        else:
            self._correct(said)
            fate = "stands"
        if fate != "refused":
            self.home = self.home or claim.source_id
            self.has_fill = self.has_fill or claim.status == "fill"
            if before is None:
                self.seen.append(said)
        return fate

    def _add_fill(self, claim: Claim, said: Row, *, is_known: bool) -> Fate:
        if self._is_kept(said):
            if not claim.is_posted:  # of the ranks that files give, the highest counts
                self.kept = raised(self.kept, said[RANK])
            return "stands"
        if is_known:
            return "superseded"
        if not self.seen:
            self.kept = said
            return "stands"
        # what was corrected or busted before it was read itself
        return "refused" if self.has_fill else "superseded"

    def _correct(self, said: Row) -> None:
        """A correction that moves a fill neither in time nor to another instrument keeps its place."""
        before = self.kept
        if before is not None and (before[SYMBOL], before[TIME]) == (said[SYMBOL], said[TIME]):
            said = (*said[:RANK], before[RANK], *said[RANK + 1 :])
        self.kept = said

    def _is_kept(self, said: Row) -> bool:
        return self.kept is not None and same(self.kept, said)


def of_claims(claims: Iterable[Claim], kept: Row | None) -> Fold:
    """The fold of claims that were judged before, whose outcome is kept."""
    fold = Fold(kept=kept)
    for claim in claims:
        if claim.fate != "refused":
            fold.home = fold.home or claim.source_id
            fold.has_fill = fold.has_fill or claim.status == "fill"
            fold.is_busted = fold.is_busted or claim.status == "bust"
            if not any(same(one, claim.said) for one in fold.seen):
                fold.seen.append(claim.said)
    return fold


def settled(claim: Claim, fate: Fate, kept: Row | None) -> Claim:
    """A claim with what became of it in the end: one that stood may be superseded by now."""
    if fate == "stands" and claim.status != "bust" and (kept is None or not same(kept, claim.said)):
        fate = "superseded"
    return replace(claim, fate=fate)


def is_verbatim(claim: Claim, kept: Row | None) -> bool:
    """Whether a claim says word for word what is kept, so that its sighting says it all."""
    return (
        claim.fate == "stands"
        and claim.status == "fill"
        and kept is not None
        and claim.said[1:RANK] == kept[1:RANK]
        and claim.said[SIDE:WIDTH] == kept[SIDE:WIDTH]
    )


def raised(row: Row | None, rank: int) -> Row | None:
    """A row with a rank, if that is higher than its own."""
    if row is None or rank <= row[RANK]:
        return row
    return (*row[:RANK], rank, *row[RANK + 1 :])


def same(one: Row, other: Row) -> bool:
    """Whether two rows are one execution: the same instrument, instant, side and exact numbers."""
    if one[SYMBOL] != other[SYMBOL] or one[TIME] != other[TIME] or one[SIDE] != other[SIDE]:
        return False
    numbers = zip(one[_QUANTITY : _COMMISSION + 1], other[_QUANTITY : _COMMISSION + 1], strict=True)
    return all(a == b or Decimal(a) == Decimal(b) for a, b in numbers)


def status_of(fill: Fill) -> Status:
    """Whether a line is a fill, or a correction or a bust of one."""
    return fill.kind if isinstance(fill, Revision) else "fill"


def conflict(file: str, line: int, said: Row, before: Row) -> Rejection:
    """The rejection of a line whose execution was read before with other content."""
    at = from_micros(said[TIME])
    return Rejection(
        file=file,
        line=line,
        text=_told(said),
        code="conflicting_id",
        reason=f"execution {said[12]} of account {said[1]} was read before as {_told(before)}",
        hint="the first one is kept; check which is right with the broker",
        account=said[1],
        since=at,
        until=at,
    )


def _told(row: Row) -> str:
    _, _, symbol, _, time_us, _, side, quantity, price, commission, *_ = row
    at = from_micros(time_us).isoformat()
    return f"{symbol} {side} {quantity} @ {price} fee {commission} at {at}"
