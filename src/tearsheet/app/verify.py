"""Makes all books anew from the stored facts, in a ledger of its own, and compares row by row."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from msgspec import Struct

from tearsheet.app.reports import VerifyReport
from tearsheet.sources.trade_logs.log_folder import LogReadPosition, prefix_matches
from tearsheet.store.db.connection import Row
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.notes import NoteTable
from tearsheet.store.tables.tallies import decode
from tearsheet.store.write.transaction import BookingRules, LedgerTransaction

_FACTS = ("source", "record", "fill", "sighting", "rejection", "log_stream")
_SHOWN = 20


class _Table(Struct, frozen=True):
    """A table of books: in which order its rows are compared, and where that stands in a row."""

    name: str
    columns: str
    order: str
    places: tuple[int, ...]


_BOOKS = (
    _Table("position", "*", "id", (0, 1)),
    _Table("booking", "*", "position_id, time_us, rank, fill_key, part", (0, 4, 5, 6, 7)),
    _Table("log_stream", "*", "account, symbol", (0, 1)),
)
_TALLIES = _Table(
    "tally", "account, session, currency, last_us, body", "account, session, currency", (0, 1, 2)
)
RowPair = tuple[Row | None, Row | None]


def verify(
    ledger: Ledger, log_folder: Path, rules: BookingRules, now: datetime, step: Callable[[str], None]
) -> VerifyReport:
    """Rebuild from the facts and compare positions, bookings and tallies; check the log files too.

    Rows are compared as they stream by, so a ledger of any size fits.
    """
    report = VerifyReport(rows={}, differences=[])
    with (
        TemporaryDirectory(prefix="tearsheet-verify-") as folder,
        closing(Ledger(Path(folder) / "rebuilt.db")) as rebuilt,
        ledger.snapshot(),
    ):
        step("copying the facts")
        with rebuilt.writing():
            rebuilt.connection.limit_memory()
            for table in _FACTS:
                _copy(ledger, rebuilt, table)
        step("booking them anew")
        with rebuilt.writing():
            posting = LedgerTransaction(rebuilt, rules, now)
            posting.rebuild()
            posting.commit()
        step("comparing")
        with rebuilt.snapshot():
            for books in _BOOKS:
                _compare(ledger, rebuilt, books, report)
            _compare_tallies(ledger, rebuilt, report)
            _check_notes(ledger, report)
    step("checking the log files")
    _check_logs(ledger, log_folder, report)
    return report


def _copy(ledger: Ledger, rebuilt: Ledger, table: str) -> None:
    into = rebuilt.connection
    columns = ", ".join(f'"{row[1]}"' for row in into.execute(f"PRAGMA table_info({table})"))
    marks = ", ".join("?" * (columns.count(",") + 1))
    indexes = into.drop_indexes_temporarily(table)
    rows = ledger.connection.stream(f"SELECT {columns} FROM {table}")  # noqa: S608
    into.execute_many(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608
    for statement in indexes:
        into.execute(statement)


def _merge_join(ledger: Ledger, rebuilt: Ledger, table: _Table, report: VerifyReport) -> Iterator[RowPair]:
    """The rows that differ: what is stored beside what comes out of a rebuild."""
    question = f"SELECT {table.columns} FROM {table.name} ORDER BY {table.order}"  # noqa: S608
    kept, made = iter(ledger.connection.stream(question)), iter(rebuilt.connection.stream(question))
    place: Callable[[Row], Any] = itemgetter(*table.places)
    one, other = next(kept, None), next(made, None)
    count = 0
    while one is not None or other is not None:
        ahead = other is None or (one is not None and place(one) < place(other))
        behind = one is None or (other is not None and place(other) < place(one))
        if ahead:
            yield one, None
        elif behind:
            yield None, other
        elif one != other:
            yield one, other
        if not behind:
            one, count = next(kept, None), count + 1
        if not ahead:
            other = next(made, None)
    report.rows[table.name] = count


def _compare(ledger: Ledger, rebuilt: Ledger, table: _Table, report: VerifyReport) -> None:
    stored = missing = 0
    for one, other in _merge_join(ledger, rebuilt, table, report):
        if one is not None and (stored := stored + 1) <= _SHOWN:
            report.differences.append(f"{table.name}: {one} is stored but not in a rebuild")
        if other is not None and (missing := missing + 1) <= _SHOWN:
            report.differences.append(f"{table.name}: {other} comes out of a rebuild but is not stored")


def _compare_tallies(ledger: Ledger, rebuilt: Ledger, report: VerifyReport) -> None:
    for one, other in _merge_join(ledger, rebuilt, _TALLIES, report):
        if one is None or other is None:
            key = (one or other or ())[:3]
            where = "is not stored" if one is None else "does not come out of a rebuild"
            report.differences.append(f"tally {key} {where}")
        elif not _tallies_equal(one, other):
            report.differences.append(f"tally {one[:3]}: stored {one[4]}, rebuilt {other[4]}")


def _tallies_equal(one: Row, other: Row) -> bool:
    return bool(one[3] == other[3] and decode(one[4]) == decode(other[4]))


def _check_notes(ledger: Ledger, report: VerifyReport) -> None:
    """Whether every note stands with the position that its fill is in."""
    for kept, right in NoteTable(ledger.queries).find_misattached():
        report.differences.append(
            f"note {kept.id} stands with position {kept.position_id}, its fill in {right.position_id}"
        )


def _check_logs(ledger: Ledger, folder: Path, report: VerifyReport) -> None:
    """Whether every byte of the logs that was read is still there as it was."""
    logs = ledger.log_files()
    report.rows["log files"] = len(logs)
    for name, source in sorted(logs.items()):
        path = folder / name
        if not path.exists() or source.size < 0:
            continue
        with path.open("rb") as file:
            so_far = LogReadPosition(source.offset, source.lines, source.checksum)
            if not prefix_matches(file, so_far):
                report.differences.append(
                    f"{path}: what was read of it has changed since; run `tearsheet sync --reread`"
                )


def to_json(report: VerifyReport) -> bytes:
    """The report as JSON."""
    return msgspec.json.encode(report)
