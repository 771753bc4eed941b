"""Booking of streams that have events, or two sides at once: from the last instant at which they were flat and settled.

An event may change a position that was closed before it, so such a stream is not continued from its open
position. Streams that an event links are booked together.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from tearsheet.store.tables.columns import BookingRow, FillRow, PositionRow, Row
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.rows import booking_from_row, fill_from_row, position_from_row
from tearsheet.store.write.append_booking import Stream, store_bookings, store_gaps, store_positions
from tearsheet.store.write.session_tallies import SessionTallies
from tearsheet.store.write.unstated_fees import UnstatedFees
from tearsheet.trade.event import Event, Gap
from tearsheet.trade.event_book import EventBook
from tearsheet.trade.event_booking import without_repeated
from tearsheet.trade.fill import Fill, has_leg
from tearsheet.trade.round_trip import REACH, without_executed_legs
from tearsheet.trade.session import from_micros, to_micros

_FIRST = {"rename": -2, "split": -1, "merger": -1, "spin_off": -1, "cancel": 1}
REACH_US = round(REACH.total_seconds() * 1_000_000)


#: Zones in which brokers' days begin: an event without a time is at midnight in one.
_ZONES = (ZoneInfo("UTC"), ZoneInfo("America/New_York"))


class _EventSource(Row, frozen=True, gc=False):
    key: str
    source_id: int


class EventStreams:
    """Streams with events or two sides in one transaction."""

    def __init__(self, queries: Queries, tallies: SessionTallies, fees: UnstatedFees) -> None:
        self._queries = queries
        self._fees = fees
        self._tallies = tallies
        #: sides of round trips that executions tell
        self.executed_legs = 0

    def has_any(self) -> bool:
        """Return whether the ledger has any such stream."""
        return self._queries.exists("any_event")

    def components(self, streams: Collection[Stream]) -> Iterator[set[Stream]]:
        """Yield the streams that have to be booked as events, each set with those that events link with it."""
        linked: dict[Stream, set[Stream]] = defaultdict(set)
        for event in map(fill_from_row, self._queries.rows(FillRow, "links")):
            if isinstance(event, Event) and event.link is not None:
                own = (event.account, event.symbol)
                linked[own].add(event.link)
                linked[event.link].add(own)
        found: set[Stream] = set()
        for stream in streams:
            if stream in found or not (stream in linked or self.contains(stream)):
                continue
            component, ahead = {stream}, [stream]
            while ahead:
                ahead = list(linked[ahead.pop()] - component) + ahead
                component.update(ahead)
            found |= component
            yield component

    def contains(self, stream: Stream) -> bool:
        """Return whether a stream has events or two sides."""
        return self._queries.exists("event_of_stream", stream)

    def first_change(self, fill: Fill) -> int:
        """Return the earliest instant whose bookings a new fill or event may change."""
        since_us = to_micros(fill.time)
        if not isinstance(fill, Event):
            return since_us
        if fill.terms.held_at is not None:
            since_us = min(since_us, to_micros(fill.terms.held_at))
        last = self._queries.value("last_change_before", (fill.account, fill.symbol, since_us))
        return since_us if last is None else min(since_us, last)

    def rebook(self, streams: Iterable[Stream], since_us: int) -> None:
        """Book streams again that belong together, from an instant on."""
        linked = list(streams)
        # an event that another import told, up to a day before, may count from now on
        if any(self._queries.exists("event_between", (*s, since_us - REACH_US, since_us)) for s in linked):
            since_us -= REACH_US
        since_us = min(first_with_legs(self._queries, stream, since_us) for stream in linked)
        start_us = self._settled_before(linked, since_us)
        for stream in linked:
            self._remove(stream, start_us)
        book = EventBook(
            stream for stream in linked if self._queries.exists("trusts_reported_results", stream)
        )
        gaps: list[Gap] = []
        bookings = book.book_all(self._fills(linked, start_us, gaps))
        store_bookings(self._queries, self._tallies, bookings, book.closed)
        store_positions(self._queries, book.open_positions())
        store_gaps(self._queries, [*book.gaps(), *gaps])

    def _settled_before(self, streams: list[Stream], since_us: int) -> int:
        """Return the last instant, at most the given one, that no position or later booking spans."""
        start_us = since_us
        while True:
            opened = [
                row.opened_us
                for stream in streams
                for row in self._queries.rows(
                    PositionRow, "positions_of_stream_spanning", (*stream, start_us)
                )
                if row.opened_us is not None
            ]
            earliest = min(opened, default=start_us)
            if earliest >= start_us:
                return start_us
            start_us = earliest

    def _remove(self, stream: Stream, start_us: int) -> None:
        """Remove the positions and bookings of a stream from an instant on."""
        span = (*stream, start_us)
        for row in self._queries.rows(PositionRow, "positions_of_stream_spanning", span):
            position = position_from_row(row)
            self._tallies.on_removed(self._queries.bookings_of(position.id), position.currency)
            self._queries.remove_bookings_of(position.id)
            self._queries.execute("remove_position", (position.id,))
        self.remove_unborne(stream, start_us)
        self._queries.execute("remove_gaps_since", (*stream, start_us))

    def remove_unborne(self, stream: Stream, start_us: int) -> None:
        """Remove the bookings without a position from an instant on."""
        span = (*stream, start_us)
        unborne = self._queries.rows(BookingRow, "unborne_bookings", span)
        if unborne:
            self._tallies.on_removed(map(booking_from_row, unborne))
            self._queries.execute("remove_unborne_bookings", span)

    def _fills(self, streams: list[Stream], start_us: int, gaps: list[Gap]) -> list[Fill]:
        """Return fills and events in order, without round-trip legs that executions cover; add to `gaps`."""
        found: list[Fill] = []
        first = from_micros(start_us)
        for stream in streams:
            read_us = first_with_legs(self._queries, stream, start_us) - REACH_US
            rows = self._queries.rows(FillRow, "fills_of_stream", (*stream, read_us))
            read = list(map(fill_from_row, rows))
            fills = [fill for fill in read if not isinstance(fill, Event)]
            booked = fills
            if has_leg(fills):
                beside = without_executed_legs(fills)
                booked = beside.fills
                self.executed_legs += beside.executed
                gaps += [gap for gap in beside.gaps if gap.time >= first]
            told = self._told_once(stream, gaps, first)
            own = (fill for fill in read if isinstance(fill, Event) and fill.key in told)
            found += [*self._fees.priced(booked), *own]
        return sorted((fill for fill in found if fill.time >= first), key=_order)

    def _told_once(self, stream: Stream, gaps: list[Gap], first: datetime) -> set[str]:
        """Return the keys of a stream's events, without those repeated by another import."""
        imports: dict[str, set[int]] = defaultdict(set)
        for row in self._queries.rows(_EventSource, "sources_of_events", stream):
            imports[row.key].add(row.source_id)
        if len(set().union(*imports.values())) < 2:
            return {*imports}
        rows = self._queries.rows(FillRow, "events_of_stream", stream)
        events = [event for event in map(fill_from_row, rows) if isinstance(event, Event)]
        zones = (*_ZONES, self._tallies.calendars.common.timezone)
        kept, contradictions = without_repeated(
            events, {key: frozenset(own) for key, own in imports.items()}, zones
        )
        gaps += [gap for gap in contradictions if gap.time >= first]
        return {event.key for event in kept}


def first_with_legs(queries: Queries, stream: Stream, since_us: int) -> int:
    """Return the instant from which a change may alter what executions account for.

    Sides of round trips that are close enough share executions, so it is before the first of an unbroken row of them.
    """
    if not queries.exists("leg_since", (*stream, since_us - REACH_US)):
        return since_us
    start_us = since_us - REACH_US
    while (first := queries.value("first_leg_between", (*stream, start_us - REACH_US, start_us))) is not None:
        start_us = first
    return start_us


def _order(fill: Fill) -> tuple[datetime, int, int, str, str, str]:
    """Return the sort key: at one instant, a rename precedes the events under the new name."""
    first = _FIRST.get(fill.kind, 0) if isinstance(fill, Event) else 0
    return fill.time, first, fill.rank, fill.account, fill.symbol, fill.key
