"""Import of a statement or a trade log into the ledger, deduplicated by content hash."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path

import msgspec
from msgspec import Struct, structs
from msgspec.structs import replace

from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.shifted_trades import find_shifted_trades
from tearsheet.app.reports import ImportReport, OnProgress, no_progress
from tearsheet.errors import FormatError, InputError, UsageError
from tearsheet.log import timed_event
from tearsheet.settings import Settings
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.layouts.catalogue import FormatInfo, layouts, list_formats
from tearsheet.sources.layouts.layout import UsualOptions
from tearsheet.sources.layouts.mapping import layout_text, mapped_layout
from tearsheet.sources.statements.diagnosis import (
    ColumnSample,
    Diagnosis,
    column_samples,
    describe_parse_rules,
    diagnose,
    trade_log_diagnosis,
)
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import Statement, open_statement
from tearsheet.sources.statements.unmatched_closes import UnmatchedCloseFinder
from tearsheet.sources.trade_logs.log_folder import LogReadPosition, read_new
from tearsheet.store.tables.query_rows import SourceFile
from tearsheet.store.write.idempotency import IdempotencyKey, IdempotencyTable
from tearsheet.store.write.imported_fills import ImportCounts
from tearsheet.store.write.transaction import FileState, LedgerTransaction
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, Rejection, digest, future_fill
from tearsheet.trade.session import CLOCK_TOLERANCE, to_micros

_log = logging.getLogger("tearsheet")
_AT_ONCE = 10_000
_CHUNK = 8 << 20
_TRADE_LOG = ("timestamp", "symbol", "action", "quantity", "price")


class DetectedFormat(Struct, frozen=True):
    """Detected format of a file: title, time zone, date order and decimal mark."""

    title: str
    zone: str
    date_order: str
    decimal_mark: str


class ImportJob(Struct, frozen=True, kw_only=True):
    """A file to import: its path, the name to store (default: the path), its options, and who imports it.

    `other_trades`: it is imported even if its trades look like some that are there at a shift of a time zone.
    """

    path: Path
    name: str = ""
    options: StatementOptions = StatementOptions()
    other_trades: bool = False
    who: str | None = None
    on_progress: OnProgress = no_progress


def import_file(
    context: LedgerContext, job: ImportJob, receipt: IdempotencyKey | None = None
) -> ImportReport:
    """Import a file in one transaction; skip content that was imported before.

    Content with rejections is read again, since its instruments may be known now. Of requests with one `receipt` the
    first imports, in the transaction that saves its answer; the others wait for it and return that answer.
    Raises UsageError, InputError, FormatError, SettingsError, StoreError.
    """
    with timed_event(_log, "tearsheet.import") as event:
        file = FileImport(context, job)
        with context.ledger.writing() as queries:
            receipts = IdempotencyTable(queries)
            if (answer := receipts.find(receipt)) is not None:
                return repeated_report(answer)
            report = file.run()
            receipts.save(receipt, msgspec.json.encode(report).decode(), context.now)
        context.publish_pending_alerts()
        event.level = logging.WARNING if report.rejected else logging.INFO
        event.add(
            file=report.file,
            trades=report.new,
            known=report.known,
            rejected=report.rejected,
            revision=report.revision,
        )
    return report


def repeated_report(answer: str) -> ImportReport:
    """Return the report in a saved answer, marked as repeated."""
    report = msgspec.json.decode(answer, type=ImportReport)
    report.repeated = True
    return report


class FileImport:
    """Import of one file: its format is detected before the transaction, its rows are read inside it."""

    def __init__(self, context: LedgerContext, job: ImportJob) -> None:
        self._ledger, self._job, self._now = context.ledger, job, context.now
        self._rules = booking_rules_from(context.settings, context.ledger)
        name = job.name or str(job.path)
        self._state, self._checksum = file_identity(job.path, name)
        is_log = _is_trade_log(job.path)
        options = replace(job.options, layouts=job.options.layouts or context.settings.layouts_dir)
        self.statement = None if is_log else open_statement(job.path, self._rules.instruments, options)
        layout = "trade_log" if self.statement is None else self.statement.layout
        self._report = ImportReport(file=name, layout=layout)
        if self.statement is not None:
            self._report.assumed = self.statement.assumed
        self._unmatched_closes = UnmatchedCloseFinder()

    @property
    def detected_format(self) -> DetectedFormat:
        """Return the format, time zone, date order and decimal mark by which the file is read."""
        formats, layout = known_formats(), self._report.layout
        if self.statement is None:
            return DetectedFormat(formats[layout].title, "included in the file", "no doubt", "point")
        title = formats[layout].title if layout in formats else self.statement.detected.layout.title
        return DetectedFormat(title, *describe_parse_rules(self.statement))

    def run(self) -> ImportReport:
        """Import the file inside the caller's transaction; skip content that was imported before.

        Raises FormatError for a file without a readable row, which leaves nothing in the ledger once rolled back.
        """
        report, state, job = self._report, self._state, self._job
        earlier = self._ledger.sources.imports_for(self._checksum, state.size)
        if earlier and earlier[0].facts and not earlier[0].rejected:
            return _duplicate_report(report, earlier[0], self._ledger.revision)
        transaction = LedgerTransaction(self._ledger, self._rules, self._now)
        transaction.rebuild_if_outdated()
        report.id = transaction.open_import(state, report.layout)
        transaction.mark_rejections_superseded(report.id, earlier)
        held: list[Rejection] = []
        if self.statement is None:
            counts, lines, held = _import_records(transaction, report.id, self._job.path, report)
        else:
            counts, lines = self._import_fills(transaction, self.statement)
            report.skipped = counts.skipped = self.statement.skipped
        if counts.new and not job.other_trades:
            self._check_shift(report.id)
        transaction.close_import(report.id, state, self._checksum, lines, counts, report.rejections, job.who)
        report.rejections += held
        report.new, report.events = counts.new - len(held), counts.events
        report.rejected = counts.rejected + len(held)
        report.set_duplicates(counts.known)
        job.on_progress(state.size, state.size, "booking")
        if self.statement is not None and not (report.new + report.events + report.known + report.rejected):
            raise FormatError(
                f"{job.path}: nothing was read: {self.statement.nothing_read()}",
                "export the report that lists its trades, for a period that has some",
            )
        report.revision = transaction.commit()
        report.executed_legs = transaction.executed_legs
        report.set_unmatched_closes(self._unmatched_closes.results(self._ledger.queries.holding_before))
        return report

    def _import_fills(self, transaction: LedgerTransaction, statement: Statement) -> tuple[ImportCounts, int]:
        """Store the rows of a file: by columns as far as it is plain, the rest one by one."""
        counts, lines, report = ImportCounts(), 0, self._report
        name = report.file.rpartition("/")[2]
        columns = statement.columns(self._now)
        if columns is None:
            rows = self._numbered(statement, statement.rows())
        else:
            for chunk in columns.chunks():
                lines = chunk.last_line
                fills, refused = chunk.fills, [row for _, row in chunk.rejections]
                self._unmatched_closes.add_unknown(
                    zip(fills.columns.account, fills.columns.symbol, strict=True)
                )
                report.rejections += [replace(row, file=name) for row in refused]
                report.rejections += transaction.add_fill_columns(report.id, name, fills, counts)
                self._job.on_progress(columns.bytes_read, statement.total_bytes, name)
            report.lane = columns.summary
            left = columns.left()
            fills_left = (row for _, row in left if isinstance(row, Fill))
            self._unmatched_closes.add_unknown((row.account, row.symbol) for row in fills_left)
            rest = statement.rows_after(columns.rest_after) if columns.rest_after is not None else ()
            rows = chain(left, self._numbered(statement, rest))
        for rows_chunk in _chunks(rows):
            numbered = [(line, row) for line, row in rows_chunk if isinstance(row, Fill)]
            report.rejections += [
                replace(row, file=name) for _, row in rows_chunk if isinstance(row, Rejection)
            ]
            report.rejections += transaction.add_fills(report.id, name, numbered, counts)
            lines = rows_chunk[-1][0]
            self._job.on_progress(statement.bytes_read, statement.total_bytes, name)
        return counts, lines

    def _numbered(
        self, statement: Statement, rows: Iterable[Fill | Rejection]
    ) -> Iterator[tuple[int, Fill | Rejection]]:
        return _numbered_rows(statement, rows, self._unmatched_closes, self._report.file, self._now)

    def _check_shift(self, source_id: int) -> None:
        """Raise FormatError if the trades of the file are in the ledger at instants that differ as time zones do."""
        found = find_shifted_trades(self._ledger.queries, source_id)
        if found is None:
            return
        name = self._ledger.sources.get(found.source_id).name
        raise FormatError(
            f"{self._job.path}: {found.words}, in import {found.source_id} ({name})"
            f"{': one of both was read in a wrong time zone' if found.late else ''}",
            f"{'say the right --timezone' if found.late else 'keep one of both'}, or undo the other import; "
            "--other-trades imports them beside each other",
        )


def known_formats(folder: Path | None = None) -> dict[str, FormatInfo]:
    """Return the supported formats by name, with the layouts of a folder."""
    trade_log = FormatInfo("trade_log", "Trade log (JSON Lines)", list(_TRADE_LOG))
    return {line.name: line for line in (*list_formats(folder), trade_log)}


def diagnose_file(
    path: Path, settings: Settings, options: StatementOptions = StatementOptions()
) -> Diagnosis:
    """Return what the importer detects in a file, without a ledger and without saving."""
    if path.is_file() and _is_trade_log(path):
        return trade_log_diagnosis(path)
    instruments = load_instruments(settings.instruments_file, settings.currency)
    return diagnose(path, instruments, options)


def column_samples_of(path: Path) -> list[ColumnSample]:
    """Return the columns of a file with values of its first rows; none of a trade log."""
    return [] if _is_trade_log(path) else column_samples(path)


def mapping_name(mapping: Mapping[str, str]) -> str:
    """Return a layout name for a mapping; the same columns and fields have the same one."""
    return "mapped_" + digest(repr(sorted(mapping.items())))[:12]


def save_mapping(name: str, options: StatementOptions, title: str = "") -> Path:
    """Save the column mapping of some options, and what they state beside it, as a user's layout.

    Its title is by default the name. Raises UsageError, InputError.
    """
    if not options.mapping or options.layouts is None:
        raise UsageError("--save-layout keeps what --map says, and nothing was mapped", "say --map")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name):
        raise UsageError(f"--save-layout {name!r} is no name", "allowed are small letters, digits and _")
    path = options.layouts / f"{name}.toml"
    layout = mapped_layout(options.mapping, layouts()["generic_fills"], options.fee_sign, options.constants)
    layout = structs.replace(
        layout,
        usual_zone=options.timezone.key if options.timezone else None,
        date_order=options.date_order,
        usual=UsualOptions(options.account, options.currency, options.decimal_mark),
    )
    text = layout_text(layout, title or name.replace("_", " "))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} already exists", "choose another name or delete the file") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", "check --layouts") from None
    return path


def _duplicate_report(report: ImportReport, earlier: SourceFile, revision: int) -> ImportReport:
    report.repeated, report.id = True, earlier.id
    report.set_duplicates(earlier.facts)
    report.revision = revision
    return report


def _numbered_rows(
    statement: Statement,
    rows: Iterable[Fill | Rejection],
    unmatched: UnmatchedCloseFinder,
    file: str,
    now: datetime,
) -> Iterator[tuple[int, Fill | Rejection]]:
    """Yield every row with its line number; show fills to the finder, and reject those in the future."""
    has_effect, latest = statement.detected.layout.has_effect, now + CLOCK_TOLERANCE
    for row in rows:
        line = statement.line
        if not isinstance(row, Fill):
            yield line, row
            continue
        if has_effect:
            unmatched.add(row, statement.effect(row), line)
        is_fill = not isinstance(row, Event)
        if is_fill and (has_effect or statement.is_end) and statement.effect(row) == "close":
            row = structs.replace(row, closes=True, reported=statement.reported_net)
        ahead = future_fill(row, file, line, now) if row.time > latest else None
        yield line, ahead or row


def _chunks(rows: Iterator[tuple[int, Fill | Rejection]]) -> Iterable[list[tuple[int, Fill | Rejection]]]:
    while chunk := list(islice(rows, _AT_ONCE)):
        yield chunk


def _import_records(
    transaction: LedgerTransaction, source_id: int, path: Path, report: ImportReport
) -> tuple[ImportCounts, int, list[Rejection]]:
    counts, ended = ImportCounts(), 0
    held: list[Rejection] = []
    name = report.file.rpartition("/")[2]
    with path.open("rb") as file:
        for part, reached in read_new(file, name, None, LogReadPosition()):
            ended = reached.lines
            lines = [(r.line, r.key, r.record) for r in part.records]
            held += transaction.add_records(source_id, name, lines, [])
            report.rejections += part.rejections
            counts.new += len(lines)
            for one in part.records:
                counts.extend_time_range(to_micros(one.record.result_time))
    return counts, ended, held


def _is_trade_log(path: Path) -> bool:
    """Return whether the first line that is not blank is a bot's trade record rather than a fill."""
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
    except (msgspec.DecodeError, RecursionError):
        return False
    return {"timestamp", "action", "symbol"} <= fields.keys()


def is_imported(context: LedgerContext, path: Path) -> bool:
    """Return whether the content of a file was imported, from wherever."""
    try:
        state, checksum = file_identity(path, str(path))
    except InputError:
        return False
    with context.ledger.snapshot():
        return any(one.facts for one in context.ledger.sources.imports_for(checksum, state.size))


def file_identity(path: Path, name: str) -> tuple[FileState, int]:
    """Return the state of a file (name, size, mtime, inode) and a 63-bit hash of its content. Raises InputError."""
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
