"""Index of the columns that layouts require, by which a line of a file is compared with all layouts at once."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain

from tearsheet.sources.layouts.header import HeaderPlaces, is_exact, normalize_name, possible_cells
from tearsheet.sources.layouts.layout import Layout


class LayoutIndex:
    """Layouts by the names of their columns.

    Thousands of lines of a file may be its header, and there are more than a hundred layouts. To look for each
    column of each layout took 1.4 ms a line; to look up the cells of the line takes 20 µs.
    """

    def __init__(self, known: Sequence[Layout]) -> None:
        self._known = known
        self._needed = [len(layout.needed) or 1 for layout in known]
        #: the layout of each required column, by number
        self._owners: list[int] = []
        #: required columns by each name that satisfies them
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._inexact: dict[str, list[int]] = defaultdict(list)
        self._required = [len(layout.requirements) for layout in known]
        for owner, layout in enumerate(known):
            for _, names in layout.requirements:
                for name in dict.fromkeys(names):
                    self._exact[normalize_name(name)].append(len(self._owners))
                    if not is_exact(name):
                        self._inexact[name].append(len(self._owners))
                self._owners.append(owner)
        self._may_be_inexact = re.compile("|".join(map(possible_cells, self._inexact)) or r"(?!)").fullmatch
        #: layouts with other rules than required columns are asked about each line
        self._special = [
            owner
            for owner, layout in enumerate(known)
            if layout.tables or layout.recognised_by.only or not layout.requirements
        ]
        empty = HeaderPlaces({"\0": 0}, 1)
        self._least = max(
            (self._overlap(n, len(one.missing(empty))) for n, one in enumerate(known)), default=0.0
        )

    def match(self, names: HeaderPlaces) -> tuple[list[Layout], float]:
        """Return the layouts that a header fits, and its largest overlap with any layout, from 0 to 1."""
        columns = set(chain(*(self._exact[name] for name in self._exact.keys() & names.keys())))
        if few := names.only(self._may_be_inexact):
            found = (numbers for name, numbers in self._inexact.items() if few.place(name) is not None)
            columns.update(chain(*found))
        missing = {
            owner: self._required[owner] - number
            for owner, number in Counter(map(self._owners.__getitem__, columns)).items()
        }
        missing |= {owner: len(self._known[owner].missing(names)) for owner in self._special}
        overlaps = (self._overlap(owner, number) for owner, number in missing.items())
        fitting = [self._known[owner] for owner in sorted(missing) if not missing[owner]]
        return fitting, max((self._least, *overlaps))

    def _overlap(self, owner: int, missing: int) -> float:
        return 1 - missing / self._needed[owner]
