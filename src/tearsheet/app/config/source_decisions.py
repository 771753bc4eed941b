"""Decisions of an operator on known things that are gone or replaced, recorded with who and when."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Literal, get_args

from msgspec import Struct

from tearsheet.app.book_rules import INSTRUMENTS, booking_rules_from
from tearsheet.app.config.settings_audit import AuditEntry, record_change
from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.lost_logs import GONE, LOGS
from tearsheet.app.known_ledger import KnownLedger
from tearsheet.app.parsed_file import TARGETS
from tearsheet.app.targets import load_targets
from tearsheet.errors import MissingSourceError, SettingsError, UsageError
from tearsheet.settings import Settings
from tearsheet.store.tables.columns import DoubtRow
from tearsheet.store.tables.sources import EVERY, LOGGED, DoubtTable
from tearsheet.store.write.transaction import LedgerTransaction
from tearsheet.trade.session import LATEST, from_micros

#: Name of the ledger among the sources.
LEDGER = "ledger"
#: What may be decided: what is there now is right and nothing else counts; what was read goes on and its absence
#: is normal; the source and all that was read of it is given up.
Decision = Literal["accept", "keep", "forget"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)


class Doubt(Struct, frozen=True, kw_only=True):
    """A source that is gone or has lost something, since when, and the accounts and instants that need it."""

    source: str
    code: str
    detail: str
    accounts: str
    since: datetime
    until: datetime
    found_at: datetime


def accept_ledger(settings: Settings, by: str) -> str:
    """Take what is at the ledger's place now for the ledger, or create one there; return its identity.

    Raises StoreError, SettingsError.
    """
    known = KnownLedger(settings)
    before = known.noted_identity()
    identity = known.accept(by)
    with LedgerContext(settings, known=known) as context, context.ledger.writing():
        entry = AuditEntry(datetime.now(UTC), by, "sources", LEDGER, before, identity)
        record_change(context.ledger, entry)
    return identity


def forget_instruments(settings: Settings, by: str) -> None:
    """Let the books be rebuilt without the instruments file, which is gone.

    Raises UsageError if it is there, StoreError.
    """
    if settings.instruments_file.exists():
        raise UsageError(f"{settings.instruments_file} is there", "edit it; the books follow")
    with closing(KnownLedger(settings).open()) as ledger, ledger.writing():
        now = datetime.now(UTC)
        DoubtTable(ledger.queries).allow_absence(INSTRUMENTS, now, by)
        record_change(ledger, AuditEntry(now, by, "sources", INSTRUMENTS, "gone", "forget"))


def doubts(context: LedgerContext) -> list[Doubt]:
    """Return what is in doubt, by source."""
    with context.ledger.snapshot():
        found = DoubtTable(context.ledger.queries).all()
        return [*map(_to_doubt, found), *_targets_doubt(context)]


def _targets_doubt(context: LedgerContext) -> list[Doubt]:
    """Return the doubt about a file of targets and limits that is gone."""
    try:
        load_targets(context, store=False)
    except MissingSourceError as error:
        now = context.now
        return [
            Doubt(
                source=TARGETS,
                code=GONE,
                detail=f"{error.message}: no target is evaluated, the last known limits go on",
                accounts="every account",
                since=now,
                until=LATEST,
                found_at=now,
            )
        ]
    except SettingsError:
        pass  # it is there
    return []


def _decide_targets(context: LedgerContext, decision: Decision, by: str) -> list[Doubt]:
    """Keep the last known targets and limits, or give them up."""
    ended = _targets_doubt(context)
    if not ended:
        raise UsageError(f"{context.settings.targets_file} is there", "edit it; it is read at once")
    ledger = context.ledger
    with ledger.writing():
        if decision == "keep":
            DoubtTable(ledger.queries).allow_absence(TARGETS, context.now, by)
        else:
            for key in ("targets", "limits"):
                ledger.put(key, "{}")
                ledger.put(f"{key}_digest", "")
        record_change(ledger, AuditEntry(context.now, by, "sources", TARGETS, "gone", decision))
        ledger.bump_revision()
    return ended


def decide(context: LedgerContext, source: str, decision: Decision, by: str) -> list[Doubt]:
    """Carry out a decision on a source in doubt; return the doubts that it ends.

    A decision on the log folder is one on each of its files. Raises UsageError if nothing of the source is in
    doubt, StoreError, SettingsError.
    """
    ledger = context.ledger
    if not by.strip():
        raise UsageError("a decision is recorded with who made it", "say it: --by NAME")
    if source == TARGETS:
        return _decide_targets(context, decision, by)
    with ledger.writing():
        table = DoubtTable(ledger.queries)
        every = table.all()
        ended = [one for one in every if source in (one.source, LOGS if _is_of_logs(one) else "")]
        if not ended:
            names = ", ".join(sorted({one.source for one in every})) or "nothing"
            raise UsageError(f"{source!r} is not in doubt", f"in doubt is {names}")
        transaction = LedgerTransaction(ledger, booking_rules_from(context.settings), context.now)
        transaction.changed = True
        _carry_out(context, transaction, ended, decision, by)
        table.remove(ended)
        for name in sorted({one.source for one in ended}):
            record_change(ledger, AuditEntry(context.now, by, "sources", name, "in doubt", decision))
        transaction.commit()
    context.publish_pending_alerts()
    return list(map(_to_doubt, ended))


def _carry_out(
    context: LedgerContext, transaction: LedgerTransaction, ended: list[DoubtRow], decision: Decision, by: str
) -> None:
    table, files = DoubtTable(context.ledger.queries), context.ledger.sources.log_files()
    if decision == "keep":
        for name in {one.source for one in ended if one.code == GONE}:
            table.allow_absence(name, context.now, by)
        return
    for kept_in in {one.kept_in for one in ended} - {0}:
        transaction.drop_vanished(kept_in)
    for one in ended:
        if one.kept_in or one.code != GONE:
            continue
        if one.source in files:
            transaction.drop_log(files[one.source])
        else:
            table.allow_absence(one.source, context.now, by)


def _is_of_logs(doubt: DoubtRow) -> bool:
    """Return whether the log folder is gone, or one of its files; not whether records vanished from one."""
    return doubt.account == LOGGED and doubt.code == GONE


def _to_doubt(row: DoubtRow) -> Doubt:
    named = {LOGGED: "every account of the trade log", EVERY: "every account"}
    return Doubt(
        source=row.source,
        code=row.code,
        detail=row.detail,
        accounts=named.get(row.account, row.account),
        since=from_micros(row.since_us),
        until=from_micros(row.until_us),
        found_at=from_micros(row.found_us),
    )
