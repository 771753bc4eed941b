"""Protocol of what gives the rows of a file."""

from collections.abc import Iterator
from typing import Protocol

from tearsheet.sources.text.problem import RowProblem


class TableSource(Protocol):
    """Rows of cells in a file. `line` and `last_line` bound the row given last, as an editor counts."""

    @property
    def line(self) -> int:
        """First line of the row given last."""

    @property
    def last_line(self) -> int:
        """Last line of the last row."""

    @property
    def bytes_read(self) -> int:
        """Number of bytes read so far."""

    @property
    def resume_after(self) -> int:
        """Position after the last row, for `rows`."""

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """Yield the cells of every row after a position, each with the problem of its text."""
