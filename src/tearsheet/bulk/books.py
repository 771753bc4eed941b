"""The books of a part of a lake as Arrow tables: bookings, positions and tallies of sessions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from tearsheet.bulk.arrow import pa
from tearsheet.bulk.fill_schema import check_amounts
from tearsheet.bulk.lake import FillBatch
from tearsheet.bulk.packing import packed
from tearsheet.columns.exact_lane import FoldParts, FoldRules
from tearsheet.columns.fill_columns import BookedColumns, FoldOutput, PositionColumns, SessionTally
from tearsheet.columns.fold import Fold
from tearsheet.errors import InputError, UsageError
from tearsheet.performance.tally import ALL_ACCOUNTS
from tearsheet.store.tables.tallies import encode
from tearsheet.trade.amount import to_plain_string

BookName = Literal["tallies", "bookings", "positions"]
_WHOLE = frozenset(
    {"time_us", "rank", "part", "opened_us", "closed_us", "last_us", "last_rank", "fills", "held_us"}
)
_WHOLE |= {"closes", "net_order", "quantity_order", "r_order"}


def _schema(names: Iterable[str]) -> Any:
    return pa.schema([(name, pa.int64() if name in _WHOLE else pa.string()) for name in names])


#: A tally in JSON is in `body`; the columns before it are some of its sums, for other programs.
TALLIES = pa.schema(
    [
        *(("account", pa.string()), ("session", pa.date32()), ("currency", pa.string())),
        *(("last_us", pa.int64()), ("net", pa.string()), ("gross", pa.string()), ("fees", pa.string())),
        *((name, pa.int64()) for name in ("fills", "trades", "wins", "losses")),
        ("body", pa.string()),
    ]
)
SCHEMAS: dict[BookName, Any] = {
    "tallies": TALLIES,
    "bookings": _schema(BookedColumns._fields),
    "positions": _schema(PositionColumns._fields),
}


class PartBooks(NamedTuple):
    """Books of a part of a lake, and the number of fills they are made of."""

    fills: int
    tables: dict[BookName, Any]


def fold_part(
    batches: Iterable[FillBatch], rules: FoldRules, *, has_rows: bool, is_total: bool = False
) -> PartBooks:
    """Fold fills that come in order into books, or with `is_total` into the tallies of all accounts alone.

    Raises InputError with the file where a fill is out of order or an amount is no number.
    """
    fold = Fold(rules, parts=FoldParts(has_rows=has_rows, has_totals=is_total))
    made: dict[BookName, list[Any]] = {name: [] for name in SCHEMAS}
    fills = 0
    for batch in batches:
        fills += batch.rows.num_rows
        _collect(made, _add(fold, batch), is_total=is_total)
    _collect(made, fold.finish(), is_total=is_total)
    names: Sequence[BookName] = ("tallies", "bookings", "positions") if has_rows else ("tallies",)
    tables = {name: pa.concat_tables([SCHEMAS[name].empty_table(), *made[name]]) for name in names}
    order = [("account", "ascending"), ("currency", "ascending"), ("session", "ascending")]
    tables["tallies"] = tables["tallies"].sort_by(order)
    return PartBooks(fills, tables)


def _add(fold: Fold, batch: FillBatch) -> FoldOutput:
    was_exact = fold.is_exact
    if was_exact:
        check_amounts(batch.files, batch.rows)
    try:
        folded = fold.add(packed(batch.rows))
    except UsageError as error:
        raise InputError(
            f"{batch.files}: {error.message}",
            "write the fills in order of time, account, symbol, rank and key",
        ) from error
    except ArithmeticError:
        check_amounts(batch.files, batch.rows)
        raise
    if fold.is_exact and not was_exact:
        check_amounts(batch.files, batch.rows)
    return folded


def _collect(made: dict[BookName, list[Any]], folded: FoldOutput, *, is_total: bool) -> None:
    tallies = [one for one in folded.tallies if (one.account == ALL_ACCOUNTS) is is_total]
    if tallies:
        made["tallies"].append(tally_table(tallies))
    if folded.bookings.part:
        made["bookings"].append(pa.table(list(folded.bookings), schema=SCHEMAS["bookings"]))
    if folded.positions.id:
        made["positions"].append(pa.table(list(folded.positions), schema=SCHEMAS["positions"]))


def tally_table(tallies: Sequence[SessionTally]) -> Any:
    """Return tallies of sessions as a table."""
    return pa.table(list(map(list, zip(*map(_tally_row, tallies), strict=True))), schema=TALLIES)


def _tally_row(one: SessionTally) -> tuple[object, ...]:
    tally = one.tally
    sums = map(to_plain_string, (tally.curve.net, tally.gross, tally.fees))
    counts = (tally.fills, tally.closed, tally.wins, tally.losses)
    return (one.account, one.session, one.currency, one.last_us, *sums, *counts, encode(tally).decode())


def by_account(table: Any) -> Iterator[tuple[str, Any]]:
    """Yield the accounts of a table, sorted, each with its rows in the order in which they are."""
    if not table.num_rows:
        return
    ordered = table.sort_by([("account", "ascending")]).combine_chunks()
    runs = pa.compute.run_end_encode(ordered.column("account").combine_chunks())
    start = 0
    for end, account in zip(runs.run_ends.to_pylist(), runs.values.to_pylist(), strict=True):
        yield account, ordered.slice(start, end - start)
        start = end
