"""Reasons to reject a row."""

from msgspec import Struct

from tearsheet.sources.text.lines import truncate
from tearsheet.trade.fill import Rejection

#: Characters of a row that its rejection shows.
SHOWN = 500
#: Longer names do not fit the index of every database.
LONGEST_NAME = 200
NAME_HINT = f"names of accounts, symbols and orders have at most {LONGEST_NAME} characters"


class RowProblem(Struct, frozen=True):
    """Code, reason and hint of a rejection, without file and line."""

    code: str
    reason: str
    hint: str

    def rejection(self, file: str, line: int, text: str) -> Rejection:
        """Return the rejection of a row, with its text cut to what is shown."""
        shown = truncate(text, SHOWN)
        return Rejection(file=file, line=line, text=shown, code=self.code, reason=self.reason, hint=self.hint)


class RowError(Exception):
    """A row that is rejected."""

    def __init__(self, code: str, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.problem = RowProblem(code, reason, hint)


#: Cells of a row and keys of an object; the widest statement known has 190.
MOST_COLUMNS = 1_000
TOO_WIDE = RowProblem("line_too_long", f"the row has more than {MOST_COLUMNS:,} cells", "check the separator")
NOT_TEXT = RowProblem("bad_encoding", "the row is not valid text", "save it as UTF-8")
