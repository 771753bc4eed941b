"""Columns of values as Arrow buffers, made with the standard library, and back."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate, islice, pairwise
from typing import Any, Literal, get_args

from msgspec import Struct

from tearsheet.app.analysis.table_columns import Column
from tearsheet.errors import InexactError
from tearsheet.trade.amount import EXACT, to_plain_string
from tearsheet.trade.session import from_micros, to_micros

Money = Literal["decimal", "float", "text"]
MONEY: tuple[Money, ...] = get_args(Money)
#: Rows of a chunk; a copy of a library is of one chunk at a time.
CHUNK_ROWS = 65_536
SCALE, PRECISION = 18, 38
_ONE = 10**SCALE
_LIMIT = 10**PRECISION
_EPOCH = date(1970, 1, 1).toordinal()
_MICROSECOND = timedelta(microseconds=1)


class PackedColumn(Struct, frozen=True):
    """A column as Arrow lays it out; `ends` are of texts and lists, `inside` the texts of lists."""

    count: int
    nulls: int
    validity: bytes | None
    data: bytes | array  # type: ignore[type-arg]
    ends: "array[int] | None" = None
    inside: "PackedColumn | None" = None


class Chunk(Struct, frozen=True):
    """Rows as packed columns."""

    count: int
    columns: tuple[PackedColumn, ...]


def with_money(columns: Sequence[Column], money: Money) -> tuple[Column, ...]:
    """Return the columns with amounts as exact decimals, floats or canonical text."""
    if money == "decimal":
        return tuple(columns)
    kind: Literal["float", "text"] = "float" if money == "float" else "text"
    return tuple(
        Column(one.name, kind, one.words, is_amount=True) if one.type == "decimal" else one for one in columns
    )


def pack_chunks(
    columns: Sequence[Column], rows: Iterable[tuple[Any, ...]], size: int = CHUNK_ROWS
) -> Iterator[Chunk]:
    """Yield rows as chunks. Raises InexactError for an amount that its column cannot hold."""
    source = iter(rows)
    while taken := list(islice(source, size)):
        values = zip(*taken, strict=True)
        packed = (pack(column, list(own)) for column, own in zip(columns, values, strict=True))
        yield Chunk(len(taken), tuple(packed))


def pack(column: Column, values: Sequence[Any]) -> PackedColumn:
    """Return the packed values of a column."""
    present = [value is not None for value in values]
    nulls = present.count(False)
    validity = _bits(present) if nulls else None
    if column.type in ("text", "texts"):
        return _pack_texts(column, values, nulls, validity)
    try:
        data = _PACKERS[column.type](values)
    except InexactError as error:
        row = next(k for k, value in enumerate(values) if not _fits(value))
        raise InexactError(f"{column.name} of row {row + 1} is {error.message}", error.hint) from None
    return PackedColumn(len(values), nulls, validity, data)


def unpack(column: Column, packed: PackedColumn) -> list[Any]:
    """Return the values of a packed column."""
    values = _UNPACKERS[column.type](packed)
    if packed.validity is None:
        return values
    bits = int.from_bytes(packed.validity, "little")
    present = f"{bits:0{packed.count}b}"[::-1]
    return [value if flag == "1" else None for value, flag in zip(values, present, strict=True)]


def tuples(columns: Sequence[Column], chunk: Chunk) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a chunk."""
    pairs = zip(columns, chunk.columns, strict=True)
    yield from zip(*(unpack(column, own) for column, own in pairs), strict=True)


def floats_of(packed: PackedColumn) -> PackedColumn:
    """Return a decimal column as the nearest floats."""
    data = array("d", (number / _ONE for number in _numbers(packed)))
    return PackedColumn(packed.count, packed.nulls, packed.validity, data)


