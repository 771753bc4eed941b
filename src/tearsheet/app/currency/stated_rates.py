"""Exchange rates that people and files state: import, add, list. Each is an import, so that it can be undone."""

import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

from msgspec import Struct, json
from msgspec.structs import replace

from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.context import LedgerContext
from tearsheet.app.reports import RatesReport, WriteRequest
from tearsheet.log import timed_event
from tearsheet.sources.api_body import parse_objects, parse_rates
from tearsheet.sources.rate_files import check_opposite, made_of, parse_content, read_content
from tearsheet.sources.text.problem import RowError
from tearsheet.store.tables.prices import RateTable, StoredRate
from tearsheet.store.write.idempotency import IdempotencyKey, IdempotencyTable
from tearsheet.store.write.imported_fills import ImportCounts
from tearsheet.store.write.transaction import FileState, LedgerTransaction
from tearsheet.trade.fill import Rejection
from tearsheet.trade.rate import Rate
from tearsheet.trade.session import EARLIEST, LATEST

_log = logging.getLogger("tearsheet")
#: A day has begun somewhere on Earth this long before it begins in UTC.
_FIRST_ZONE = timedelta(hours=14)
_MOST_NAMED = 20

#: What was made of the lines of a file or request.
Made = Sequence[tuple[int, Rate] | Rejection]


class RatesFilter(Struct, frozen=True):
    """Which rates are listed: from and to a currency, and days; None is any."""

    from_currency: str | None = None
    to_currency: str | None = None
    first: date | None = None
    last: date | None = None


class _Origin(Struct, frozen=True):
    """Where rates come from: name, content and importer."""

    name: str
    content: bytes
    who: str | None


class StatedRates:
    """Exchange rates of a context's ledger."""

    def __init__(self, context: LedgerContext) -> None:
        self._context = context
        self._ledger = context.ledger

    def import_file(self, path: Path, who: str | None = None) -> RatesReport:
        """Import a file of rates; one that is wrong refuses all of them. Raises FormatError, InputError, StoreError."""
        with timed_event(_log, "tearsheet.rates") as event:
            content = read_content(path)
            made = parse_content(content, path.name)
            report = self._keep(made, _Origin(str(path), content, who))
            event.add(file=path.name, new=report.new, corrected=report.corrected, known=report.known)
        return report

    def add(self, texts: Sequence[str], who: str | None = None) -> RatesReport:
        """Add one rate, of day, from, to, rate and source as texts. Raises StoreError."""
        content = ",".join(texts).encode()
        return self._keep(made_of([(1, texts)], "rates add"), _Origin("rates add", content, who))

    def post(self, request: WriteRequest) -> RatesReport:
        """Add the rates of a request, all or none. Raises FormatError, UsageError, StoreError."""
        made = made_of(parse_rates(parse_objects(request.body, "rates"), request.name), request.name)
        receipt = IdempotencyKey.from_request(request.key, b"rates", request.body)
        return self._keep(made, _Origin(request.name, request.body, None), receipt)

    def list(self, wanted: RatesFilter, most: int) -> list[StoredRate]:
        """Return the newest rates, those too that were corrected later."""
        days = (wanted.first or EARLIEST.date(), wanted.last or LATEST.date())
        with self._ledger.snapshot() as queries:
            return RateTable(queries).listed((wanted.from_currency, wanted.to_currency), *days, most)

    def _keep(self, made: Made, origin: _Origin, receipt: IdempotencyKey | None = None) -> RatesReport:
        refused = [*_refused(made), *_of_days_to_come(made, origin.name, self._context.now)]
        if refused:
            return RatesReport(file=origin.name, rejections=refused[:_MOST_NAMED], rejected=len(refused))
        lines = [one for one in made if not isinstance(one, Rejection)]
        with self._ledger.writing() as queries:
            receipts = IdempotencyTable(queries)
            if (answer := receipts.find(receipt)) is not None:
                return replace(json.decode(answer, type=RatesReport), repeated=True)
            report = self._save(lines, origin)
            receipts.save(receipt, json.encode(report).decode(), self._context.now)
        self._context.publish_pending_alerts()
        return report

    def _save(self, lines: Sequence[tuple[int, Rate]], origin: _Origin) -> RatesReport:
        stored = self._stored([rate for _, rate in lines])
        refused = [bad for bad in (_contradicted(one, stored, origin.name) for one in lines) if bad]
        if refused:
            return RatesReport(file=origin.name, rejections=refused[:_MOST_NAMED], rejected=len(refused))
        new = [rate for _, rate in lines if _known(stored, rate) is None]
        corrected = [rate for _, rate in lines if (old := _known(stored, rate)) and old.rate != rate.rate]
        counts = ImportCounts()
        counts.new, counts.known = len(new) + len(corrected), len(lines) - len(new) - len(corrected)
        report = RatesReport(file=origin.name, new=len(new), corrected=len(corrected), known=counts.known)
        if not counts.new:
            return replace(report, revision=self._ledger.revision)
        rules = booking_rules_from(self._context.settings, self._ledger)
        transaction = LedgerTransaction(self._ledger, rules, self._context.now)
        transaction.rebuild_if_outdated()
        state = FileState(name=origin.name, size=len(origin.content), mtime_ns=0, inode=0)
        checksum = int.from_bytes(blake2b(origin.content, digest_size=8).digest(), "big") >> 1
        number = transaction.add_rates(state, checksum, [*new, *corrected], counts, origin.who)
        return replace(report, id=number, revision=transaction.commit())

    def _stored(self, rates: Sequence[Rate]) -> dict[tuple[date, str, str], Rate]:
        """Return the stored rates of the pairs and days of rates, stated either way."""
        if not rates:
            return {}
        days = [rate.day for rate in rates]
        pairs = {rate.pair for rate in rates} | {rate.pair[::-1] for rate in rates}
        found = RateTable(self._ledger.queries).between(sorted(pairs), min(days), max(days))
        return {(rate.day, *rate.pair): rate for rate in found}


def _known(stored: dict[tuple[date, str, str], Rate], rate: Rate) -> Rate | None:
    return stored.get((rate.day, *rate.pair))


def _refused(made: Made) -> list[Rejection]:
    return [one for one in made if isinstance(one, Rejection)]


def _contradicted(
    line: tuple[int, Rate], stored: dict[tuple[date, str, str], Rate], file: str
) -> Rejection | None:
    number, rate = line
    try:
        check_opposite(rate, stored.get((rate.day, *rate.pair[::-1])))
    except RowError as bad:
        return bad.problem.rejection(file, number, f"{rate.day} {rate.label}")
    return None


def _of_days_to_come(made: Made, file: str, now: datetime) -> list[Rejection]:
    """Return rejections of rates of days that have begun nowhere on Earth."""
    last = (now + _FIRST_ZONE).date()
    return [
        Rejection(
            file=file,
            line=one[0],
            text=f"{one[1].day} {one[1].label}",
            code="future_time",
            reason=f"{one[1].day} has not begun; the clock shows {now.isoformat(timespec='seconds')}",
            hint="check the date, and this machine's clock",
        )
        for one in made
        if not isinstance(one, Rejection) and one[1].day > last
    ]
