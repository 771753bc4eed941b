"""Fills as the kernel reads them, made by who holds them as buffers already, such as Arrow's."""

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct

from tearsheet.columns.fill_columns import FillColumns, FillPlace, fill_place
from tearsheet.columns.native import Memory, TextColumn

#: Account, symbol, and the side where an account holds both sides at once.
Stream: TypeAlias = tuple[str, str, str | None]


class PackedFills(Struct):
    """A batch of fills, not empty, in the order of `FillColumns`.

    `streams` and `purses` are numbers of 32 bits, one a fill, of the names beside them; a purse is an account and
    currency. `times` and `ranks` are whole numbers of 64 bits. `texts` are the keys, then the six amounts.
    `part` gives the fills from one place to another as columns, `cell` what a column has in a row.
    """

    count: int
    stream_names: list[Stream]
    streams: "memoryview[int]"
    purse_names: list[tuple[str, str]]
    purses: "memoryview[int]"
    kinds: Memory
    times: Memory
    ranks: Memory
    texts: list[TextColumn]
    part: Callable[[int, int], FillColumns]
    cell: Callable[[str, int], Any]

    def columns(self) -> FillColumns:
        """Return the fills as columns."""
        return self.part(0, self.count)


Fills: TypeAlias = FillColumns | PackedFills


def size(fills: Fills) -> int:
    """Return the number of fills."""
    return fills.count if isinstance(fills, PackedFills) else len(fills.key)


def columns_of(fills: Fills) -> FillColumns:
    """Return fills as columns."""
    return fills.columns() if isinstance(fills, PackedFills) else fills


def place_of(fills: Fills, row: int) -> FillPlace:
    """Return the place of a fill in the order; `row` is at least 0."""
    if isinstance(fills, PackedFills):
        return fill_place(fills.part(row, row + 1), 0)
    return fill_place(fills, row)


def cell(fills: Fills, name: str, row: int) -> Any:
    """Return what a column has in a row."""
    return fills.cell(name, row) if isinstance(fills, PackedFills) else getattr(fills, name)[row]
