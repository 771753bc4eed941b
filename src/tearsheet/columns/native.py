"""The compiled kernel, called by ctypes; without it every fold takes the exact lane and gives the same numbers.

`kernel.c` states the same numbers of cells: they are the format of the rows between the two.
"""

import ctypes
from array import array
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec import Struct

from tearsheet.columns.build import library_name

VERSION: Final = 2
LIBRARY = Path(__file__).with_name(library_name())

IS_BUY, CLOSES, IS_PAPER, IS_LIVE, HAS_STOP, HAS_TARGET, HAS_PLAN = 1, 2, 4, 8, 16, 64, 32
#: Bits of the decimals of an account: of quantities, prices, fees, multipliers and money.
OF_QUANTITY, OF_PRICE, OF_FEE, OF_MULTIPLIER, OF_MONEY = 1, 2, 4, 8, 16
SCALES, AMOUNTS, BOUNDS, MOST_WAITING = 5, 6, 5, 256
#: What `times` gives for a text that it does not read.
NO_TIME: Final = -(2**63)


def _cells(names: str) -> tuple[dict[str, int], int]:
    """Return the place of each name and the number of cells; a name that ends in * takes two cells."""
    places, cell = {}, 0
    for name in names.split():
        places[name.rstrip("*")] = cell
        cell += 2 if name.endswith("*") else 1
    return places, cell


POSITION, POSITION_CELLS = _cells(
    "account stream purse side fills opened last id first_row last_row kind rank multiplier* held* peak* quantity* "
    "entry* exit* cost* gross* fees* stop* target* plan*"
)
BOOKING, BOOKING_CELLS = _cells("account row id part closes quantity* price* gross* fees*")
TALLY, TALLY_CELLS = _cells(
    "account purse session last fills wins losses evens win_held loss_held paper live plans multiples outcomes first "
    "first_length run run_length long_win long_loss falls gross* fees* quantity* net* high* low* drawdown* won* lost* "
    "even* best* worst* plan_sum* r_sum* r_squares* trough* deepest*"
)
FALL, FALL_CELLS = _cells("account purse session high* depth*")


class FillsPointer(ctypes.Structure):
    """A batch of fills as the kernel reads it."""

    _fields_ = (
        ("count", ctypes.c_int64),
        *(
            (name, ctypes.c_void_p)
            for name in ("stream", "purse", "time", "rank", "kind", "key_ends", "keys")
        ),
        ("gap", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("values", "digits")),
    )


class BooksPointer(ctypes.Structure):
    """What is open, and the tallies of the last session, as the kernel reads and writes them."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("streams", "purses", "accounts")),
        *(
            (name, ctypes.c_void_p)
            for name in (
                "account_of",
                "account_place",
                "symbol_place",
                "name_ends",
                "names",
                "purse_account",
                "total_of",
                "scales",
                "positions",
                "waiting",
            )
        ),
        ("waiting_count", ctypes.c_int64),
        ("tallies", ctypes.c_void_p),
        ("session_count", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("session_starts", "session_days")),
        *((name, ctypes.c_int64) for name in ("band", "breakeven_breaks_streak")),
    )


class OutputPointer(ctypes.Structure):
    """Room for what a batch comes to, and how much of it was written."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("bookings", "positions", "tallies", "falls", "touched")),
        *(
            (name, ctypes.c_int64)
            for name in (
                "booking_count",
                "position_count",
                "tally_count",
                "fall_count",
                "touched_count",
                "session",
            )
        ),
    )


@cache
def library() -> ctypes.CDLL | None:
    """Return the kernel; None where it was not built or is of another version."""
    try:
        found = ctypes.CDLL(str(LIBRARY))
        if found.version() != VERSION:
            return None
    except (OSError, AttributeError):
        return None
    for name in ("split", "disorder", "fit", "fold", "finish", "format", "times"):
        getattr(found, name).restype = ctypes.c_int64
    return found


def is_available() -> bool:
    """Return whether the kernel is there."""
    return library() is not None


def kernel() -> ctypes.CDLL:
    """Return the kernel, which has to be there."""
    found = library()
    assert found is not None
    return found


class Memory(NamedTuple):
    """Bytes of somebody else, who is kept alive with them."""

    address: int
    owner: object


Buffer: TypeAlias = "bytes | bytearray | array[Any] | Memory"


