"""A lake beside the ledger that was written into it: by hash for each account and session, then fill by fill.

Hashes of the fills of a session add up, so that neither side keeps more than a number for each.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple

from msgspec import Struct

from tearsheet.app.context import LedgerContext
from tearsheet.bulk.lake import Lake, LakeSource
from tearsheet.bulk.packing import columns_of_batch
from tearsheet.bulk.run import TOTAL, published_run
from tearsheet.columns.fill_columns import FillColumns
from tearsheet.errors import NotFoundError
from tearsheet.performance.tally import ALL_ACCOUNTS, Tally
from tearsheet.store.tables.tallies import decode
from tearsheet.trade.session import TradingCalendar, from_micros

#: Sessions whose differences are explained; more are counted.
MOST_EXPLAINED = 20
_EVER = (date.min, date.max)


class LakeDifference(Struct, frozen=True):
    """What one side has otherwise than the other: a fill by its key, or a sum of a tally; None where it has none."""

    account: str
    session: date
    what: str
    ledger: str | None
    lake: str | None


class LakeComparison(Struct, frozen=True, kw_only=True):
    """What was compared; `different` sessions of accounts, the first of them explained."""

    lake: str
    source: str
    accounts: int
    sessions: int
    fills: int
    tallies: int
    different: int
    differences: list[LakeDifference]


class _AccountSession(NamedTuple):
    account: str
    session: date


class _FillsHash(NamedTuple):
    fills: int = 0
    hash: int = 0


def compare(context: LedgerContext, address: str) -> LakeComparison:
    """Compare a ledger with what a lake has of it, and their tallies. Raises NotFoundError, InputError."""
    lake, ledger = Lake.open(address), context.ledger
    source = next((one for one in lake.sources if one.name == ledger.identity[:16]), None)
    if source is None:
        raise NotFoundError(
            f"{lake.place.address} has nothing of the ledger {ledger.name}",
            "`tearsheet bulk write` puts it there",
        )
    calendar = lake.manifest.rules.calendar
    with ledger.snapshot():
        ours = _hashes(ledger.queries.fill_columns(), calendar)
        theirs = _hashes(_lake_fills(lake, source), calendar)
        places = sorted(ours.keys() | theirs.keys())
        wrong = [place for place in places if ours.get(place) != theirs.get(place)]
        chosen = frozenset(wrong[:MOST_EXPLAINED])
        found = list(
            _explained(
                _rows(ledger.queries.fill_columns(), calendar, chosen),
                _rows(_lake_fills(lake, source), calendar, chosen),
            )
        )
        tallies, sums = _compare_tallies(context, lake, source)
    return LakeComparison(
        lake=lake.place.address,
        source=source.name,
        accounts=len({place.account for place in places}),
        sessions=len(places),
        fills=sum(one.fills for one in ours.values()),
        tallies=tallies,
        different=len({*wrong, *(_AccountSession(one.account, one.session) for one in sums)}),
        differences=[*found, *sums[:MOST_EXPLAINED]],
    )


def _lake_fills(lake: Lake, source: LakeSource) -> Iterator[FillColumns]:
    for bucket in sorted({file.bucket for file in source.files}):
        for batch in lake.batches([bucket], source.name):
            yield columns_of_batch(batch.rows)


def _placed(
    batches: Iterable[FillColumns], calendar: TradingCalendar
) -> Iterator[tuple[_AccountSession, tuple[Any, ...]]]:
    for columns in batches:
        for row in zip(*columns, strict=True):
            fill = dict(zip(FillColumns._fields, row, strict=True))
            yield _AccountSession(fill["account"], calendar.trading_day_of(from_micros(fill["time_us"]))), row


def _hashes(batches: Iterable[FillColumns], calendar: TradingCalendar) -> dict[_AccountSession, _FillsHash]:
    found: dict[_AccountSession, _FillsHash] = defaultdict(_FillsHash)
    for place, row in _placed(batches, calendar):
        before = found[place]
        digest = blake2b(repr(_plain(row)).encode(), digest_size=8).digest()
        found[place] = _FillsHash(before.fills + 1, (before.hash + int.from_bytes(digest)) % 2**64)
    return dict(found)


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row with its flag as a number, as both sides may keep it otherwise."""
    fill = dict(zip(FillColumns._fields, row, strict=True))
    return tuple((fill | {"closes": int(bool(fill["closes"]))}).values())


def _rows(
    batches: Iterable[FillColumns], calendar: TradingCalendar, places: frozenset[_AccountSession]
) -> dict[tuple[_AccountSession, str], dict[str, Any]]:
    if not places:
        return {}
    rows = (
        (place, dict(zip(FillColumns._fields, _plain(row), strict=True)))
        for place, row in _placed(batches, calendar)
        if place in places
    )
    return {(place, f"{fill['symbol']} {fill['key']}"): fill for place, fill in rows}


def _explained(
    ours: dict[tuple[_AccountSession, str], dict[str, Any]],
    theirs: dict[tuple[_AccountSession, str], dict[str, Any]],
) -> Iterator[LakeDifference]:
    """Yield each fill that only one side has, and each value that differs."""
    for place, name in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get((place, name)), theirs.get((place, name))
        if one is None or other is None:
            here, there = ("a fill", None) if other is None else (None, "a fill")
            yield LakeDifference(*place, name, here, there)
            continue
        for field, value in one.items():
            if value != other[field]:
                yield LakeDifference(*place, f"{name} {field}", str(value), str(other[field]))


def _compare_tallies(
    context: LedgerContext, lake: Lake, source: LakeSource
) -> tuple[int, list[LakeDifference]]:
    """Return how many tallies were compared, and what differs: none without books of the lake."""
    try:
        run = published_run(lake)
    except NotFoundError:
        return 0, []
    has_total = TOTAL in run.parts and len(lake.sources) == 1
    names = {*source.accounts, *([ALL_ACCOUNTS] if has_total else [])}
    ours, table = {}, context.ledger.tallies
    for name in names:
        account = name or None
        for currency in table.currencies(account, *_EVER):
            for session, tally in table.between(account, *_EVER, currency):
                ours[name, session, currency] = tally
    theirs = {}
    for part in run.parts:
        rows = run.table(lake, "tallies", part)
        columns = (rows.column(name).to_pylist() for name in ("account", "session", "currency", "body"))
        for account, session, currency, body in zip(*columns, strict=True):
            if account in names:
                theirs[account, session, currency] = decode(body)
    found = (
        one
        for key in sorted(ours.keys() | theirs.keys())
        for one in _tally_differences(key, ours.get(key), theirs.get(key))
    )
    return len(ours), list(islice(found, 1000))


def _tally_differences(
    key: tuple[str, date, str], ours: Tally | None, theirs: Tally | None
) -> Iterator[LakeDifference]:
    account, session, currency = key
    if ours is None or theirs is None:
        here, there = ("a tally", None) if theirs is None else (None, "a tally")
        if ours != theirs:
            yield LakeDifference(account, session, f"results in {currency}", here, there)
        return
    for name in Tally.__struct_fields__:
        one, other = getattr(ours, name), getattr(theirs, name)
        if one != other:
            yield LakeDifference(account, session, f"{name} in {currency}", str(one), str(other))
