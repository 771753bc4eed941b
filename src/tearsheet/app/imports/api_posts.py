"""Atomic, idempotent writes of fills and marks from API requests."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b

from msgspec import json
from msgspec.structs import replace

from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.import_file import ImportJob, import_file, repeated_report
from tearsheet.app.reports import ImportReport, WriteReport, WriteRequest
from tearsheet.errors import NotFoundError
from tearsheet.log import TimedEvent, timed_event
from tearsheet.performance.summary import Scope
from tearsheet.sources.api_body import MarkInput, PostedRow, parse_fills, parse_marks, parse_objects
from tearsheet.sources.cash_body import parse_cash
from tearsheet.store.booking_rules import BookingRules
from tearsheet.store.kept_accounts import kept_accounts
from tearsheet.store.tables.account_states import record_heartbeat
from tearsheet.store.tables.prices import Mark, Marks
from tearsheet.store.write.idempotency import IdempotencyKey, IdempotencyTable
from tearsheet.store.write.imported_fills import ImportCounts, existing_fills
from tearsheet.store.write.transaction import FileState, LedgerTransaction, transaction_of
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.fill import Fill, Rejection, future_fill, future_time
from tearsheet.trade.instrument import UnknownInstrument
from tearsheet.trade.session import is_ahead

_log = logging.getLogger("tearsheet")


class ApiWrites:
    """Writes of API requests to a context's ledger."""

    def __init__(self, context: LedgerContext) -> None:
        self._context = context
        self._ledger = context.ledger

    def fills(self, request: WriteRequest) -> WriteReport:
        """Save the fills of a request in one transaction; one invalid fill rejects all of them.

        Raises FormatError, UsageError for an idempotency key that was used for other content, StoreError.
        """
        with timed_event(_log, "tearsheet.fills") as event:
            rules = booking_rules_from(self._context.settings, self._ledger)
            objects = parse_objects(request.body, "fills")
            made = parse_fills(objects, request.name, rules.instruments)
            return self._save_made(event, request, rules, "fills", made)

    def cash(self, request: WriteRequest) -> WriteReport:
        """Save the money of a request in one transaction, as `fills` does; without a currency it is the account's."""
        with timed_event(_log, "tearsheet.cash") as event:
            rules = booking_rules_from(self._context.settings, self._ledger)
            objects = parse_objects(request.body, "cash")
            kept = kept_accounts(self._ledger)

            def currency_of(account: str) -> str:
                return kept.terms(account).currency or self._context.settings.currency

            made = parse_cash(objects, request.name, rules.instruments, currency_of)
            return self._save_made(event, request, rules, "cash", made)

    def marks(self, request: WriteRequest) -> WriteReport:
        """Save the marks of a request in one transaction; a mark older than the stored one is ignored.

        Raises as `fills` does.
        """
        with timed_event(_log, "tearsheet.marks") as event:
            instruments = booking_rules_from(self._context.settings, self._ledger).instruments
            made = parse_marks(parse_objects(request.body, "marks"), request.name, instruments)
            refused = [row for row in made if isinstance(row, Rejection)]
            refused += _future_marks(made, request.name, self._context.now)
            marks = [Mark(m.symbol, m.price, m.time) for m in made if isinstance(m, MarkInput)]
            report = WriteReport(rejections=refused) if refused else self._save_marks(request, marks)
            self._context.publish_pending_alerts()
            _add_counts(event, report)
        return report

    def remove_mark(self, symbol: str) -> Mark:
        """Remove the mark of an instrument; what is open there has no price then.

        Raises NotFoundError without one, StoreError.
        """
        instruments = booking_rules_from(self._context.settings, self._ledger).instruments
        found = instruments.resolve(symbol, self._context.today)
        name = symbol if isinstance(found, UnknownInstrument) else found.symbol
        with self._ledger.writing() as queries:
            marks = Marks(queries)
            mark = marks.get(symbol) or marks.get(name)
            if mark is None or not marks.remove(mark.symbol):
                raise NotFoundError(f"no mark of {symbol!r}", "`tearsheet marks` lists them")
            self._ledger.bump_revision()
            self._ledger.hooks.on_commit(self._accounts_holding({mark.symbol}))
        self._context.publish_pending_alerts()
        return mark

    def import_once(self, key: str | None, job: ImportJob) -> ImportReport:
        """Import a file under an idempotency key, if any. Raises as `import_file` does.

        Raises UsageError for a key that was used for other content or other options.
        """
        if key is None:
            return import_file(self._context, job)
        receipt = IdempotencyKey.from_request(key, f"import {job.options}".encode(), job.path.read_bytes())
        with self._ledger.snapshot() as queries:
            answer = IdempotencyTable(queries).find(receipt)
        if answer is not None:
            return repeated_report(answer)
        return import_file(self._context, job, receipt)

    def _save_made(
        self,
        event: TimedEvent,
        request: WriteRequest,
        rules: BookingRules,
        kind: str,
        made: Sequence[PostedRow],
    ) -> WriteReport:
        """Save the rows of a request, or report every one that is refused; log what came of it."""
        refused = [row for _, row in made if isinstance(row, Rejection)]
        lines = [(line, row) for line, row in made if isinstance(row, Fill)]
        refused += _future_fills(lines, request.name, self._context.now)
        report = WriteReport(rejections=refused) if refused else self._save_fills(request, rules, kind, lines)
        self._context.publish_pending_alerts()
        _add_counts(event, report)
        return report

    def _save_fills(
        self, request: WriteRequest, rules: BookingRules, kind: str, lines: Sequence[tuple[int, Fill]]
    ) -> WriteReport:
        receipt = IdempotencyKey.from_request(request.key, kind.encode(), request.body)
        with transaction_of(self._ledger, rules, _lock_keys(lines, receipt)) as queries:
            receipts = IdempotencyTable(queries)
            if answer := receipts.find(receipt):
                return _cached_report(answer)
            known = existing_fills(queries, request.name, lines)
            conflicts = [found for found in known if isinstance(found, Rejection)]
            if conflicts:
                return WriteReport(rejections=conflicts)
            new = known.count(False)
            record_heartbeat(queries, {fill.account for _, fill in lines}, self._context.now)
            revision = self._import_fills(request, rules, lines, new)
            report = WriteReport(new=new, known=len(lines) - new, revision=revision)
            receipts.save(receipt, json.encode(report).decode(), self._context.now)
        return report

    def _save_marks(self, request: WriteRequest, marks: Sequence[Mark]) -> WriteReport:
        receipt = IdempotencyKey.from_request(request.key, b"marks", request.body)
        with self._ledger.writing() as queries:
            receipts = IdempotencyTable(queries)
            if answer := receipts.find(receipt):
                return _cached_report(answer)
            new = sum(Marks(queries).save(mark) for mark in marks)
            revision = self._ledger.bump_revision() if new else self._ledger.revision
            if new:
                self._ledger.hooks.on_commit(self._accounts_holding({mark.symbol for mark in marks}))
            report = WriteReport(new=new, known=len(marks) - new, revision=revision)
            receipts.save(receipt, json.encode(report).decode(), self._context.now)
        return report

    def _accounts_holding(self, symbols: set[str]) -> frozenset[str]:
        held = self._ledger.queries.open_positions(Scope())
        return frozenset(p.account for p in held if p.symbol in symbols)

    def _import_fills(
        self, request: WriteRequest, rules: BookingRules, lines: Sequence[tuple[int, Fill]], new: int
    ) -> int:
        """Save fills as one import; without new fills, the import is stored but the revision stays the same."""
        checksum = int.from_bytes(blake2b(request.body, digest_size=8).digest(), "big") >> 1
        if not new and self._ledger.sources.imports_for(checksum, len(request.body)):
            return self._ledger.revision
        transaction = LedgerTransaction(self._ledger, rules, self._context.now)
        transaction.rebuild_if_outdated()
        state = FileState(name=request.name, size=len(request.body), mtime_ns=0, inode=0)
        source = transaction.open_import(state, "api")
        counts = ImportCounts()
        refused = transaction.add_fills(source, request.name, lines, counts, is_posted=True)
        assert not refused, "checked before"
        changed = transaction.changed
        transaction.close_import(source, state, checksum, len(lines), counts, [])
        transaction.changed = changed or new > 0
        return transaction.commit()


