"""The columns of fills in a lake, and the check of files that any program may have written."""

from typing import Any
from zlib import crc32

from tearsheet.bulk.arrow import pa, pc
from tearsheet.errors import InputError
from tearsheet.trade.amount import parse_amount

#: Version of the columns; a lake of another one is refused.
FILLS_VERSION = 1
_NULLABLE = frozenset({"position_side", "mode", "strategy", "stop_loss", "target"})
_TEXTS = ("account", "symbol", "position_side", "currency", "key", "side", "mode", "strategy")
AMOUNTS = ("quantity", "price", "commission", "multiplier", "stop_loss", "target")
#: Columns of few values, which Parquet keeps as dictionaries.
NAMED = ["account", "symbol", "position_side", "currency", "side", "mode", "strategy"]
_TYPES: dict[str, Any] = {
    **dict.fromkeys((*_TEXTS, *AMOUNTS), pa.string()),
    "time": pa.timestamp("us", tz="UTC"),
    "rank": pa.int64(),
    "closes": pa.bool_(),
}
_ORDER = (
    *("account", "symbol", "position_side", "currency", "time", "rank", "key", "side", "closes"),
    *("mode", "strategy", *AMOUNTS),
)
#: Amounts are canonical texts, so that no digit is lost; `time` and `rank` with the names give the order.
FILLS = pa.schema([pa.field(name, _TYPES[name], nullable=name in _NULLABLE) for name in _ORDER])
_SETS = {"side": ("BUY", "SELL"), "mode": ("PAPER", "LIVE"), "position_side": ("long", "short")}


def bucket_of(account: str, buckets: int) -> int:
    """Return the bucket of an account: CRC-32 of its name, modulo their number."""
    return crc32(account.encode()) % buckets


def check_columns(file: str, schema: Any) -> None:
    """Raise InputError unless a file has exactly the columns of fills, each of its type."""
    for name in FILLS.names:
        if name not in schema.names:
            raise InputError(f"{file}: column {name!r} is missing", _columns_hint())
    for field in schema:
        if field.name not in FILLS.names:
            raise InputError(f"{file}: column {field.name!r} is not known", _columns_hint())
        wanted, found = _TYPES[field.name], _plain(field.type)
        if found != wanted:
            raise InputError(f"{file}: column {field.name!r} is {field.type}, not {wanted}", _columns_hint())
    if len(schema.names) != len(set(schema.names)):
        raise InputError(f"{file}: a column is there twice", _columns_hint())


def check_values(file: str, batch: Any, bucket: int, buckets: int) -> None:
    """Raise InputError with file and column for a value that no fill can have, or an account of another bucket."""
    for name in FILLS.names:
        if name not in _NULLABLE and batch.column(name).null_count:
            raise InputError(f"{file}: column {name!r} has a null", "every fill has a value there")
    for name, allowed in _SETS.items():
        for value in pc.unique(batch.column(name)).drop_null().to_pylist():
            if value not in allowed:
                raise InputError(f"{file}: column {name!r} has {value!r}", f"allowed: {', '.join(allowed)}")
    if pc.any(pc.starts_with(batch.column("quantity"), "-")).as_py():
        raise InputError(f"{file}: column 'quantity' has a number below 0", "`side` says BUY or SELL")
    for account in pc.unique(batch.column("account")).to_pylist():
        own = bucket_of(account, buckets)
        if own != bucket:
            raise InputError(
                f"{file}: column 'account' has {account!r} of bucket {own} in bucket {bucket}",
                f"the bucket of an account is crc32(account) % {buckets}",
            )


def check_amounts(file: str, batch: Any) -> None:
    """Raise InputError with file, column and text for an amount that is no number."""
    for name in AMOUNTS:
        for text in pc.unique(batch.column(name)).drop_null().to_pylist():
            try:
                parse_amount(text)
            except ValueError as error:
                raise InputError(
                    f"{file}: column {name!r} {error}", "write plain numbers such as 12.5"
                ) from None


def _plain(kind: Any) -> Any:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.string() if pa.types.is_large_string(kind) else kind


def _columns_hint() -> str:
    return f"the columns are {', '.join(f'{field.name} {field.type}' for field in FILLS)}"
