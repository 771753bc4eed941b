"""Table of a file shown with other cells: place and progress are those of the table below."""

from tearsheet.sources.files.table_source import TableSource


class TableView:
    """Base of a translated table; the subclass finds its heading and translates the rows."""

    def __init__(self, table: TableSource) -> None:
        self._table = table
        #: The heading of the part that is read, in English, and its position.
        self.header: list[str] = []
        self.header_at = 0

    @property
    def line(self) -> int:
        """First line of the row given last."""
        return self._table.line

    @property
    def last_line(self) -> int:
        """Last line of the row given last."""
        return self._table.last_line

    @property
    def bytes_read(self) -> int:
        """Number of bytes read so far."""
        return self._table.bytes_read

    @property
    def resume_after(self) -> int:
        """Position of the row given last."""
        return self._table.resume_after
