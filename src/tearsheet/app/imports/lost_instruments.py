"""Instruments file that is gone or wrong: a doubt of the accounts that trade what it names, until it is right again."""

from datetime import datetime

from tearsheet.app.imports.lost_logs import GONE
from tearsheet.app.kept_instruments import InstrumentSource
from tearsheet.store.tables.columns import DoubtRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.sources import INSTRUMENTS, DoubtTable
from tearsheet.trade.session import LATEST, TradingCalendar, to_micros


def is_noted(queries: Queries, source: InstrumentSource) -> bool:
    """Return whether the ledger knows that the file is gone, or there; what another place has is no matter."""
    lost = source.is_lost
    return lost is None or lost == queries.exists("doubt_of_source", (INSTRUMENTS,))


def update_instruments(
    queries: Queries, source: InstrumentSource, calendar: TradingCalendar, now: datetime
) -> bool:
    """Save whether the file is gone, inside a write transaction; return whether that changed."""
    table, lost = DoubtTable(queries), source.is_lost
    if lost is None:
        return False
    if source.is_there:
        table.end_absence(INSTRUMENTS)
    before = [one for one in table.all() if one.source == INSTRUMENTS]
    if bool(before) == lost:
        return False
    doubt = DoubtRow(
        source=INSTRUMENTS,
        account=INSTRUMENTS,
        code=GONE,
        detail=f"{source.problem or f'{source.path} is gone'}; the last known instruments go on",
        since_us=to_micros(calendar.start(calendar.trading_day_of(now))),
        until_us=to_micros(LATEST),
        found_us=to_micros(now),
        kept_in=0,
    )
    return table.replace(before, [doubt] if lost else [])
