"""Batches of a lake as the kernel reads them: Arrow's own buffers, and numbers for names."""

from typing import Any

from tearsheet.bulk.arrow import pa, pc
from tearsheet.bulk.fill_schema import AMOUNTS
from tearsheet.columns import native as k
from tearsheet.columns.fill_columns import FillColumns
from tearsheet.columns.packed_fills import PackedFills

#: Something to point to where a column has no text at all.
_NOTHING = b"\0" * 8


def packed(batch: Any) -> PackedFills:
    """Return a record batch of fills, not empty, as the kernel reads it."""
    account, symbol, currency = (_coded(batch.column(name)) for name in ("account", "symbol", "currency"))
    side = batch.column("position_side")
    sides = None if side.null_count == len(side) else _coded(side)
    streams, stream_names = _numbered(account, symbol, sides)
    purses, purse_names = _numbered(account, currency, None)
    times = batch.column("time").cast(pa.int64())
    return PackedFills(
        count=batch.num_rows,
        stream_names=[(name[0], name[1], name[2]) for name in stream_names],
        streams=streams,
        purse_names=[(name[0], name[1]) for name in purse_names],
        purses=purses,
        kinds=_memory(_kinds(batch), 1),
        times=_memory(times, 8),
        ranks=_memory(batch.column("rank"), 8),
        texts=[_texts(batch.column(name)) for name in ("key", *AMOUNTS)],
        part=lambda start, end: columns_of_batch(batch.slice(start, end - start)),
        cell=lambda name, row: times[row].as_py() if name == "time_us" else batch.column(name)[row].as_py(),
    )


def columns_of_batch(batch: Any) -> FillColumns:
    """Return a record batch of fills as columns."""
    lists = {name: batch.column(name) for name in FillColumns._fields if name not in ("time_us", "closes")}
    lists["time_us"] = batch.column("time").cast(pa.int64())
    lists["closes"] = batch.column("closes").cast(pa.uint8())
    return FillColumns(*(lists[name].to_pylist() for name in FillColumns._fields))


def _coded(column: Any) -> Any:
    """Return a text column as a dictionary, a null as one of its values."""
    column = (
        column.dictionary_decode() if pa.types.is_dictionary(column.type) and column.null_count else column
    )
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode("encode")


def _numbered(first: Any, second: Any, third: Any) -> tuple["memoryview[int]", list[tuple[Any, ...]]]:
    """Return a number of 32 bits for each combination of names, and what the numbers stand for."""
    parts = [first, second] + ([] if third is None else [third])
    code = first.indices.cast(pa.int64())
    for part in parts[1:]:
        code = pc.add(pc.multiply(code, len(part.dictionary)), part.indices.cast(pa.int64()))
    found = code.dictionary_encode()
    names = [part.dictionary.to_pylist() for part in parts]
    stand_for = []
    for number in found.dictionary.to_pylist():
        places = []
        for own in reversed(names):
            number, place = divmod(number, len(own))
            places.append(own[place])
        stand_for.append((*reversed(places), *([None] * (3 - len(parts)))))
    numbers = memoryview(found.indices.buffers()[1]).cast("i")
    start = found.indices.offset
    return numbers[start : start + len(found)], stand_for


def _kinds(batch: Any) -> Any:
    """Return the bits of side, closing mark and mode, one byte a fill."""
    kinds = _flag(batch.column("side"), "BUY", k.IS_BUY)
    kinds = pc.add(
        kinds, pc.multiply(batch.column("closes").cast(pa.uint8()), pa.scalar(k.CLOSES, pa.uint8()))
    )
    mode = batch.column("mode")
    if mode.null_count == len(mode):
        return kinds
    for name, bit in (("PAPER", k.IS_PAPER), ("LIVE", k.IS_LIVE)):
        kinds = pc.add(kinds, _flag(mode, name, bit))
    return kinds


def _flag(column: Any, value: str, bit: int) -> Any:
    is_value = pc.equal(column, value).fill_null(False)
    return pc.multiply(is_value.cast(pa.uint8()), pa.scalar(bit, pa.uint8()))


def _texts(column: Any) -> k.TextColumn:
    """Return a column of texts as it lies in memory; a null is the empty text."""
    plain = column.cast(pa.string())
    plain = plain.fill_null("") if plain.null_count else plain
    _, ends, data = plain.buffers()
    texts = _NOTHING if data is None or not data.size else k.Memory(data.address, plain)
    return k.TextColumn(k.Memory(ends.address + 4 * plain.offset, plain), texts, 0)


def _memory(column: Any, width: int) -> k.Memory:
    return k.Memory(column.buffers()[1].address + width * column.offset, column)
