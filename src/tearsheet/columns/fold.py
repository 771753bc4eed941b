"""Folds fills in order into bookings, positions and session tallies.

It takes the kernel where the numbers fit 128 bits, else `Book` itself. Both lanes give the same rows, to the digit.
"""

from tearsheet.columns.exact_lane import ExactLane, FoldRules, OpenBooks
from tearsheet.columns.fill_columns import FillColumns, Folded, empty_fold
from tearsheet.columns.kernel_lane import KernelLane, can_hold
from tearsheet.errors import UsageError

_Place = tuple[int, str, int, str, int, str]


class Fold:
    """Folds batches as they come; `finish` gives what is open. A fill that does not come after the last is refused.

    Numbers that do not fit the kernel move the fold to the exact lane, for that batch and all after it.
    """

    def __init__(self, rules: FoldRules, *, is_exact: bool = False) -> None:
        self._rules = rules
        self._last: _Place | None = None
        self._lane: KernelLane | ExactLane
        if is_exact or not can_hold(rules):
            self._lane = ExactLane(rules, OpenBooks([], [], []))
        else:
            self._lane = KernelLane(rules)

    @property
    def is_exact(self) -> bool:
        """Return whether the fold takes the exact lane."""
        return isinstance(self._lane, ExactLane)

    def add(self, columns: FillColumns) -> Folded:
        """Fold a batch; the positions are those that closed. Raises UsageError where the order is broken."""
        if not columns.key:
            return empty_fold()
        first = _place(columns, 0)
        if self._last is not None and first <= self._last:
            raise _out_of_order(first, self._last)
        lane, folded = self._lane, None
        if isinstance(lane, KernelLane):
            row = lane.disorder(columns)
            if row is not None:
                raise _out_of_order(_place(columns, row), _place(columns, row - 1))
            folded = lane.add(columns)
            if folded is None:
                lane = self._lane = ExactLane(self._rules, lane.open_books())
        if isinstance(lane, ExactLane):
            _check_order(columns)
            folded = lane.add(columns)
        assert folded is not None
        self._last = _place(columns, -1)
        return folded

    def finish(self) -> Folded:
        """Return the open positions and the tallies of the last session."""
        return self._lane.finish()


def _place(columns: FillColumns, row: int) -> _Place:
    rank = columns.rank[row]
    line = rank if rank >> 32 else 0
    return columns.time_us[row], columns.account[row], line, columns.symbol[row], rank, columns.key[row]


def _check_order(columns: FillColumns) -> None:
    before = _place(columns, 0)
    for row in range(1, len(columns.key)):
        here = _place(columns, row)
        if here <= before:
            raise _out_of_order(here, before)
        before = here


def _out_of_order(here: _Place, before: _Place) -> UsageError:
    return UsageError(f"the fill at {here} does not come after the one at {before}")
