"""Reasons to reject a row."""

from msgspec import Struct

#: Longer names do not fit the index of every database.
LONGEST_NAME = 200
NAME_HINT = f"the name of an account, symbol or order is a text of at most {LONGEST_NAME} characters"


class RowProblem(Struct, frozen=True):
    """Code, reason and hint of a rejection, without file and line."""

    code: str
    reason: str
    hint: str


class RowError(Exception):
    """A row that is rejected."""

    def __init__(self, code: str, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.problem = RowProblem(code, reason, hint)


#: Cells of a row and keys of an object; the widest statement known has 190.
MOST_COLUMNS = 1_000
TOO_WIDE = RowProblem("line_too_long", f"the row has more than {MOST_COLUMNS:,} cells", "check the separator")
NOT_TEXT = RowProblem("bad_encoding", "the row is not valid text", "save it as UTF-8")
