"""Feeds of a ledger: where its facts come from, and what each said last."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from tearsheet.app.context import LedgerContext
from tearsheet.performance.summary import SourceAge
from tearsheet.rules.verdict import SourceFeed, Verdict
from tearsheet.store.tables.account_states import (
    LOG_LAYOUT,
    POST_LAYOUT,
    AccountFeedRow,
    account_state,
    feed_name,
    feed_source,
)
from tearsheet.store.tables.columns import Row
from tearsheet.trade.session import from_micros


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


def account_feeds(context: LedgerContext, account: str) -> tuple[SourceFeed, ...]:
    """Return what each source of an account said last; use it inside a snapshot of the ledger.

    A log or posts may not be silent, unless that is stated; without them, the newest statement may not. A heartbeat
    speaks for posts and statements, not for a log.
    """
    queries = context.ledger.queries
    rows = {row.layout: row for row in queries.rows(AccountFeedRow, "account_feeds", (account,))}
    heard = account_state(queries, account).last_update_at
    if not rows:
        beat = (
            SourceFeed(kind="heartbeat", name="heartbeat", last_at=heard, alive_at=heard) if heard else None
        )
        return () if beat is None else (beat,)
    live = rows.keys() & {LOG_LAYOUT, POST_LAYOUT}
    needed = live or {max(rows.values(), key=lambda row: row.said_us).layout}
    quiet = {one for one in needed if queries.exists("absence", (feed_source(account, one),))}
    return tuple(
        _account_feed(context, row, heard, needed=row.layout in needed - quiet) for row in rows.values()
    )


def _account_feed(
    context: LedgerContext, row: AccountFeedRow, heard: datetime | None, *, needed: bool
) -> SourceFeed:
    said = from_micros(row.said_us)
    if row.layout == LOG_LAYOUT:
        looked = context.last_checked_at if context.settings.silence_is_normal else None
        alive = max(said, looked or said)
        return SourceFeed(kind="log", name=feed_name(row.layout), last_at=said, alive_at=alive, needed=needed)
    alive = max(said, heard or said)
    if row.layout == POST_LAYOUT:
        return SourceFeed(
            kind="posts", name=feed_name(row.layout), last_at=alive, alive_at=alive, needed=needed
        )
    return SourceFeed(kind="statement", name=row.layout, last_at=said, alive_at=alive, needed=needed)


_KINDS: Mapping[str, Literal["log", "posts"]] = {LOG_LAYOUT: "log", POST_LAYOUT: "posts"}
_WORST_LAST = ("quiet", "ok", "stale")


def summary_feeds(
    context: LedgerContext, account: str | None, verdicts: Iterable[Verdict]
) -> tuple[SourceAge, ...]:
    """Return what the sources of an account, or of all, said last; each is as stale as the verdicts say at worst."""
    with context.ledger.snapshot() as queries:
        rows = (
            queries.rows(AccountFeedRow, "feeds_of_all")
            if account is None
            else queries.rows(AccountFeedRow, "account_feeds", (account,))
        )
    judged = [one for verdict in verdicts for one in verdict.feeds]
    found = []
    for row in rows:
        states = {one.state for one in judged if one.name == feed_name(row.layout)}
        last = from_micros(row.said_us)
        found.append(
            SourceAge(
                kind=_KINDS.get(row.layout, "statement"),
                name=feed_name(row.layout),
                last_at=last,
                age_s=max(context.now - last, timedelta(0)) / timedelta(seconds=1),
                state=max(states, key=_WORST_LAST.index, default="quiet"),
            )
        )
    return tuple(found)


def _feed(context: LedgerContext, row: _FeedRow) -> Feed:
    last = None if row.last_us is None else from_micros(row.last_us)
    return Feed(
        name=feed_name(row.layout),
        place=str(context.settings.log_dir) if row.layout == LOG_LAYOUT else None,
        sources=row.sources,
        last_at=last,
        age_s=None if last is None else (context.now - last) / timedelta(seconds=1),
        read_at=from_micros(row.read_us),
    )
