"""Comparison of an import with the broker's own numbers, kept with it until they agree, it is undone or accepted."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from msgspec import Struct, json
from msgspec.structs import replace

from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.import_file import ImportJob
from tearsheet.app.imports.log_sync import sync_if_writable
from tearsheet.app.reconcile.explanations import NumberKey
from tearsheet.app.reconcile.match_fills import FillDifference
from tearsheet.app.reconcile.our_sums import CostMethod, DayRange
from tearsheet.app.reconcile.reconcile import AgreedNumber, Difference, Reconciliation, contradicted
from tearsheet.app.reconcile.tie_out import HARMLESS, compare_import, summarized
from tearsheet.app.reports import ImportReport, TieOut
from tearsheet.errors import StoreError, TearsheetError
from tearsheet.log import log_event
from tearsheet.store.tables.columns import DoubtRow, FillRow, Row
from tearsheet.store.tables.queries import Queries
from tearsheet.store.tables.sources import DIFFERS, DoubtTable, import_name
from tearsheet.trade.amount import ZERO, exact
from tearsheet.trade.fill import execution_key
from tearsheet.trade.session import LATEST, AccountCalendars, TradingCalendar, from_micros, to_micros

_log = logging.getLogger("tearsheet")
#: Differences that leave the books right: the sum is the same, or known to be rounded or by another method.
_NO_CONTRADICTION = frozenset((*HARMLESS, "day boundary"))
_NEAR = timedelta(seconds=2)
#: Which undos and corrections were there when what agreed was compared last.
_COMPARED = "agreed_compared"


class Contradictions(Struct, frozen=True):
    """What a statement has otherwise than the books: numbers, by its cost method, and fills."""

    method: CostMethod = "average"
    numbers: tuple[Difference, ...] = ()
    fills: tuple[FillDifference, ...] = ()

    @property
    def any(self) -> bool:
        """Return whether there is any."""
        return bool(self.numbers or self.fills)


class _KeptRow(Row, frozen=True, gc=False):
    source_id: int
    name: str
    contradictions: str


class Agreed(Struct, frozen=True):
    """What a statement and the books both have: numbers, by its cost method."""

    method: CostMethod
    numbers: tuple[AgreedNumber, ...]


class _AgreedRow(Row, frozen=True, gc=False):
    source_id: int
    contradictions: str | None
    agreed: str


def tie_out_import(context: LedgerContext, job: ImportJob, report: ImportReport) -> TieOut | None:
    """Compare an imported file with the ledger, and keep with the import what it comes to.

    Return None for a file that states nothing beside its fills. A comparison that fails says so, and the import stays.
    Raises StoreError.
    """
    try:
        sync_if_writable(context)
        with context.ledger.snapshot():
            found = compare_import(context, job.path, report.layout, job.options)
        if report.repeated:  # corrections may have come since
            return None if found is None else _again(context, report, found[0])
        return _keep(context, report, *(found or (None, [])))
    except StoreError:
        raise
    except TearsheetError as error:
        text = f"not compared with the broker: {error.message}"
        return TieOut(compared=0, agreeing=0, agrees=False, text=text)


def recheck(context: LedgerContext) -> None:
    """Compare with the books again what statements contradicted, after a change. Raises StoreError."""
    ledger = context.ledger
    if ledger.read_only:
        return
    with ledger.writing() as queries:
        table = DoubtTable(queries)
        before = [one for one in table.all() if one.code == DIFFERS]
        accepted, wanted = table.absences(), []
        for row in queries.rows(_KeptRow, "contradictions"):
            if import_name(row.source_id) not in accepted:
                kept = json.decode(row.contradictions, type=Contradictions)
                left = _left(queries, context.calendars, kept)
                wanted += _doubts(context, row.source_id, row.name, left)
        if table.replace(before, wanted):
            ledger.bump_revision()


def has_taken_back(context: LedgerContext) -> bool:
    """Return whether an undo or correction came since agreeing numbers were compared. Raises StoreError."""
    queries = context.ledger.queries
    return queries.exists("any_agreed") and context.ledger.get(_COMPARED) != queries.value("taken_back")


def recheck_agreed(context: LedgerContext) -> None:
    """Compare again what agreed: what an undo or correction has made different contradicts from now on.

    Raises StoreError.
    """
    ledger = context.ledger
    if ledger.read_only:
        return
    with ledger.writing() as queries:
        calendars = context.calendars
        for row in queries.rows(_AgreedRow, "agreed"):
            kept = json.decode(row.agreed, type=Agreed)
            told = Contradictions(kept.method)
            if row.contradictions is not None:
                told = json.decode(row.contradictions, type=Contradictions)
            lost = tuple(
                one
                for one in _lost(queries, calendars, kept)
                if not _is_of_more_fills(context, one, row.source_id, "fill_unknown_to_import")
            )
            if lost:
                gone = {_place(one) for one in lost}
                still = tuple(one for one in kept.numbers if _place(one) not in gone)
                told = replace(told, numbers=(*told.numbers, *lost))
                texts = (_text(told), _text(replace(kept, numbers=still)) if still else None)
                queries.execute("keep_contradictions", (*texts, row.source_id))
        ledger.put(_COMPARED, queries.value("taken_back"))
    recheck(context)


def _lost(queries: Queries, calendars: AccountCalendars, kept: Agreed) -> Iterator[Difference]:
    """Yield the numbers that agreed and do not any more."""
    by_account: dict[str, dict[NumberKey, AgreedNumber]] = defaultdict(dict)
    for one in kept.numbers:
        by_account[one.account][one.key] = one
    for account, own in by_account.items():
        stated = {key: one.theirs for key, one in own.items()}
        with exact():
            causes = contradicted(queries, calendars.of(account), account, stated, kept.method)
        for key, cause in causes.items():
            one = own[key]
            if cause.kind not in _NO_CONTRADICTION:
                yield Difference(
                    account,
                    one.session,
                    one.since,
                    one.symbol,
                    one.what,
                    one.theirs,
                    one.theirs,
                    ZERO,
                    cause.kind,
                    cause.detail,
                    [],
                    one.currency,
                )


def _place(one: Difference | AgreedNumber) -> tuple[object, ...]:
    """Return which number it is."""
    return one.account, one.what, one.since, one.session, one.symbol, one.currency


def _text(kept: Struct) -> str:
    return json.encode(kept).decode()


def _again(context: LedgerContext, report: ImportReport, found: Reconciliation) -> TieOut:
    """Return the comparison of a file that was imported before: what it contradicted is compared again."""
    recheck(context)
    with context.ledger.snapshot() as queries:
        is_doubted = queries.exists("doubt_of_source", (import_name(report.id),))
    return replace(summarized(found), contradicts=is_doubted)


def _keep(
    context: LedgerContext, report: ImportReport, found: Reconciliation | None, agreed: list[AgreedNumber]
) -> TieOut | None:
    """Save the comparison of an import, and that its windows are in doubt where the broker contradicts."""
    kept, tied, same = Contradictions(), None, None
    if found is not None:
        corrected = [one for one in found.fills if _is_corrected(context.ledger.queries, one)]
        explained = {(one.account, one.symbol) for one in corrected}
        told = tuple(
            one
            for one in found.differences
            if one.kind not in _NO_CONTRADICTION
            and not (one.kind == "missing fill" and (one.account, one.symbol) in explained)
            and not _is_of_more_fills(context, one, report.id)
        )
        kept = Contradictions(found.method, told, tuple(one for one in found.fills if one not in corrected))
        tied = summarized(found)
        same = Agreed(found.method, tuple(agreed))
    if context.ledger.read_only:
        return tied
    with context.ledger.writing() as queries:
        is_accepted = import_name(report.id) in DoubtTable(queries).absences()
        if tied is not None:
            tied = replace(tied, contradicts=kept.any and not is_accepted)
            # what agrees only beside the whole statement says nothing of later changes
            alone = _agreeing(queries, context.calendars, same) if same else None
            texts = (_text(tied), _text(kept) if kept.any else None, _text(alone) if alone else None)
            queries.execute("keep_tie_out", (*texts, report.id))
            context.ledger.put(_COMPARED, queries.value("taken_back"))
    recheck(context)
    if tied is not None and tied.contradicts:
        log_event(
            _log, "tearsheet.differs", level=logging.WARNING, id=report.id, file=report.file, text=tied.text
        )
    return tied


def _agreeing(queries: Queries, calendars: AccountCalendars, same: Agreed) -> Agreed | None:
    """Return what agrees by the comparison that is made again after a change, too; None if nothing does."""
    lost = {_place(one) for one in _lost(queries, calendars, same)}
    numbers = tuple(one for one in same.numbers if _place(one) not in lost)
    return replace(same, numbers=numbers) if numbers else None


def _is_corrected(queries: Queries, one: FillDifference) -> bool:
    """Return whether a fill is not in the books because a correction or bust took it back."""
    if one.lacking != "books" or one.fill_id is None:
        return False
    return queries.exists("superseded_fill", (one.account, execution_key(one.fill_id)))


def _is_of_more_fills(
    context: LedgerContext, one: Difference, source_id: int, others: str = "fill_of_other_import"
) -> bool:
    """Return whether a sum of days has fills of other imports in it, which the file does not speak of.

    `others` is the query that finds them: with or without those that correct one of its own.
    """
    calendar = context.calendars.of(one.account)
    span = (to_micros(calendar.start(one.since)), to_micros(calendar.end(one.session)))
    is_sum = one.what in ("realized", "net", "fees", "paid", "cash")
    scope = (one.account, one.symbol or "", *span, source_id)
    return is_sum and context.ledger.queries.exists(others, scope)


def _left(queries: Queries, calendars: AccountCalendars, kept: Contradictions) -> Contradictions:
    """Return what of contradictions the books still have otherwise."""
    by_account: dict[str, dict[NumberKey, Difference]] = defaultdict(dict)
    for one in kept.numbers:
        span = DayRange(one.session, one.since, one.symbol or "", one.currency or "")
        by_account[one.account][one.what, span] = one
    numbers: list[Difference] = []
    for account, own in by_account.items():
        stated = {key: one.theirs for key, one in own.items()}
        with exact():
            causes = contradicted(queries, calendars.of(account), account, stated, kept.method)
        numbers += [
            one for key, one in own.items() if key in causes and causes[key].kind not in _NO_CONTRADICTION
        ]
    fills = tuple(one for one in kept.fills if _is_still_different(queries, one))
    return replace(kept, numbers=tuple(numbers), fills=fills)


def _is_still_different(queries: Queries, one: FillDifference) -> bool:
    """Return whether a fill that one side lacked is still there, or still missing; other doubts stay."""
    if one.lacking in ("fee", "instant"):
        return True
    since = (one.account, one.symbol, to_micros(one.at - _NEAR))
    rows = queries.rows(FillRow, "fills_of_stream", since)
    is_there = any(
        row.side == one.side and row.event is None and from_micros(row.time_us) <= one.at + _NEAR
        for row in rows
    )
    return is_there is (one.lacking == "report")


def _doubts(context: LedgerContext, source_id: int, file: str, kept: Contradictions) -> list[DoubtRow]:
    """Return a doubt for each account that a statement contradicts, of the days that it is about."""
    calendars = context.calendars
    numbers: Mapping[str, list[Difference]] = defaultdict(list)
    fills: Mapping[str, list[FillDifference]] = defaultdict(list)
    for number in kept.numbers:
        numbers[number.account].append(number)
    for fill in kept.fills:
        fills[fill.account].append(fill)
    return [
        _doubt(context, calendars.of(account), source_id, file, account, numbers[account], fills[account])
        for account in sorted({*numbers, *fills})
    ]


def _doubt(
    context: LedgerContext,
    calendar: TradingCalendar,
    source_id: int,
    file: str,
    account: str,
    numbers: Sequence[Difference],
    fills: Sequence[FillDifference],
) -> DoubtRow:
    begins = [*(calendar.start(one.since) for one in numbers), *(one.at for one in fills)]
    ends = [*(calendar.end(one.session) for one in numbers), *(one.at for one in fills)]
    # what is held otherwise changes every day after
    until = LATEST if any(one.what == "position" for one in numbers) else max(ends)
    counted = [(len(numbers), "number"), (len(fills), "fill")]
    what = " and ".join(f"{n:,} {noun}{'' if n == 1 else 's'}" for n, noun in counted if n)
    name = file.rpartition("/")[2]
    return DoubtRow(
        source=import_name(source_id),
        account=account,
        code=DIFFERS,
        detail=f"{what} of {account} in {name} ({import_name(source_id)})",
        since_us=to_micros(min(begins)),
        until_us=to_micros(until),
        found_us=to_micros(context.now),
        kept_in=0,
    )