def _pack_texts(column: Column, values: Sequence[Any], nulls: int, validity: bytes | None) -> PackedColumn:
    if column.type == "texts":
        ends = array("i", accumulate((len(value or ()) for value in values), initial=0))
        inside = pack(Column(column.name, "text", ""), [text for value in values for text in value or ()])
        return PackedColumn(len(values), nulls, validity, b"", ends, inside)
    texts = [_text(value).encode() for value in values]
    ends = array("i", accumulate(map(len, texts), initial=0))
    return PackedColumn(len(values), nulls, validity, b"".join(texts), ends)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _plain(value) if isinstance(value, Decimal) else value


_plain = lru_cache(10_000)(to_plain_string)


def _bits(flags: Sequence[Any]) -> bytes:
    """Return flags as bits, the first one lowest."""
    number = int("".join("1" if flag else "0" for flag in reversed(flags)) or "0", 2)
    return number.to_bytes((len(flags) + 7) // 8, "little")


@lru_cache(50_000)
def _cell(value: Decimal) -> bytes:
    scaled = value.scaleb(SCALE, EXACT)
    number = int(scaled)
    if number != scaled or not -_LIMIT < number < _LIMIT:
        raise InexactError(
            f"{to_plain_string(value)}, which 38 digits with 18 decimals cannot hold",
            'ask for money="text", which has every digit, or money="float"',
        )
    return number.to_bytes(16, "little", signed=True)


_NO_CELL = bytes(16)


def _fits(value: Decimal | None) -> bool:
    try:
        return value is None or bool(_cell(value))
    except InexactError:
        return False


def _decimals(values: Sequence[Decimal | None]) -> bytes:
    return b"".join([_NO_CELL if value is None else _cell(value) for value in values])


def _int64(of: Callable[[Any], int]) -> Callable[[Sequence[Any]], "array[int]"]:
    return lambda values: array("q", [0 if value is None else of(value) for value in values])


def _numbers(packed: PackedColumn) -> list[int]:
    cells = memoryview(packed.data).cast("B").cast("q").tolist()
    low = memoryview(packed.data).cast("B").cast("Q").tolist()[::2]
    return [(high << 64) | small for high, small in zip(cells[1::2], low, strict=True)]


def _unpack_texts(packed: PackedColumn) -> list[str]:
    assert packed.ends is not None
    data, ends = bytes(packed.data), packed.ends
    return [data[start:end].decode() for start, end in pairwise(ends)]


def _unpack_lists(packed: PackedColumn) -> list[list[str]]:
    assert packed.ends is not None
    assert packed.inside is not None
    texts, ends = _unpack_texts(packed.inside), packed.ends
    return [texts[start:end] for start, end in pairwise(ends)]


def _decimal_of(number: int) -> Decimal:
    return Decimal(to_plain_string(Decimal(number).scaleb(-SCALE, EXACT)))


def _flags(packed: PackedColumn) -> list[bool]:
    bits = int.from_bytes(packed.data, "little") if isinstance(packed.data, bytes) else 0
    return [character == "1" for character in f"{bits:0{packed.count}b}"[::-1]] if packed.count else []


_PACKERS: dict[str, Callable[[Sequence[Any]], "bytes | array[Any]"]] = {
    "decimal": _decimals,
    "float": lambda values: array("d", [0.0 if value is None else float(value) for value in values]),
    "count": _int64(int),
    "flag": _bits,
    "time": _int64(to_micros),
    "duration": _int64(lambda value: value // _MICROSECOND),
    "date": lambda values: array(
        "i", [0 if value is None else value.toordinal() - _EPOCH for value in values]
    ),
}
_UNPACKERS: dict[str, Callable[[PackedColumn], list[Any]]] = {
    "text": _unpack_texts,
    "texts": _unpack_lists,
    "decimal": lambda packed: list(map(_decimal_of, _numbers(packed))),
    "float": lambda packed: list(packed.data),
    "count": lambda packed: list(packed.data),
    "flag": _flags,
    "time": lambda packed: [from_micros(micros) for micros in packed.data],
    "duration": lambda packed: [timedelta(microseconds=micros) for micros in packed.data],
    "date": lambda packed: [date.fromordinal(day + _EPOCH) for day in packed.data],
}