def address(buffer: Buffer) -> int:
    """Return where a buffer lies; the caller keeps it alive and does not resize it meanwhile."""
    if isinstance(buffer, Memory):
        return buffer.address
    if isinstance(buffer, array):
        return buffer.buffer_info()[0]
    if isinstance(buffer, bytearray):
        return ctypes.addressof(ctypes.c_char.from_buffer(buffer)) if buffer else 0
    return ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0


def addresses(*buffers: Buffer) -> list[int]:
    """Return where buffers lie."""
    return [address(buffer) for buffer in buffers]


def pointer(buffer: Buffer) -> ctypes.c_void_p:
    """Return a buffer as an argument of the kernel."""
    return ctypes.c_void_p(address(buffer))


class TextColumn(NamedTuple):
    """Texts one after the other with `gap` bytes between them; `ends` has one more: where each begins."""

    ends: "array[int] | Memory"
    data: "bytes | Memory"
    gap: int


def text_column(texts: Sequence[str | None]) -> TextColumn | None:
    """Return texts as a column, None as the empty text; None if a text has a zero in it."""
    try:
        data = "\0".join(texts).encode()  # type: ignore[arg-type]
    except TypeError:
        data = "\0".join([text or "" for text in texts]).encode()
    ends = array("i", bytes(4 * (len(texts) + 1)))
    count = kernel().split(ctypes.c_int64(len(data)), data, ctypes.c_int64(len(texts)), pointer(ends))
    return TextColumn(ends, data, 1) if count == len(texts) else None


def times(texts: Sequence[str], *, is_utc: bool) -> "array[int] | None":
    """Return the microseconds of times in ISO 8601, `NO_TIME` for texts that are written otherwise.

    A time without an offset is one in UTC if `is_utc`, else written otherwise. None if a text has a zero in it.
    """
    column, micros = text_column(texts), array("q", bytes(8 * len(texts)))
    if column is None:
        return None
    numbers = ctypes.c_int64(len(texts)), pointer(column.ends), pointer(column.data)
    kernel().times(*numbers, ctypes.c_int64(is_utc), pointer(micros))
    return micros


def parse(columns: Sequence[TextColumn], count: int) -> tuple[bytearray, bytearray]:
    """Return the numbers of text columns, one column after the other, and their decimals."""
    values, digits = bytearray(16 * count * len(columns)), bytearray(count * len(columns))
    for k, column in enumerate(columns):
        kernel().parse(
            ctypes.c_int64(count),
            pointer(column.ends),
            ctypes.c_int64(column.gap),
            pointer(column.data),
            ctypes.c_void_p(address(values) + 16 * count * k),
            ctypes.c_void_p(address(digits) + count * k),
        )
    return values, digits


class Rows(Struct):
    """Rows of cells, and the decimals of the accounts they speak of."""

    data: bytearray
    count: int
    cells: int
    scales: "array[int]"

    def integers(self, cell: int) -> list[int]:
        """Return the cells at a place."""
        return memoryview(self.data).cast("q")[cell : self.count * self.cells : self.cells].tolist()

    def texts(self, cell: int, which: int = 0, *, flat: int = -1, inverse: int = -1) -> list[str]:
        """Return the canonical texts of the numbers at a place; `which` are bits of the decimals they have."""
        if not self.count:
            return []
        room = bytearray(42 * self.count)
        numbers = (
            self.count,
            address(self.data),
            self.cells,
            cell,
            address(self.scales),
            which,
            flat,
            inverse,
        )
        end = kernel().format(*map(ctypes.c_int64, numbers), pointer(room))
        return room[: end - 1].decode().split("\0")

    def sort_keys(self, cell: int, which: int, *, less: int = -1) -> list[int]:
        """Return the keys by which the ledger sorts the numbers at a place, less those at another place."""
        keys = array("q", bytes(8 * self.count))
        places = map(ctypes.c_int64, (self.cells, cell, less))
        of_rows = ctypes.c_int64(self.count), pointer(self.data)
        kernel().sort_keys(*of_rows, *places, pointer(self.scales), ctypes.c_int64(which), pointer(keys))
        return keys.tolist()

    def ids(self, cell: int) -> list[str]:
        """Return the ids at a place, as `position_id` makes them."""
        if not self.count:
            return []
        room = bytearray(17 * self.count)
        numbers = (self.count, address(self.data), self.cells, cell)
        kernel().hex(*map(ctypes.c_int64, numbers), pointer(room))
        return room[:-1].decode().split("\0")


def integers(values: Iterable[int]) -> "array[int]":
    """Return whole numbers of 64 bits."""
    return array("q", values)
