"""Feeds of a ledger: where its facts come from, and what each said last."""

from datetime import datetime, timedelta

from msgspec import Struct

from tearsheet.app.context import LedgerContext
from tearsheet.store.tables.columns import Row
from tearsheet.trade.session import from_micros

#: Layouts of sources that are no statements: logs, and what was posted.
_NAMES = {"trade_log": "trade log", "api": "posts"}


class Feed(Struct, frozen=True, kw_only=True):
    """A kind of source with its place, number of sources, last fact, and the age of that in seconds."""

    name: str
    place: str | None
    sources: int
    last_at: datetime | None
    age_s: float | None
    read_at: datetime


class _FeedRow(Row, frozen=True, gc=False):
    layout: str
    sources: int
    read_us: int
    last_us: int | None


def feeds(context: LedgerContext) -> list[Feed]:
    """Return every feed of a ledger, the one that said something last first; it reads all facts."""
    with context.ledger.snapshot() as queries:
        found = queries.rows(_FeedRow, "feeds")
    return sorted(
        (_feed(context, row) for row in found), key=lambda feed: -(feed.last_at or feed.read_at).timestamp()
    )


def _feed(context: LedgerContext, row: _FeedRow) -> Feed:
    last = None if row.last_us is None else from_micros(row.last_us)
    return Feed(
        name=_NAMES.get(row.layout, row.layout),
        place=str(context.settings.log_dir) if row.layout == "trade_log" else None,
        sources=row.sources,
        last_at=last,
        age_s=None if last is None else (context.now - last) / timedelta(seconds=1),
        read_at=from_micros(row.read_us),
    )
