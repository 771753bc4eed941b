"""Makes all books anew from the stored facts, in a ledger of its own, and compares row by row."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from tearsheet.sources.log_folder import ReadSoFar, read_so_far_matches
from tearsheet.store.connection import uri_of
from tearsheet.store.ledger import Ledger
from tearsheet.store.posting import BookRules, Posting
from tearsheet.store.session_tallies import decode
from tearsheet.tracker.reports import VerifyReport

_FACTS = ("source", "record", "fill", "sighting", "rejection", "log_stream")
_BOOKS = ("position", "booking", "log_stream")
_SHOWN = 20


def verify(
    ledger: Ledger, log_folder: Path, rules: BookRules, now: datetime, step: Callable[[str], None]
) -> VerifyReport:
    """Rebuild from the facts and compare positions, bookings and tallies; check the log files too."""
    report = VerifyReport(rows={}, differences=[])
    with (
        TemporaryDirectory(prefix="tearsheet-verify-") as folder,
        closing(Ledger(Path(folder) / "rebuilt.db")) as rebuilt,
    ):
        step("copying the facts")
        _copy_facts(ledger, rebuilt)
        step("booking them anew")
        with rebuilt.writing():
            posting = Posting(rebuilt, rules, now)
            posting.rebuild()
            posting.finish()
        _attach(ledger, rebuilt)
        step("comparing")
        for table in _BOOKS:
            _compare(rebuilt, table, report)
        _compare_tallies(rebuilt, report)
    step("checking the log files")
    _check_logs(ledger, log_folder, report)
    return report


def _copy_facts(ledger: Ledger, rebuilt: Ledger) -> None:
    _attach(ledger, rebuilt)
    with rebuilt.writing():
        for table in _FACTS:
            rebuilt.connection.execute(f"INSERT INTO main.{table} SELECT * FROM kept.{table}")  # noqa: S608
    rebuilt.connection.execute("DETACH kept")


def _attach(ledger: Ledger, rebuilt: Ledger) -> None:
    uri = uri_of(ledger.path, read_only=ledger.read_only)
    rebuilt.connection.execute("ATTACH ? AS kept", (uri,))


def _compare(rebuilt: Ledger, table: str, report: VerifyReport) -> None:
    query = rebuilt.connection.execute
    (report.rows[table],) = query(f"SELECT COUNT(*) FROM kept.{table}").fetchone()  # noqa: S608
    for one, other, words in (
        ("kept", "main", "is stored but not"),
        ("main", "kept", "is missing"),
    ):
        rows = query(
            f"SELECT * FROM {one}.{table} EXCEPT SELECT * FROM {other}.{table} LIMIT {_SHOWN}"  # noqa: S608
        )
        for row in rows:
            report.differences.append(
                f"{table}: {row} {words} in a rebuild".replace(
                    "is missing in a rebuild", "comes out of a rebuild but is not stored"
                )
            )


def _compare_tallies(rebuilt: Ledger, report: VerifyReport) -> None:
    names = "account, session, currency, last_us, body"
    query = rebuilt.connection.execute
    kept = {row[:3]: row[3:] for row in query(f"SELECT {names} FROM kept.tally")}  # noqa: S608
    made = {row[:3]: row[3:] for row in query(f"SELECT {names} FROM main.tally")}  # noqa: S608
    report.rows["tally"] = len(kept)
    for key in sorted(kept.keys() | made.keys()):
        if key not in kept or key not in made:
            where = "is not stored" if key in made else "does not come out of a rebuild"
            report.differences.append(f"tally {key} {where}")
        elif kept[key] != made[key] and not _same_tally(kept[key], made[key]):
            report.differences.append(f"tally {key}: stored {kept[key][1]}, rebuilt {made[key][1]}")


def _same_tally(one: tuple[int, str], other: tuple[int, str]) -> bool:
    return one[0] == other[0] and decode(one[1]) == decode(other[1])


def _check_logs(ledger: Ledger, folder: Path, report: VerifyReport) -> None:
    """Whether every byte of the logs that was read is still there as it was."""
    logs = ledger.logs()
    report.rows["log files"] = len(logs)
    for name, source in sorted(logs.items()):
        path = folder / name
        if not path.exists() or source.size < 0:
            continue
        with path.open("rb") as file:
            so_far = ReadSoFar(source.offset, source.lines, source.checksum)
            if not read_so_far_matches(file, so_far):
                report.differences.append(
                    f"{path}: what was read of it has changed since; run `tearsheet sync --reread`"
                )


def as_json(report: VerifyReport) -> bytes:
    """The report as JSON."""
    return msgspec.json.encode(report)
