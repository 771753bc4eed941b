"""Folds fills in order into bookings, positions and session tallies.

It takes the kernel where the numbers fit 128 bits, else `Book` itself. Both lanes give the same rows, to the digit.
"""

from tearsheet.columns.exact_lane import ExactLane, FoldParts, FoldRules, OpenBooks
from tearsheet.columns.fill_columns import FillPlace, FoldOutput, empty_fold, out_of_order
from tearsheet.columns.kernel_lane import KernelLane, can_hold
from tearsheet.columns.packed_fills import Fills, columns_of, place_of, size
from tearsheet.performance.tally import ALL_ACCOUNTS

_EVERYTHING = FoldParts()


class Fold:
    """Folds batches as they come; `finish` gives what is open. A fill that does not come after the last is refused.

    Numbers that do not fit the kernel move the fold to the exact lane, for that batch and all after it. What is not
    among `parts` is left empty.
    """

    def __init__(self, rules: FoldRules, *, is_exact: bool = False, parts: FoldParts = _EVERYTHING) -> None:
        self._rules, self._parts = rules, parts
        self._last: FillPlace | None = None
        self._lane: KernelLane | ExactLane
        if is_exact or not can_hold(rules):
            self._lane = ExactLane(rules, OpenBooks([], [], []))
        else:
            self._lane = KernelLane(rules, parts)

    @property
    def is_exact(self) -> bool:
        """Return whether the fold takes the exact lane."""
        return isinstance(self._lane, ExactLane)

    def add(self, fills: Fills) -> FoldOutput:
        """Fold a batch; the positions are those that closed. Raises UsageError where the order is broken."""
        count = size(fills)
        if not count:
            return empty_fold()
        first = place_of(fills, 0)
        if self._last is not None and first <= self._last:
            raise out_of_order(first, self._last)
        lane = self._lane
        folded = lane.add(columns_of(fills)) if isinstance(lane, ExactLane) else lane.add(fills)
        if folded is None and isinstance(lane, KernelLane):
            self._lane = ExactLane(self._rules, lane.open_books())
            folded = self._lane.add(columns_of(fills))
        assert folded is not None
        self._last = place_of(fills, count - 1)
        return self._asked(folded)

    def finish(self) -> FoldOutput:
        """Return the open positions and the tallies of the last session."""
        return self._asked(self._lane.finish())

    def _asked(self, folded: FoldOutput) -> FoldOutput:
        tallies = folded.tallies
        if not self._parts.has_totals:
            tallies = [one for one in tallies if one.account != ALL_ACCOUNTS]
        rows = folded[:2] if self._parts.has_rows else empty_fold()[:2]
        return FoldOutput(*rows, tallies)
