"""Chunks as an Arrow stream, by nanoarrow; the buffers are lent, not copied."""

from collections.abc import Iterable, Sequence
from typing import IO, Any

from tearsheet.api.extras import load
from tearsheet.api.packing import PRECISION, SCALE, Chunk, PackedColumn, floats_of, with_money
from tearsheet.app.analysis.table_columns import Column

_USE = "an Arrow stream"
_FLOAT_FORMATS = ("e", "f", "g")


def arrow_types(columns: Sequence[Column]) -> Any:
    """Return the columns as nanoarrow's schema of a struct."""
    na = load("nanoarrow", _USE)
    types = {
        "text": na.string(),
        "texts": na.list_(na.string()),
        "decimal": na.decimal128(PRECISION, SCALE),
        "float": na.float64(),
        "count": na.int64(),
        "flag": na.bool_(),
        "time": na.timestamp("us", "UTC"),
        "date": na.date32(),
        "duration": na.duration("us"),
    }
    return na.struct({column.name: types[column.type] for column in columns})


def arrow_stream(columns: Sequence[Column], chunks: Iterable[Chunk]) -> Any:
    """Return chunks as nanoarrow's stream, which anything that speaks Arrow takes."""
    load("nanoarrow", _USE)
    from nanoarrow.c_array_stream import CArrayStream

    schema = arrow_types(columns)
    made = [_batch(schema, columns, chunk) for chunk in chunks]
    return CArrayStream.from_c_arrays(made, load("nanoarrow", _USE).c_schema(schema), validate=False)


def granted(columns: Sequence[Column], requested: object | None) -> tuple[Column, ...]:
    """Return the columns with floats for the decimals that a consumer asks for as floats; the rest is ignored."""
    if requested is None:
        return tuple(columns)
    na = load("nanoarrow", _USE)
    wanted = {child.name: child.format for child in na.c_schema(_SchemaCapsule(requested)).children}
    pairs = zip(columns, with_money(columns, "float"), strict=True)
    return tuple(as_float if wanted.get(own.name) in _FLOAT_FORMATS else own for own, as_float in pairs)


def with_floats(columns: Sequence[Column], wanted: Sequence[Column], chunk: Chunk) -> Chunk:
    """Return a chunk with floats where columns are decimals and wanted as floats."""
    pairs = zip(columns, wanted, chunk.columns, strict=True)
    return Chunk(
        chunk.count, tuple(floats_of(own) if have.type != want.type else own for have, want, own in pairs)
    )


def write_stream(file: IO[bytes], columns: Sequence[Column], chunks: Iterable[Chunk]) -> None:
    """Write chunks in Arrow's streaming format, one at a time."""
    load("nanoarrow", _USE)
    from nanoarrow.ipc import StreamWriter

    with StreamWriter.from_writable(file) as writer:
        is_empty = True
        for chunk in chunks:
            writer.write_stream(arrow_stream(columns, [chunk]))
            is_empty = False
        if is_empty:
            writer.write_stream(arrow_stream(columns, []))


class _SchemaCapsule:
    """A requested schema as an object that has one."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_schema__(self) -> object:
        """Return the capsule."""
        return self._capsule


def _batch(schema: Any, columns: Sequence[Column], chunk: Chunk) -> Any:
    na = load("nanoarrow", _USE)
    fields = [na.Schema(child) for child in na.c_schema(schema).children]
    children = [_array(na, field, own) for field, own in zip(fields, chunk.columns, strict=True)]
    return na.c_array_from_buffers(schema, chunk.count, [None], null_count=0, children=children)


def _array(na: Any, field: Any, packed: PackedColumn) -> Any:
    if packed.inside is not None:
        inside = _array(na, na.string(), packed.inside)
        return na.c_array_from_buffers(
            field, packed.count, [packed.validity, packed.ends], null_count=packed.nulls, children=[inside]
        )
    buffers = [packed.validity, packed.data]
    if packed.ends is not None:
        buffers.insert(1, packed.ends)
    return na.c_array_from_buffers(field, packed.count, buffers, null_count=packed.nulls)
