"""A process that makes parts of a run: it reads one request a line and answers each with a line, until the input ends.

So it ends by itself when the process that started it does, however that one ended.
"""

import sys
from importlib.abc import MetaPathFinder

import msgspec
from msgspec import Struct

from tearsheet.bulk.lake import Lake
from tearsheet.bulk.run import BulkRun, make_part
from tearsheet.errors import TearsheetError


class PartRequest(Struct):
    """A part to be made."""

    lake: str
    run: BulkRun
    part: str


class PartAnswer(Struct, omit_defaults=True):
    """A part that was made, or why it could not be: code, message and hint of the error."""

    part: str
    fills: int = 0
    error: tuple[str, str, str] | None = None


class _WithoutPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Refuse the import of pandas, and leave all others to the next finder."""
        if fullname == "pandas":
            raise ImportError("pandas is not needed here")


def main() -> None:
    """Answer requests until there are none.

    Where pandas is installed, pyarrow imports it with the first value of Python, for a second and for nothing here.
    """
    sys.meta_path.insert(0, _WithoutPandas())
    for line in sys.stdin.buffer:
        request = msgspec.json.decode(line, type=PartRequest)
        sys.stdout.buffer.write(msgspec.json.encode(answer(request)) + b"\n")
        sys.stdout.buffer.flush()


def answer(request: PartRequest) -> PartAnswer:
    """Make a part."""
    try:
        mark = make_part(Lake.open(request.lake), request.run, request.part)
    except TearsheetError as error:
        return PartAnswer(request.part, error=(error.code, error.message, error.hint))
    return PartAnswer(request.part, mark.fills)


if __name__ == "__main__":
    main()
