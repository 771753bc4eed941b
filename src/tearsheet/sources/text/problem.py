"""Why a row cannot be used."""

from msgspec import Struct

#: Longer ones cannot be looked up in every database; no broker's name comes near.
LONGEST_NAME = 200
NAME_HINT = f"the name of an account, symbol or order is a text of at most {LONGEST_NAME} characters"


class RowProblem(Struct, frozen=True):
    """A rejection's code, reason and hint, before it is known where the row stands."""

    code: str
    reason: str
    hint: str


class RowError(Exception):
    """A row that cannot be used; it becomes a rejection within its file."""

    def __init__(self, code: str, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.problem = RowProblem(code, reason, hint)


NOT_TEXT = RowProblem("bad_encoding", "the row has bytes that are no text", "save the file as UTF-8")
