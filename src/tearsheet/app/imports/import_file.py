"""Takes a file of fills, or a trade log from elsewhere, into the ledger: each content once."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tearsheet.app.imports.preview import Preview, preview_change
from tearsheet.app.reports import ImportReport, OnProgress
from tearsheet.errors import InputError, UsageError
from tearsheet.settings import Settings
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.layouts.catalogue import FormatInfo, layouts, list_formats
from tearsheet.sources.layouts.mapping import layout_text, mapped_layout
from tearsheet.sources.statements.diagnosis import (
    Diagnosis,
    describe_parse_rules,
    diagnose,
    trade_log_diagnosis,
)
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import Statement, open_statement
from tearsheet.sources.statements.unmatched_closes import UnmatchedCloseFinder
from tearsheet.sources.trade_logs.log_folder import LogReadPosition, read_new
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.query_rows import SourceFile
from tearsheet.store.write.imported_fills import ImportCounts
from tearsheet.store.write.transaction import BookingRules, FileState, LedgerTransaction
from tearsheet.trade.fill import Fill, Rejection
from tearsheet.trade.session import to_micros

__all__ = [
    "Diagnosis",
    "StatementOptions",
    "describe_parse_rules",
    "diagnose_file",
    "import_file",
    "known_formats",
    "preview_import",
    "save_mapping",
]

_AT_ONCE = 10_000
_CHUNK = 8 << 20
_TRADE_LOG = ("timestamp", "symbol", "action", "quantity", "price")


def import_file(
    ledger: Ledger,
    path: Path,
    name: str,
    rules: BookingRules,
    options: StatementOptions,
    now: datetime,
    on_progress: OnProgress,
    who: str | None = None,
) -> ImportReport:
    """Read a file into the ledger in one transaction; a content read before changes nothing.

    A content that had rejections is read again, since the instruments may be known by now.
    """
    take = ImportJob(ledger, path, name, rules, options, now, on_progress, who)
    with ledger.writing():
        return take.run()


def preview_import(
    ledger: Ledger,
    path: Path,
    name: str,
    rules: BookingRules,
    options: StatementOptions,
    now: datetime,
    on_progress: OnProgress,
) -> Preview:
    """What an import would change; nothing is kept. Raises as `import_file` does."""
    take = ImportJob(ledger, path, name, rules, options, now, on_progress)
    return preview_change(ledger, take.run)


class ImportJob:
    """One file on its way into the ledger: recognised before the transaction, read inside it."""

    def __init__(
        self,
        ledger: Ledger,
        path: Path,
        name: str,
        rules: BookingRules,
        options: StatementOptions,
        now: datetime,
        on_progress: OnProgress,
        who: str | None = None,
    ) -> None:
        self._ledger, self._path, self._rules, self._now = ledger, path, rules, now
        self._on_progress, self._who = on_progress, who
        self._state, self._checksum = _file_identity(path, name)
        is_log = _is_trade_log(path)
        self.statement = None if is_log else open_statement(path, rules.instruments, options)
        layout = "trade_log" if self.statement is None else self.statement.layout
        self._report = ImportReport(file=name, layout=layout)
        self._unmatched_closes = UnmatchedCloseFinder()

    def run(self) -> ImportReport:
        """Keep all that the file says; a content read before changes nothing."""
        report, state = self._report, self._state
        earlier = self._ledger.imports_for(self._checksum, state.size)
        if earlier and not earlier[0].rejected:
            return _duplicate_report(report, earlier[0], self._ledger.revision)
        posting = LedgerTransaction(self._ledger, self._rules, self._now)
        posting.rebuild_if_outdated()
        report.id = posting.open_import(state, report.layout)
        posting.mark_rejections_superseded(report.id, earlier)
        if self.statement is None:
            counts, lines = _import_records(posting, report.id, self._path, report)
        else:
            rows = _with_row_numbers(self.statement, self._unmatched_closes)
            counts, lines = _import_fills(posting, report.id, self.statement, rows, report, self._on_progress)
            report.skipped = counts.skipped = self.statement.skipped
        posting.close_import(report.id, state, self._checksum, lines, counts, report.rejections, self._who)
        report.new, report.known, report.rejected = counts.new, counts.known, counts.rejected
        self._on_progress(state.size, state.size, "booking")
        report.revision = posting.commit()
        report.orphans = self._unmatched_closes.results(self._ledger.queries.holding_before)
        return report


def known_formats(folder: Path | None = None) -> dict[str, FormatInfo]:
    """Every format of statements by name: what it needs, and what to know of it."""
    trade_log = FormatInfo("trade_log", "Trade log (JSON Lines)", list(_TRADE_LOG))
    return {line.name: line for line in (*list_formats(folder), trade_log)}


def diagnose_file(path: Path, settings: Settings, **said: Any) -> Diagnosis:
    """What a file looks like to the importer, without a ledger and without keeping anything.

    What is `said` of the file are fields of `StatementOptions`.
    """
    if path.is_file() and _is_trade_log(path):
        return trade_log_diagnosis(path)
    instruments = load_instruments(settings.instruments_file, settings.currency)
    return diagnose(path, instruments, StatementOptions(**said))


def save_mapping(name: str, said: Mapping[str, Any]) -> Path:
    """Keep what the user says of columns as a layout. Raises UsageError and InputError."""
    mapping: Mapping[str, str] = said["mapping"]
    folder: Path = said["layouts"]
    if not mapping:
        raise UsageError("--save-layout keeps what --map says, and nothing was mapped", "say --map")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name):
        raise UsageError(f"--save-layout {name!r} is no name", "allowed are small letters, digits and _")
    path = folder / f"{name}.toml"
    layout = mapped_layout(mapping, layouts()["generic_fills"], said["fee_sign"])
    text = layout_text(layout, name.replace("_", " "))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already", "choose another name, or delete it") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", "check --layouts") from None
    return path


def _duplicate_report(report: ImportReport, earlier: SourceFile, revision: int) -> ImportReport:
    report.repeated, report.id = True, earlier.id
    report.known = earlier.facts
    report.revision = revision
    return report


def _import_fills(
    posting: LedgerTransaction,
    source_id: int,
    statement: Statement,
    rows: Iterator[tuple[int, Fill | Rejection]],
    report: ImportReport,
    on_progress: OnProgress,
) -> tuple[ImportCounts, int]:
    counts, lines = ImportCounts(), 0
    name = report.file.rpartition("/")[2]
    for batch in _chunks(rows):
        fills = [(line, row) for line, row in batch if isinstance(row, Fill)]
        report.rejections += [replace(row, file=name) for _, row in batch if isinstance(row, Rejection)]
        report.rejections += posting.add_fills(source_id, name, fills, counts)
        lines = batch[-1][0]
        on_progress(statement.bytes_read, statement.total_bytes, name)
    return counts, lines


def _with_row_numbers(
    statement: Statement, orphans: UnmatchedCloseFinder
) -> Iterator[tuple[int, Fill | Rejection]]:
    """Every row with its line, watched for fills that close what nothing opened."""
    if not statement.detected.layout.has_effect:
        for row in statement.rows():
            yield statement.line, row
        return
    for row in statement.rows():
        if isinstance(row, Fill):
            orphans.add(row, statement.effect(row), statement.line)
        yield statement.line, row


def _chunks(rows: Iterator[tuple[int, Fill | Rejection]]) -> Iterable[list[tuple[int, Fill | Rejection]]]:
    while batch := list(islice(rows, _AT_ONCE)):
        yield batch


def _import_records(
    posting: LedgerTransaction, source_id: int, path: Path, report: ImportReport
) -> tuple[ImportCounts, int]:
    counts, ended = ImportCounts(), 0
    name = report.file.rpartition("/")[2]
    with path.open("rb") as file:
        for part, reached in read_new(file, name, None, LogReadPosition()):
            ended = reached.lines
            lines = [(r.line, r.key, r.record) for r in part.records]
            posting.add_records(source_id, name, lines, [])
            report.rejections += part.rejections
            counts.new += len(lines)
            for one in part.records:
                counts.extend_time_range(to_micros(one.record.result_time))
    return counts, ended


def _is_trade_log(path: Path) -> bool:
    """Whether the first line is a bot's trade record rather than a fill."""
    with path.open("rb") as file:
        for line in file:
            text = line.removeprefix(b"\xef\xbb\xbf").strip()
            if text:
                break
        else:
            return False
    if not text.startswith(b"{"):
        return False
    try:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return False
    return {"timestamp", "action", "symbol"} <= fields.keys()


def _file_identity(path: Path, name: str) -> tuple[FileState, int]:
    """The file as it lies on the disk, and a 63-bit digest of its content."""
    try:
        info = path.stat()
        if path.is_dir():
            raise InputError(
                f"{path} is a folder, not a file",
                "name a file; trade logs of a folder are read by `tearsheet sync`",
            )
        digest = blake2b(digest_size=8)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", "check the path and permissions"
        ) from error
    if not info.st_size:
        raise InputError(f"{path} is empty", "an import needs a header and at least one row")
    state = FileState(name, info.st_size, info.st_mtime_ns, info.st_ino)
    return state, int.from_bytes(digest.digest(), "big") >> 1
