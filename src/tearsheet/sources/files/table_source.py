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
        """Last line of the row given last."""

    @property
    def bytes_read(self) -> int:
        """Number of bytes read so far."""

    @property
    def resume_after(self) -> int:
        """What `rows` has to be told to go on below the row given last."""

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """The cells of every row below a line, with what is wrong with them as text."""
