"""Takes fills and marks that a request brings: all of them or none, and a repeated one changes nothing."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from msgspec import json
from msgspec.structs import replace

from tearsheet.sources.posted import PostedMark, posted_fills, posted_marks, posted_objects
from tearsheet.store.imported_fills import ImportCounts, standing
from tearsheet.store.ledger import Ledger
from tearsheet.store.marks import Mark, Marks
from tearsheet.store.posting import BookRules, FileState, Posting
from tearsheet.store.receipts import Receipt, Receipts
from tearsheet.tracker.reports import PostReport, Request
from tearsheet.trade.fill import Fill, Rejection
from tearsheet.trade.session import to_micros


def post_fills(ledger: Ledger, rules: BookRules, request: Request, now: datetime) -> PostReport:
    """Keep the fills of a request. With one bad fill nothing is kept, and the report says why.

    Raises FormatError, UsageError for a key that was used otherwise, StoreError.
    """
    objects = posted_objects(request.body, "fills")
    made = posted_fills(objects, request.name, rules.instruments)
    refused = [row for row in made if isinstance(row, Rejection)]
    if refused:
        return PostReport(rejections=refused)
    receipt = _receipt(request, "fills")
    with ledger.writing() as reading:
        receipts = Receipts(reading)
        if answer := receipts.find(receipt):
            return _repeated(answer)
        lines = [(line, fill) for line, fill in enumerate(made, 1) if isinstance(fill, Fill)]
        known = [standing(reading, request.name, line, fill) for line, fill in lines]
        conflicts = [found for found in known if isinstance(found, Rejection)]
        if conflicts:
            return PostReport(rejections=conflicts)
        fresh = [one for one, found in zip(lines, known, strict=True) if not found]
        revision = _book(ledger, rules, request, fresh, now) if fresh else ledger.revision
        report = PostReport(new=len(fresh), known=len(lines) - len(fresh), revision=revision)
        receipts.keep(receipt, json.encode(report).decode(), now)
    return report


def post_marks(ledger: Ledger, rules: BookRules, request: Request, now: datetime) -> PostReport:
    """Keep the marks of a request, all or none; a mark older than the kept one changes nothing."""
    made = posted_marks(posted_objects(request.body, "marks"), request.name, rules.instruments)
    refused = [row for row in made if isinstance(row, Rejection)]
    if refused:
        return PostReport(rejections=refused)
    receipt = _receipt(request, "marks")
    with ledger.writing() as reading:
        receipts = Receipts(reading)
        if answer := receipts.find(receipt):
            return _repeated(answer)
        told = [Mark(m.symbol, m.price, m.time) for m in made if isinstance(m, PostedMark)]
        new = sum(Marks(reading).put(mark) for mark in told)
        revision = ledger.bump() if new else ledger.revision
        report = PostReport(new=new, known=len(told) - new, revision=revision)
        receipts.keep(receipt, json.encode(report).decode(), now)
    return report


def _receipt(request: Request, what: str) -> Receipt | None:
    """The request's key with a digest of all that it asks for."""
    if request.key is None:
        return None
    digest = blake2b(what.encode() + b"\0" + request.body, digest_size=16).hexdigest()
    return Receipt(request.key, digest)


def _repeated(answer: str) -> PostReport:
    return replace(json.decode(answer, type=PostReport), repeated=True)


def _book(
    ledger: Ledger, rules: BookRules, request: Request, fresh: Sequence[tuple[int, Fill]],
    now: datetime,
) -> int:  # fmt: skip
    posting = Posting(ledger, rules, now)
    size = len(request.body)
    state = FileState(name=request.name, size=size, mtime_ns=0, inode=0)
    source = posting.open_import(state, "api")
    counts = ImportCounts()
    ranked = _ranked(ledger, fresh)
    assert not posting.add_fills(source, request.name, ranked, counts), "checked before"
    checksum = int.from_bytes(blake2b(request.body, digest_size=8).digest(), "big") >> 1
    posting.close_import(source, state, checksum, len(ranked), counts, [])
    return posting.finish()


def _ranked(ledger: Ledger, fresh: Sequence[tuple[int, Fill]]) -> list[tuple[int, Fill]]:
    """Fills of one instrument at one instant stand in the order in which they arrived."""
    ranked = []
    for line, fill in fresh:
        at = (fill.account, fill.symbol, to_micros(fill.time))
        row = ledger.reading.one("last_rank_at", at)
        last = None if row is None else row[0]
        ranked.append((line, fill if last is None else replace(fill, rank=last + 1 + fill.rank)))
    return ranked
