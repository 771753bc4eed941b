"""Unmatched closes: fills that close a quantity that no fill in the file has opened.

They are reported, never guessed. The evidence is in the file itself: a column with open or close, or a
market without short sales. Memory per instrument is a few numbers, regardless of the file's length.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

from tearsheet.sources.layouts.layout import Effect
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.event import CHANGES, Event
from tearsheet.trade.fill import Fill, Side, UnmatchedClose


class _Direction:
    """Running sum of opened minus closed quantity in one direction, updated per instant."""

    __slots__ = ("at", "first", "first_line", "high", "is_bare", "last_line", "low", "now")

    def __init__(self) -> None:
        self.now = self.low = self.high = ZERO
        self.at: datetime | None = None
        self.first: datetime | None = None
        self.first_line = self.last_line = 0
        self.is_bare = False

    def end_instant(self) -> None:
        """Update the extremes at the end of an instant; fills of one instant have no order."""
        if self.now < self.low:
            if not self.is_bare:
                self.first, self.is_bare = self.at, True
            self.low = self.now
        self.high = max(self.high, self.now)


class _Stream:
    __slots__ = ("begins", "directions", "falls", "last", "rises")

    def __init__(self, at: datetime) -> None:
        self.directions: dict[Side, _Direction] = {}
        self.begins = self.last = at
        self.rises = self.falls = False


class UnmatchedCloseFinder:
    """Detector of unmatched closes in a stream of fills, in ascending or descending order of time."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], _Stream] = {}
        #: streams with a fill without effect, or with an event that changes what is held: the books tell
        self._unknown: set[tuple[str, str]] = set()

    def add(self, fill: Fill, effect: Effect, line: int) -> None:
        """Add a fill with its effect; corrections and busts are ignored."""
        key = (fill.account, fill.symbol)
        if type(fill) is not Fill:
            if isinstance(fill, Event) and fill.kind in CHANGES:
                self._unknown.add(key)
            return
        if not effect:
            self._unknown.add(key)
            return
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _Stream(fill.time)
        stream.rises = stream.rises or fill.time > stream.last
        stream.falls = stream.falls or fill.time < stream.last
        stream.last = fill.time
        stream.begins = min(stream.begins, fill.time)
        closes = effect == "close"
        way = stream.directions.setdefault(fill.side if closes else fill.side.opposite, _Direction())
        with exact():
            if way.at != fill.time:
                way.end_instant()
                way.at, way.first_line = fill.time, way.first_line if way.is_bare else 0
            way.now += -fill.quantity if closes else fill.quantity
        if closes:
            way.last_line = line
            way.first_line = way.first_line or line

    def add_unknown(self, streams: Iterable[tuple[str, str]]) -> None:
        """Add fills without an effect, by account and symbol."""
        self._unknown.update(streams)

    def results(self, held: Callable[[str, str, datetime], Decimal]) -> list[UnmatchedClose]:
        """Return the unmatched closes.

        `held` returns the position before an instant, negative for a short one.
        """
        orphans = []
        with exact():
            for (account, symbol), stream in sorted(self._streams.items()):
                for side, way in stream.directions.items():
                    way.end_instant()
                    lacking = _shortfall(stream, way)
                    if lacking <= ZERO or (account, symbol) in self._unknown:
                        continue
                    before = held(account, symbol, stream.begins)
                    lacking -= max(ZERO, before if side is Side.SELL else -before)
                    if lacking > ZERO:
                        is_forward = not stream.falls
                        at = way.first if is_forward and way.first else stream.begins
                        line = way.first_line if is_forward else way.last_line
                        orphans.append(UnmatchedClose(account, symbol, side.value, lacking, at, line))
        return orphans


def _shortfall(stream: _Stream, way: _Direction) -> Decimal:
    """Return the largest excess of closed over opened quantity."""
    if stream.rises and stream.falls:
        return -way.now  # unordered: only the total is meaningful
    return way.high - way.now if stream.falls else -way.low
