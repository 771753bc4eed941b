"""Folds fills in order into bookings, positions and session tallies.

It takes the kernel where the numbers fit 128 bits, else `Book` itself. Both lanes give the same rows, to the digit.
"""

from tearsheet.columns.exact_lane import ExactLane, FoldRules, OpenBooks
from tearsheet.columns.fill_columns import (
    FillColumns,
    FillPlace,
    FoldOutput,
    empty_fold,
    fill_place,
    out_of_order,
)
from tearsheet.columns.kernel_lane import KernelLane, can_hold


class Fold:
    """Folds batches as they come; `finish` gives what is open. A fill that does not come after the last is refused.

    Numbers that do not fit the kernel move the fold to the exact lane, for that batch and all after it.
    """

    def __init__(self, rules: FoldRules, *, is_exact: bool = False) -> None:
        self._rules = rules
        self._last: FillPlace | None = None
        self._lane: KernelLane | ExactLane
        if is_exact or not can_hold(rules):
            self._lane = ExactLane(rules, OpenBooks([], [], []))
        else:
            self._lane = KernelLane(rules)

    @property
    def is_exact(self) -> bool:
        """Return whether the fold takes the exact lane."""
        return isinstance(self._lane, ExactLane)

    def add(self, columns: FillColumns) -> FoldOutput:
        """Fold a batch; the positions are those that closed. Raises UsageError where the order is broken."""
        if not columns.key:
            return empty_fold()
        first = fill_place(columns, 0)
        if self._last is not None and first <= self._last:
            raise out_of_order(first, self._last)
        lane, folded = self._lane, self._lane.add(columns)
        if folded is None and isinstance(lane, KernelLane):
            self._lane = ExactLane(self._rules, lane.open_books())
            folded = self._lane.add(columns)
        assert folded is not None
        self._last = fill_place(columns, -1)
        return folded

    def finish(self) -> FoldOutput:
        """Return the open positions and the tallies of the last session."""
        return self._lane.finish()
