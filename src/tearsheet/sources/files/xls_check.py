"""Checks an .xls workbook (BIFF in a compound file), and copies its record stream into a new file.

The reader trusts counts and chains of the original: a wrong one ends the process or never ends.
Formulas and the stated used range are cleared in the copy, for neither is needed.
"""

from array import array
from collections.abc import Iterator
from io import BytesIO
from struct import error as StructError  # noqa: N812
from struct import pack_into, unpack_from
from typing import BinaryIO

from tearsheet.sources.files.compound_file import read_stream, write_compound_file
from tearsheet.sources.files.workbook_limits import CellBudget, CheckedWorkbook, WorkbookTooLargeError

_MOST_BYTES = 64 << 20
_BOUND_SHEET, _DIMENSIONS, _STRINGS, _CONTINUE, _END, _FILE_PASS = 0x85, 0x200, 0xFC, 0x3C, 0x0A, 0x2F
_FORMULA, _LABEL, _ERROR, _MANY_NUMBERS = 0x06, 0xFD, 0x205, 0xBD
_CELLS = {_FORMULA, _LABEL, _ERROR, _MANY_NUMBERS, 0x203, 0x204, 0x27E}
_ERROR_TEXTS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}


def check_xls(file: BinaryIO) -> CheckedWorkbook:
    """Check and copy a workbook. Raises WorkbookTooLargeError and ValueError."""
    content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise WorkbookTooLargeError(f"it has more than {_MOST_BYTES >> 20} MB")
    try:
        stream = bytearray(read_stream(content, ("workbook", "book")))
        error_cells = _check_records(stream)
    except (StructError, IndexError) as error:
        raise ValueError(f"it is damaged: {error}") from None
    return CheckedWorkbook(BytesIO(write_compound_file("Workbook", stream)), error_cells)


def _check_records(stream: bytearray) -> list[dict[tuple[int, int], str]]:
    """Check the records of the workbook and of each sheet. Returns the error cells of each sheet."""
    lengths = array("L")
    sheets = []
    for kind, start, size in _records(stream, 0):
        if kind == _FILE_PASS:
            raise ValueError("it is protected by a password")
        if kind == _BOUND_SHEET:
            sheets.append(unpack_from("<I", stream, start)[0])
        elif kind == _STRINGS:
            lengths = _string_lengths(stream, start, size)
    budget = CellBudget()
    return [_check_sheet(stream, place, lengths, budget) for place in sheets]


def _records(stream: bytearray, place: int) -> Iterator[tuple[int, int, int]]:
    """Yield the kind, start and size of each record up to the end of a substream."""
    kind = -1
    while kind != _END and place + 4 <= len(stream):
        kind, size = unpack_from("<HH", stream, place)
        if place + 4 + size > len(stream):
            raise ValueError("a record is cut off")
        yield kind, place + 4, size
        place += 4 + size


def _check_sheet(
    stream: bytearray, place: int, lengths: "array[int]", budget: CellBudget
) -> dict[tuple[int, int], str]:
    if place >= len(stream):
        raise ValueError("a sheet is missing")
    budget.start_sheet()
    errors = {}
    for kind, start, size in _records(stream, place):
        budget.add_cells(1)
        if kind == _DIMENSIONS:
            stream[start : start + size] = bytes(size)
        elif kind in _CELLS:
            row, column = unpack_from("<HH", stream, start)
            last = unpack_from("<H", stream, start + size - 2)[0] if kind == _MANY_NUMBERS else column
            budget.add(row, column, row, last)
            if kind == _LABEL:
                budget.add_text(lengths[unpack_from("<I", stream, start + 6)[0]])
            elif kind == _ERROR and stream[start + 7]:
                errors[row, column] = _ERROR_TEXTS.get(stream[start + 6], "#ERROR!")
            elif kind == _FORMULA:
                if stream[start + 12 : start + 14] == b"\xff\xff" and stream[start + 6] == 2:
                    errors[row, column] = _ERROR_TEXTS.get(stream[start + 8], "#ERROR!")
                pack_into("<H", stream, start + 20, 0)
    return errors


def _string_lengths(stream: bytearray, start: int, size: int) -> "array[int]":
    """Return the lengths of the shared strings, which may go on in other records."""
    ends = [start + size]
    while unpack_from("<H", stream, ends[-1])[0] == _CONTINUE:
        ends.append(ends[-1] + 4 + unpack_from("<H", stream, ends[-1] + 2)[0])
    count = unpack_from("<I", stream, start + 4)[0]
    if count > len(stream) // 3:
        raise ValueError("it has fewer strings than it states")
    lengths = array("L")
    place, part = start + 8, 0
    for _ in range(count):
        if place == ends[part]:
            place, part = place + 4, part + 1
        length, flags = unpack_from("<HB", stream, place)
        lengths.append(length)
        place += 3
        after = 0
        if flags & 8:
            after += 4 * unpack_from("<H", stream, place)[0]
            place += 2
        if flags & 4:
            after += unpack_from("<I", stream, place)[0]
            place += 4
        left, width = length, 1 + (flags & 1)
        while left > (fitting := (ends[part] - place) // width):
            left -= fitting
            place, part = ends[part] + 4, part + 1
            width = 1 + (stream[place] & 1)
            place += 1
        place += left * width
        while place + after > ends[part]:
            after -= ends[part] - place
            place, part = ends[part] + 4, part + 1
        place += after
    return lengths
