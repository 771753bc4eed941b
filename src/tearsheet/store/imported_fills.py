"""Keeps the fills that statements bring: a fill is kept once, however often it is read."""

from collections import Counter
from collections.abc import Iterable, Sequence

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
        #: how many fills of each import were new; a fill's id is its import × 2^32 + that
        self._counts: Counter[int] = Counter()
        #: with no fills kept before, only keys met in this posting can be known
        self._met: set[int] | None = None if reading.one("any_fill") else set()

    def add(
        self, source_id: int, file: str, lines: Iterable[tuple[int, Fill]], counts: ImportCounts
    ) -> list[Rejection]:
        """Keep the fills of an import; returns those that contradict a fill kept before."""
        fresh: dict[tuple[str, str], rows.Row] = {}
        sightings: dict[tuple[int, int, int], int] = {}
        conflicts: list[Rejection] = []
        batch = list(lines)
        kept = self._kept(batch)
        for line, fill in batch:
            time_us = to_micros(fill.time)
            counts.span(time_us)
            name = (fill.account, fill.key)
            before = kept.get(name) or _kept_form(fresh.get(name))
            if before is None:
                identity = self._new_id(source_id)
                fresh[name] = rows.fill_row(identity, fill, None)
                self._streams.touch(fill.account, fill.symbol, time_us)
                counts.new += 1
            elif _same(before, fill, time_us):
                identity = before[0]
                if fill.rank > before[3]:
                    self._raise_rank(fill, before, kept, fresh)
                counts.known += 1
            else:
                conflicts.append(_conflict(file, line, fill, before))
                continue
            sightings[source_id, line, identity] = fill.rank
        self._reading.execute_many("add_fill", fresh.values())
        seen = ((*where, rank) for where, rank in sightings.items())
        self._reading.execute_many("add_sighting", seen)
        return conflicts

    def _new_id(self, source_id: int) -> int:
        self._counts[source_id] += 1
        return source_id << rows.LINE_BITS | self._counts[source_id]

    def _kept(self, batch: list[tuple[int, Fill]]) -> dict[tuple[str, str], rows.Row]:
        """Which fills of a batch were kept before, by account and key."""
        names = {(fill.account, fill.key): None for _, fill in batch}
        asked = list(names if self._met is None else filter(self._is_met, names))
        found = self._reading.execute_each("fill_of_key", asked)
        return {name: its[0] for name, its in zip(asked, found, strict=True) if its}

    def _is_met(self, name: tuple[str, str]) -> bool:
        assert self._met is not None
        mark = hash(name)
        is_met = mark in self._met
        self._met.add(mark)
        return is_met

    def _raise_rank(
        self,
        fill: Fill,
        before: rows.Row,
        kept: dict[tuple[str, str], rows.Row],
        fresh: dict[tuple[str, str], rows.Row],
    ) -> None:
        """Of the ranks that several files give, the highest counts, in whatever order they come."""
        name = (fill.account, fill.key)
        if name in kept:
            kept[name] = (*before[:3], fill.rank, *before[4:])
            self._reading.execute("set_rank", (fill.rank, before[0]))
        else:
            row = fresh[name]
            fresh[name] = (*row[:5], fill.rank, *row[6:])
        self._streams.touch(fill.account, fill.symbol, to_micros(fill.time))


def _kept_form(row: rows.Row | None) -> rows.Row | None:
    """A row that is about to be kept, in the form in which one is found."""
    return None if row is None else (row[0], row[2], *row[4:10])


def standing(
    reading: Reading, file: str, lines: Sequence[tuple[int, Fill]]
) -> list[Rejection | bool]:
    """Of each fill whether it is kept already, or a rejection where its id is kept with other content."""
    found = reading.execute_each("fill_of_key", [(fill.account, fill.key) for _, fill in lines])
    return [
        bool(its)
        and (_same(its[0], fill, to_micros(fill.time)) or _conflict(file, line, fill, its[0]))
        for (line, fill), its in zip(lines, found, strict=True)
    ]


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
