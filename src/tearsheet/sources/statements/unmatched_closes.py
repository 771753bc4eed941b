"""Orphan closes: fills that close what nothing in the file has opened. They are found and named, never guessed.

Only what a file itself says of its fills tells: a column with open or close, or that nobody can sell short
there. What is kept for an instrument is a few numbers, however long the file is.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from tearsheet.sources.layouts.layout import Effect
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.fill import Fill, FillRevision, Side, UnmatchedClose


class _Direction:
    """What was opened less what was closed in one direction, along the file, instant by instant."""

    __slots__ = ("at", "first", "first_line", "high", "is_bare", "last_line", "low", "now")

    def __init__(self) -> None:
        self.now = self.low = self.high = ZERO
        self.at: datetime | None = None
        self.first: datetime | None = None
        self.first_line = self.last_line = 0
        self.is_bare = False

    def end_instant(self) -> None:
        """The instant at hand is over: what stands now counts. Fills of one instant have no order."""
        if self.now < self.low:
            if not self.is_bare:
                self.first, self.is_bare = self.at, True
            self.low = self.now
        self.high = max(self.high, self.now)


class _Stream:
    __slots__ = ("begins", "directions", "ends", "falls", "last", "rises", "unknown")

    def __init__(self, at: datetime) -> None:
        self.directions: dict[Side, _Direction] = {}
        self.begins = self.ends = self.last = at
        self.rises = self.falls = self.unknown = False


class UnmatchedCloseFinder:
    """Watches the fills of a file as they come, in time or against it."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], _Stream] = {}

    def add(self, fill: Fill, effect: Effect, line: int) -> None:
        """Take a fill into account; a later word on one brings nothing new."""
        if isinstance(fill, FillRevision):
            return
        key = (fill.account, fill.symbol)
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _Stream(fill.time)
        stream.rises = stream.rises or fill.time > stream.last
        stream.falls = stream.falls or fill.time < stream.last
        stream.last = fill.time
        stream.begins, stream.ends = min(stream.begins, fill.time), max(stream.ends, fill.time)
        if not effect:
            stream.unknown = True
            return
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

    def results(self, held: Callable[[str, str, datetime], Decimal]) -> list[UnmatchedClose]:
        """The orphan closes. `held` says what was held before an instant (short is negative)."""
        orphans = []
        with exact():
            for (account, symbol), stream in sorted(self._streams.items()):
                for side, way in stream.directions.items():
                    way.end_instant()
                    lacking = _shortfall(stream, way)
                    if lacking <= ZERO or stream.unknown:
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
    """How much more was closed than opened at the worst moment."""
    if stream.rises and stream.falls:
        return -way.now  # in no order: only the sum tells
    return way.high - way.now if stream.falls else -way.low
