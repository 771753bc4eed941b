"""Verification of the books: what the stored fills come to, compared row by row.

Plain ledgers are folded on columns; any other, and any with a difference, is rebuilt in a temporary ledger.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from tearsheet.app.reports import VerifyReport
from tearsheet.app.verification.verify_columns import books_equal_facts
from tearsheet.sources.trade_logs.log_folder import LogReadPosition, prefix_matches
from tearsheet.store.booking_rules import BookingRules
from tearsheet.store.kept_accounts import keep_accounts, kept_accounts
from tearsheet.store.tables.columns import BookingRow, LogStreamRow, PositionRow, Row, RowType, TallyRow
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.notes import NoteTable
from tearsheet.store.tables.query_rows import GapRow
from tearsheet.store.tables.tallies import decode
from tearsheet.store.write.transaction import LedgerTransaction

_FACTS = ("source", "record", "fill", "sighting", "rejection", "log_stream")
_SHOWN = 20


class _Book(Struct, Generic[RowType], frozen=True):
    """Derived table and its sort columns; `view` has all of its rows where the table has some."""

    kind: type[RowType]
    order: str
    view: str = ""

    @property
    def name(self) -> str:
        """Return the table's name."""
        return self.kind.TABLE


_BOOKS: tuple[_Book[Any], ...] = (
    _Book(PositionRow, "id"),
    _Book(BookingRow, "position_id, time_us, rank, fill_key, part", "booked"),
    _Book(LogStreamRow, "account, symbol"),
    _Book(GapRow, "account, symbol, time_us, rank, fill_key, code"),
)
_TALLIES = _Book(TallyRow, "account, session, currency")


def verify(
    ledger: Ledger, log_folder: Path, rules: BookingRules, now: datetime, step: Callable[[str], None]
) -> VerifyReport:
    """Rebuild from stored fills and compare positions, bookings and tallies; check the log files too.

    Rows are streamed, so memory use does not depend on the size of the ledger.
    """
    report = VerifyReport(rows={}, differences=[])
    with ledger.snapshot():
        step("folding the fills")
        rows = books_equal_facts(ledger, rules)
        if rows is not None:
            report.rows.update(rows)
            _check_notes(ledger, report)
    if rows is None:
        _rebuild_and_compare(ledger, rules, now, step, report)
    step("checking the log files")
    _check_logs(ledger, log_folder, report)
    return report


def _rebuild_and_compare(
    ledger: Ledger, rules: BookingRules, now: datetime, step: Callable[[str], None], report: VerifyReport
) -> None:
    with (
        TemporaryDirectory(prefix="tearsheet-verify-") as folder,
        closing(Ledger(Path(folder) / "rebuilt.db")) as rebuilt,
        ledger.snapshot(),
    ):
        step("copying stored fills")
        with rebuilt.writing():
            rebuilt.connection.limit_memory()
            for table in _FACTS:
                _copy(ledger, rebuilt, table)
            keep_accounts(rebuilt, kept_accounts(ledger))  # their calendars date the sessions
        step("rebuilding the books")
        with rebuilt.writing():
            transaction = LedgerTransaction(rebuilt, rules, now)
            transaction.rebuild(by_book=True)
            transaction.commit()
        step("comparing")
        with rebuilt.snapshot():
            for books in _BOOKS:
                _compare(ledger, rebuilt, books, report)
            _compare_tallies(ledger, rebuilt, report)
            _check_notes(ledger, report)


def _copy(ledger: Ledger, rebuilt: Ledger, table: str) -> None:
    into = rebuilt.connection
    names = rebuilt.queries.select_values("SELECT name FROM pragma_table_info(?)", (table,))
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join("?" * len(names))
    indexes = into.drop_indexes_temporarily(table)
    rows = ledger.connection.stream(f"SELECT {columns} FROM {table}")  # noqa: S608
    into.execute_many(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608
    for statement in indexes:
        into.execute(statement)


def _merge_join(
    ledger: Ledger, rebuilt: Ledger, book: _Book[RowType], report: VerifyReport
) -> Iterator[tuple[RowType | None, RowType | None]]:
    """Yield each pair of stored and rebuilt rows that differ, by a merge join; None stands for a missing row."""
    statement = f"SELECT * FROM {book.view or book.name} ORDER BY {book.order}"  # noqa: S608
    stored, made = (iter(one.queries.stream_of(book.kind, statement)) for one in (ledger, rebuilt))
    key: Callable[[Row], Any] = attrgetter(*book.order.split(", "))
    one, other = next(stored, None), next(made, None)
    count = 0
    while one is not None or other is not None:
        ahead = other is None or (one is not None and key(one) < key(other))
        behind = one is None or (other is not None and key(other) < key(one))
        if ahead:
            yield one, None
        elif behind:
            yield None, other
        elif one != other:
            yield one, other
        if not behind:
            one, count = next(stored, None), count + 1
        if not ahead:
            other = next(made, None)
    report.rows[book.name] = count


def _compare(ledger: Ledger, rebuilt: Ledger, book: _Book[Any], report: VerifyReport) -> None:
    stored = missing = 0
    for one, other in _merge_join(ledger, rebuilt, book, report):
        if one is not None and (stored := stored + 1) <= _SHOWN:
            report.differences.append(f"{book.name}: {astuple(one)} is stored but not in a rebuild")
        if other is not None and (missing := missing + 1) <= _SHOWN:
            report.differences.append(f"{book.name}: {astuple(other)} is in a rebuild but not stored")


def _compare_tallies(ledger: Ledger, rebuilt: Ledger, report: VerifyReport) -> None:
    for one, other in _merge_join(ledger, rebuilt, _TALLIES, report):
        if one is not None and other is not None:
            if not _tallies_equal(one, other):
                report.differences.append(f"tally {_key(one)}: stored {one.body}, rebuilt {other.body}")
        elif one is not None:
            report.differences.append(f"tally {_key(one)} is not in a rebuild")
        elif other is not None:
            report.differences.append(f"tally {_key(other)} is not stored")


def _key(row: TallyRow) -> tuple[str, str, str]:
    return row.account, row.session, row.currency


def _tallies_equal(one: TallyRow, other: TallyRow) -> bool:
    return one.last_us == other.last_us and decode(one.body) == decode(other.body)


def _check_notes(ledger: Ledger, report: VerifyReport) -> None:
    """Report notes that are attached to another position than their fill."""
    for note, right in NoteTable(ledger.queries).find_misattached():
        report.differences.append(
            f"note {note.id} is attached to position {note.position_id}, but its fill is in {right.position_id}"
        )


def _check_logs(ledger: Ledger, folder: Path, report: VerifyReport) -> None:
    """Report log files that changed in the part already read, by checksum."""
    logs = ledger.sources.log_files()
    report.rows["log files"] = len(logs)
    for name, source in sorted(logs.items()):
        path = folder / name
        if not path.is_file() or source.size < 0:
            continue
        with path.open("rb") as file:
            so_far = LogReadPosition(source.offset, source.lines, source.checksum)
            if not prefix_matches(file, so_far):
                report.differences.append(
                    f"{path}: the part that was read has changed; `touch` it, then `tearsheet sync` reads it again"
                )


def to_json(report: VerifyReport) -> bytes:
    """Return the report as JSON."""
    return msgspec.json.encode(report)