def _future_fills(lines: Sequence[tuple[int, Fill]], name: str, now: datetime) -> list[Rejection]:
    checked = {line: future_fill(row, name, line, now) for line, row in lines}
    return [rejection for rejection in checked.values() if rejection is not None]


def _future_marks(made: Sequence[MarkInput | Rejection], name: str, now: datetime) -> list[Rejection]:
    return [
        future_time(name, line, f"{row.symbol} {to_plain_string(row.price)}", row.time, now)
        for line, row in enumerate(made, 1)
        if isinstance(row, MarkInput) and is_ahead(row.time, now)
    ]


def _lock_keys(lines: Sequence[tuple[int, Fill]], receipt: IdempotencyKey | None) -> frozenset[str]:
    """Return the lock keys of a request: the accounts of its fills, and its idempotency key."""
    accounts = {fill.account for _, fill in lines}
    return frozenset(accounts if receipt is None else {*accounts, f"key\0{receipt.key}"})


def _cached_report(answer: str) -> WriteReport:
    return replace(json.decode(answer, type=WriteReport), repeated=True)


def _add_counts(event: TimedEvent, report: WriteReport) -> None:
    event.level = logging.WARNING if report.rejections else logging.INFO
    event.add(new=report.new, known=report.known, rejected=len(report.rejections), revision=report.revision)


def state_cash(context: LedgerContext, fields: Mapping[str, str | None]) -> WriteReport:
    """Save money that a person states, by the fields of a posted one. Raises StoreError."""
    stated = {name: value for name, value in fields.items() if value is not None}
    body = json.encode(stated)
    name = " ".join(filter(None, ("cash", fields.get("account"), fields.get("kind"))))
    return ApiWrites(context).cash(WriteRequest(body, name, None))
