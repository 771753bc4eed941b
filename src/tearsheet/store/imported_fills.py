"""Keeps the fills that statements bring: a fill is kept once, however often it is read."""

from collections.abc import Iterable

from msgspec import Struct

from tearsheet.store import rows
from tearsheet.store.fill_streams import FillStreams
from tearsheet.store.reading import Reading
from tearsheet.trade.fill import Fill, Rejection
from tearsheet.trade.session import from_micros, to_micros


class ImportCounts(Struct):
    """What became of the fills of an import, and the instants that they span."""

    new: int = 0
    known: int = 0
    rejected: int = 0
    first_us: int | None = None
    last_us: int | None = None

    def span(self, time_us: int) -> None:
        """Take in an instant."""
        self.first_us = time_us if self.first_us is None else min(self.first_us, time_us)
        self.last_us = time_us if self.last_us is None else max(self.last_us, time_us)


class ImportedFills:
    """The fills of one posting that come from statements or requests."""

    def __init__(self, reading: Reading, streams: FillStreams) -> None:
        self._reading = reading
        self._streams = streams
        row = reading.one("last_fill_row")
        self._next_id = (row[0] if row else 0) + 1
        #: with no fills kept before, only keys met in this posting can be known
        self._met: set[int] | None = set() if self._next_id == 1 else None

    def add(
        self, source_id: int, file: str, lines: Iterable[tuple[int, Fill]], counts: ImportCounts
    ) -> list[Rejection]:
        """Keep the fills of an import; returns those that contradict a fill kept before."""
        fresh: list[rows.Row] = []
        sightings: list[tuple[int, int, int, int]] = []
        conflicts: list[Rejection] = []
        for line, fill in lines:
            time_us = to_micros(fill.time)
            counts.span(time_us)
            before = self._before(fill, fresh)
            if before is None:
                identity = self._next_id
                self._next_id += 1
                fresh.append(rows.fill_row(identity, fill, None))
                self._streams.touch(fill.account, fill.symbol, time_us)
                counts.new += 1
            elif _same(before, fill, time_us):
                identity = before[0]
                self._keep_rank(before, fill, time_us)
                counts.known += 1
            else:
                conflicts.append(_conflict(file, line, fill, before))
                continue
            sightings.append((source_id, line, identity, fill.rank))
        self._reading.execute_many("add_fill", fresh)
        self._reading.execute_many("add_sighting", sightings)
        return conflicts

    def _before(self, fill: Fill, fresh: list[rows.Row]) -> rows.Row | None:
        if self._met is not None:
            mark = hash((fill.account, fill.key))
            if mark not in self._met:
                self._met.add(mark)
                return None
        kept = self._reading.one("fill_of_key", (fill.account, fill.key))
        if kept is not None:
            return kept
        for row in fresh:
            if row[1] == fill.account and row[3] == fill.key:
                return (row[0], row[2], *row[4:10])
        return None

    def _keep_rank(self, before: rows.Row, fill: Fill, time_us: int) -> None:
        """Of the ranks that several files give, the highest counts, in whatever order they come."""
        if fill.rank > before[3]:
            self._reading.execute("set_rank", (fill.rank, before[0]))
            self._streams.touch(fill.account, fill.symbol, time_us)


def standing(reading: Reading, file: str, line: int, fill: Fill) -> Rejection | bool:
    """Whether a fill is kept already, or a rejection where its id is kept with other content."""
    before = reading.one("fill_of_key", (fill.account, fill.key))
    if before is None:
        return False
    return _same(before, fill, to_micros(fill.time)) or _conflict(file, line, fill, before)


def _same(before: rows.Row, fill: Fill, time_us: int) -> bool:
    _, symbol, kept_us, _, side, quantity, price, commission = before
    return (
        symbol == fill.symbol
        and kept_us == time_us
        and side == fill.side.value
        and rows.decimal(quantity) == fill.quantity
        and rows.decimal(price) == fill.price
        and rows.decimal(commission) == fill.commission
    )


def _conflict(file: str, line: int, fill: Fill, before: rows.Row) -> Rejection:
    _, symbol, kept_us, _, side, quantity, price, commission = before
    kept = f"{symbol} {side} {quantity} @ {price} fee {commission}"
    kept += f" at {from_micros(kept_us).isoformat()}"
    said = f"{fill.symbol} {fill.side.value} {fill.quantity} @ {fill.price} fee {fill.commission}"
    return Rejection(
        file=file,
        line=line,
        text=f"{said} at {fill.time.isoformat()}",
        code="conflicting_id",
        reason=f"execution {fill.fill_id} of account {fill.account} was read before as {kept}",
        hint="the first one is kept; check which is right with the broker",
        account=fill.account,
        since=fill.time,
        until=fill.time,
    )
