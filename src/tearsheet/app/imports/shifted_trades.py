"""Trades of a file that the ledger has already, under other ids or at other instants, as a wrong time zone makes them.

Without ids, the identity of a fill has its time in it: a file that is read in another zone than an earlier one of the
same trades would double them, and so would one that names them otherwise.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from msgspec import Struct

from tearsheet.store.tables.columns import FillRow, Row
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.rows import LINE_BITS

#: Time zones differ by multiples of this, and by no more than `_FURTHEST`; files cut times to the second.
_STEP_US, _FURTHEST_US, _CUT_US = 900_000_000, 18 * 3_600_000_000, 1_999_999
_HOUR_US, _MINUTE_US = 3_600_000_000, 60_000_000
#: The most fills of a file that are compared.
_SAMPLE = 400
#: Least share of the fills that are in both, and least number of them: fewer may be chance.
_LEAST_SHARE, _LEAST = 0.8, 2
_LEAST_BY_MINUTE = 4
_LEGS = ("t:", "td:")


class ShiftedTrades(Struct, frozen=True):
    """Trades that are in the ledger already, `late` by which those of the file are later (below 0: earlier)."""

    matched: int
    compared: int
    late: timedelta
    source_id: int

    @property
    def words(self) -> str:
        """Return what was found, in words."""
        there = f"{self.matched:,} of {self.compared:,} of its fills are there already"
        if not self.late:
            return f"{there}, under other ids"
        hours, minutes = divmod(abs(self.late) // timedelta(minutes=1), 60)
        return f"{there}, {hours}:{minutes:02} h {'later' if self.late > timedelta() else 'earlier'}"


class _StreamSpan(Row, frozen=True, gc=False):
    account: str
    symbol: str
    first_us: int
    last_us: int


def find_shifted_trades(queries: Queries, source_id: int) -> ShiftedTrades | None:
    """Return the trades of an import that are in others at a shift by which time zones differ, if it has such."""
    first, end = source_id << LINE_BITS, (source_id + 1) << LINE_BITS
    if not queries.exists("any_fill_of_other_sources", (first, end)):
        return None
    offsets: Counter[int] = Counter()
    sources: dict[int, int] = {}
    compared, stored, left = 0, 0, _SAMPLE
    matches: list[tuple[FillRow, set[int]]] = []
    for stream in queries.rows(_StreamSpan, "streams_of_source", (first, end)):
        span = (stream.account, stream.symbol, stream.first_us - _FURTHEST_US, stream.last_us + _FURTHEST_US)
        others = queries.rows(FillRow, "fills_of_other_sources", (*span, first, end, _SAMPLE * 4))
        if not others:
            continue
        around = (others[0].time_us - _FURTHEST_US, others[-1].time_us + _FURTHEST_US)
        own = queries.rows(
            FillRow, "fills_of_source_within", (stream.account, stream.symbol, *around, first, end, left)
        )
        left -= len(own)
        compared += len(own)
        stored += sum(1 for other in others if _is_within(other, own))
        by_trade = _by_trade(others)
        for fill in own:
            candidates = {id_: one for name in _names(fill) for id_, one in by_trade.get(name, {}).items()}
            found = {late: id_ >> LINE_BITS for id_, one in candidates.items() for late in _late(fill, one)}
            offsets.update(found)
            sources |= found
            matches.append((fill, set(found)))
        if left <= 0:
            break
    late = _likely(offsets)
    if late is None:
        return None
    same = [fill for fill, found in matches if found & {late, late - _HOUR_US, late + _HOUR_US}]
    if not _is_convincing(same, compared, stored):
        return None
    return ShiftedTrades(len(same), compared, timedelta(microseconds=late), sources[late])


def _names(fill: FillRow) -> Iterable[tuple[str, ...]]:
    """Yield by what a fill can be recognized, beside its instant."""
    yield fill.side, fill.quantity, fill.price
    if fill.order_id is not None:
        yield fill.side, fill.order_id


def _by_trade(others: Sequence[FillRow]) -> Mapping[tuple[str, ...], dict[int, FillRow]]:
    found: dict[tuple[str, ...], dict[int, FillRow]] = defaultdict(dict)
    for other in others:
        for name in _names(other):
            found[name][other.id] = other
    return found


def _late(fill: FillRow, other: FillRow) -> Iterable[int]:
    """Yield by how much a fill is later than another of the same trade, if time zones may differ so.

    The sides of a round trip and its executions are known to be the same at one instant.
    """
    late = fill.time_us - other.time_us
    rounded = round(late / _STEP_US) * _STEP_US
    is_known = not rounded and (fill.key.startswith(_LEGS) or other.key.startswith(_LEGS))
    if not is_known and abs(late - rounded) <= _CUT_US and abs(rounded) <= _FURTHEST_US:
        yield rounded


def _likely(offsets: Counter[int]) -> int | None:
    """Return the shift of most fills; in a file over a change of the clock, some are an hour beside it."""
    return max(offsets, key=lambda late: (offsets[late], -abs(late)), default=None)


def _is_within(other: FillRow, own: Sequence[FillRow]) -> bool:
    return bool(own) and own[0].time_us - _FURTHEST_US <= other.time_us <= own[-1].time_us + _FURTHEST_US


def _is_convincing(same: Sequence[FillRow], compared: int, stored: int) -> bool:
    """Return whether so many equal fills at one shift cannot be chance."""
    is_by_minute = not any(fill.time_us % _MINUTE_US for fill in same)
    if len(same) < _LEAST or len({fill.price for fill in same}) < _LEAST:
        return False
    if is_by_minute and len(same) < _LEAST_BY_MINUTE and len(same) < max(compared, stored):
        return False
    return len(same) >= _LEAST_SHARE * min(compared, max(stored, 1))
