"""Records that a log file no longer has: they stay booked, under a source of their own, until somebody decides.

A record vanishes when a file is rotated, truncated, restarted or rewritten without it. A record of the same
order, account and symbol in the new file is its new version instead.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from tearsheet.store.tables.columns import DoubtRow
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.query_rows import SourceFile
from tearsheet.store.tables.sources import EVERY, DoubtTable
from tearsheet.store.write.log_orders import may_be_another
from tearsheet.store.write.log_records import LogRecords
from tearsheet.store.write.stored_record import StoredRecord
from tearsheet.trade.session import to_micros

#: Code of the doubt, and of the reason why a window is partial.
VANISHED = "records_vanished"


class VanishedRecords:
    """The vanished records of a ledger, inside one write transaction."""

    def __init__(self, queries: Queries, records: LogRecords, doubts: DoubtTable, now_us: int) -> None:
        self._queries, self._records, self._doubts, self._now_us = queries, records, doubts, now_us

    def since(self, before: Iterable[StoredRecord], source_id: int) -> list[StoredRecord]:
        """Return the records that a file had before it was read again, and no longer has."""
        present: dict[tuple[str, str, str], list[StoredRecord]] = defaultdict(list)
        for record in self._records.of_source(source_id):
            present[_order(record)].append(record)
        return [one for one in before if not any(_succeeds(one, new) for new in present[_order(one)])]

    def keep(self, name: str, kept_in: int, vanished: list[StoredRecord]) -> None:
        """Store vanished records under the source `kept_in`, and their doubts."""
        self._records.keep(kept_in, vanished)
        self._doubts.add(_doubts(name, kept_in, vanished, self._now_us))

    def restore(self, source: SourceFile) -> bool:
        """Release the kept records of a file that contains them again; return whether there were any."""
        found = [one for one in self._doubts.all() if one.source == source.name and one.code == VANISHED]
        kept = {one.kept_in for one in found}
        restored = False
        for kept_in in kept:
            before = self._records.of_source(kept_in)
            left = self.since(before, source.id)
            if len(left) == len(before):
                continue
            restored = True
            self._records.remove(kept_in)
            self._doubts.remove(one for one in found if one.kept_in == kept_in)
            if left:
                self.keep(source.name, kept_in, left)
            else:
                self._queries.execute("remove_source", (kept_in,))
        return restored

    def note_unread(self, source: SourceFile, what: str, since_us: int, until_us: int) -> None:
        """Save that lines of a file which were not read may have vanished from it."""
        doubt = DoubtRow(
            source=source.name,
            account=EVERY,
            code=VANISHED,
            detail=f"{source.name}: {what}",
            since_us=since_us,
            until_us=until_us,
            found_us=self._now_us,
            kept_in=0,
        )
        self._doubts.remove([doubt])
        self._doubts.add([doubt])

    def drop(self, kept_in: int) -> None:
        """Remove kept records from the books."""
        self._records.remove(kept_in)
        self._queries.execute("remove_source", (kept_in,))


def _succeeds(one: StoredRecord, new: StoredRecord) -> bool:
    """Return whether a line is a version of an earlier one, and not a result that uses its order id again."""
    return not (one.closed and may_be_another(one, new))


def _order(record: StoredRecord) -> tuple[str, str, str]:
    return record.account, record.symbol, record.key


def _doubts(name: str, kept_in: int, vanished: list[StoredRecord], now_us: int) -> list[DoubtRow]:
    by_account: dict[str, list[datetime]] = defaultdict(list)
    for one in vanished:
        record = one.to_record()
        by_account[one.account] += [at for at in (record.timestamp, record.exit_timestamp) if at is not None]
    number = len(vanished)
    detail = f"{number} record{'' if number == 1 else 's'} that {name} had; their results stay booked"
    return [
        DoubtRow(
            source=name,
            account=account,
            code=VANISHED,
            detail=detail,
            since_us=to_micros(min(times)),
            until_us=to_micros(max(times)),
            found_us=now_us,
            kept_in=kept_in,
        )
        for account, times in by_account.items()
    ]
