"""Decisions of an operator on known things that are gone or replaced, recorded with who and when."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Literal, get_args

from msgspec import Struct, json
from msgspec.structs import replace

from tearsheet.app.book_rules import booking_rules_from, ledger_name
from tearsheet.app.clock_watch import CLOCK, CLOCK_BACK, latest_stated_time, set_back
from tearsheet.app.config.settings_audit import AuditEntry, record_change
from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.lost_logs import GONE, LOGS
from tearsheet.app.imports.unread_files import REFUSED, UNREAD
from tearsheet.app.kept_instruments import InstrumentSource, KeptInstruments, as_text
from tearsheet.app.known_ledger import KnownLedger
from tearsheet.app.parsed_file import TARGETS
from tearsheet.app.targets import load_targets
from tearsheet.app.watcher_lease import KEY, WATCHER, current_holder, unread_folders
from tearsheet.errors import MissingSourceError, SettingsError, UsageError
from tearsheet.settings import Settings
from tearsheet.store.tables.account_states import AccountFeedRow, feed_source
from tearsheet.store.tables.columns import DoubtRow
from tearsheet.store.tables.sources import (
    DIFFERS,
    EVERY,
    INSTRUMENTS,
    LOGGED,
    OTHER_MULTIPLIER,
    DoubtTable,
    multiplier_choice,
    multiplier_source,
)
from tearsheet.store.write.log_doubts import MIXED, as_trades
from tearsheet.store.write.transaction import LedgerTransaction
from tearsheet.trade.session import LATEST, from_micros, is_ahead

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


def decide_instruments(settings: Settings, decision: Decision, by: str) -> str:
    """Decide on the instruments of the books, which the next look follows; return what happens.

    A file that is not the one that the books are of is accepted; of one that is gone, `keep` lets what the ledger
    keeps of it go on, anything else lets the books be rebuilt without it. Raises UsageError, StoreError, SettingsError.
    """
    with closing(KnownLedger(settings).open()) as ledger, ledger.writing():
        source, now, table = InstrumentSource(ledger, settings), datetime.now(UTC), DoubtTable(ledger.queries)
        kept, path = source.kept(), str(settings.instruments_file)
        if source.is_there:
            if decision != "accept":
                raise UsageError(f"{path} is there", "accept it if the books are of another one")
            what = f"the books are rebuilt by {path}"
            # an older time than that of any file, so that this one counts as its edit
            changed = replace(kept, paths=(path,), mtime_ns=-1)
        elif decision == "keep":
            if not kept.is_known:
                raise UsageError(f"what {path} said is not known", "restore it, or forget it")
            changed, what = kept, f"what is known of {path} goes on"
        else:
            changed, what = KeptInstruments(paths=kept.paths), f"the books are rebuilt without {path}"
        if not source.is_there:
            table.allow_absence(INSTRUMENTS, now, by)
        if changed.is_known:
            ledger.put(INSTRUMENTS, as_text(changed))
        table.remove([one for one in table.all() if one.source == INSTRUMENTS])
        record_change(ledger, AuditEntry(now, by, "sources", INSTRUMENTS, kept.digest or None, decision))
        ledger.bump_revision()
    return what


def decide_unopened(settings: Settings, name: str, decision: Decision, by: str) -> str | None:
    """Carry out a decision on what would keep the ledger from being opened; return what happens, None for any other."""
    if name == LEDGER and decision != "keep":
        identity = accept_ledger(settings, by)
        return f"The ledger is {ledger_name(settings)} with identity {identity}"
    if name == INSTRUMENTS:
        return f"{name}: {decide_instruments(settings, decision, by)} at the next look"
    return None


def doubts(context: LedgerContext) -> list[Doubt]:
    """Return what is in doubt, by source."""
    with context.ledger.snapshot():
        found = DoubtTable(context.ledger.queries).all()
    # outside: new targets are saved in a transaction of their own
    return [
        *map(_to_doubt, found),
        *_targets_doubt(context),
        *_clock_doubt(context),
        *_watcher_doubt(context),
    ]


def _clock_doubt(context: LedgerContext) -> list[Doubt]:
    """Return the doubt about a clock that was set back."""
    latest, now = latest_stated_time(context.ledger), context.now
    if latest is None or not is_ahead(latest, now):
        return []
    detail = f"the clock stands before {latest.isoformat(timespec='seconds')}, which has passed"
    return [_doubt_of_all(CLOCK, CLOCK_BACK, detail, now, latest)]


def _doubt_of_all(source: str, code: str, detail: str, now: datetime, until: datetime) -> Doubt:
    """Return a doubt of every account from now on."""
    return Doubt(
        source=source,
        code=code,
        detail=detail,
        accounts="every account",
        since=now,
        until=until,
        found_at=now,
    )


def _watcher_doubt(context: LedgerContext) -> list[Doubt]:
    """Return the doubt about folders whose watcher died."""
    return [
        _doubt_of_all(WATCHER, reason.code, reason.detail, context.now, LATEST)
        for reason in unread_folders(context.ledger)
    ]


def _forget_watcher(context: LedgerContext, decision: Decision, by: str) -> list[Doubt]:
    """Take it for right that nobody reads the folders of a watcher that died."""
    ended, held = _watcher_doubt(context), current_holder(context.ledger)
    if not ended or held is None:
        raise UsageError("the watcher is not in doubt", "nothing is to be decided")
    if decision != "forget":
        raise UsageError(f"{decision} says nothing of a watcher", "start it again, or forget it")
    with context.ledger.writing():
        context.ledger.put(KEY, json.encode(replace(held, until=0)).decode())
        folders = ", ".join(held.folders)
        record_change(context.ledger, AuditEntry(context.now, by, "sources", WATCHER, folders, decision))
        context.ledger.bump_revision()
    return ended


def _accept_clock(context: LedgerContext, decision: Decision, by: str) -> list[Doubt]:
    """Take the present time for right, although a later one was shown."""
    ended = _clock_doubt(context)
    if not ended:
        raise UsageError("the clock is not in doubt", "nothing is to be decided")
    if decision != "accept":
        raise UsageError(f"{decision} says nothing of a clock", "set it, or accept it")
    with context.ledger.writing():
        set_back(context.ledger, context.now)
        entry = AuditEntry(
            context.now, by, "sources", CLOCK, ended[0].until.isoformat(), context.now.isoformat()
        )
        record_change(context.ledger, entry)
        context.ledger.bump_revision()
    return ended


def _targets_doubt(context: LedgerContext) -> list[Doubt]:
    """Return the doubt about a file of targets and limits that is gone."""
    try:
        load_targets(context, store=False)
    except MissingSourceError as error:
        detail = f"{error.message}: no target is evaluated, the last known limits go on"
        return [_doubt_of_all(TARGETS, GONE, detail, context.now, LATEST)]
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


def _silent_feed(context: LedgerContext, source: str) -> AccountFeedRow | None:
    """Return the source of an account that is named like `trade log of A`, None for anything else."""
    account = source.partition(" of ")[2]
    with context.ledger.snapshot() as queries:
        rows = queries.rows(AccountFeedRow, "account_feeds", (account,))
    return next((row for row in rows if feed_source(account, row.layout) == source), None)


def _allow_silence(context: LedgerContext, feed: AccountFeedRow, decision: Decision, by: str) -> list[Doubt]:
    """Take it for normal that a source of an account is silent, until it says something again."""
    source = feed_source(feed.account, feed.layout)
    if decision != "keep":
        raise UsageError(
            f"{decision} says nothing of a source that is silent", "keep it: its silence is normal"
        )
    said = from_micros(feed.said_us)
    with context.ledger.writing():
        DoubtTable(context.ledger.queries).allow_absence(source, context.now, by)
        record_change(
            context.ledger, AuditEntry(context.now, by, "sources", source, said.isoformat(), decision)
        )
        context.ledger.bump_revision()
    detail = f"it said nothing since {said.isoformat(timespec='seconds')}"
    return [
        Doubt(
            source=source,
            code="stale_feed",
            detail=detail,
            accounts=feed.account,
            since=said,
            until=LATEST,
            found_at=context.now,
        )
    ]


def decide(context: LedgerContext, source: str, decision: Decision, by: str) -> list[Doubt]:
    """Carry out a decision on a source in doubt; return the doubts that it ends.

    A decision on the log folder is one on each of its files. Raises UsageError if nothing of the source is in
    doubt, StoreError, SettingsError.
    """
    ledger = context.ledger
    if not by.strip():
        raise UsageError("a decision is recorded with who made it", "say it: --by NAME")
    if source == CLOCK:
        return _accept_clock(context, decision, by)
    if source == WATCHER:
        return _forget_watcher(context, decision, by)
    if source == TARGETS:
        return _decide_targets(context, decision, by)
    if (feed := _silent_feed(context, source)) is not None:
        return _allow_silence(context, feed, decision, by)
    if source == INSTRUMENTS:
        listed = [one for one in doubts(context) if one.source == INSTRUMENTS]
        decide_instruments(context.settings, decision, by)
        return listed
    with ledger.writing():
        table = DoubtTable(ledger.queries)
        every = table.all()
        ended = [one for one in every if source in (one.source, LOGS if _is_of_logs(one) else "")]
        if not ended:
            names = ", ".join(sorted({one.source for one in every})) or "nothing"
            raise UsageError(f"{source!r} is not in doubt", f"in doubt is {names}")
        transaction = LedgerTransaction(ledger, booking_rules_from(context.settings, ledger), context.now)
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
    _decide_multipliers(table, transaction, ended, decision, context.now, by)
    mixed = [one for one in ended if one.code == MIXED]
    if mixed and decision == "forget":
        raise UsageError(
            "a log is not forgotten by account",
            "keep both (its executions and its closed trades), or accept it as one of closed trades alone",
        )
    if decision == "forget" and any(one.code == DIFFERS for one in ended):
        raise UsageError("an import is not forgotten", "undo it (`tearsheet imports undo`), or accept it")
    lasting = (DIFFERS,) if decision == "accept" else (GONE, UNREAD, REFUSED, DIFFERS, MIXED)
    for name in {one.source for one in ended if one.code in lasting}:
        table.allow_absence(name, context.now, by)
    if decision == "keep":
        return
    for one in mixed:
        table.allow_absence(as_trades(one.account), context.now, by)
        transaction.read_log_as_trades(one.account)
    for kept_in in {one.kept_in for one in ended} - {0}:
        transaction.drop_vanished(kept_in)
    for one in ended:
        if one.code in (UNREAD, REFUSED):
            table.allow_absence(one.source, context.now, by)
        if one.kept_in or one.code != GONE:
            continue
        if one.source in files:
            transaction.drop_log(files[one.source])
        else:
            table.allow_absence(one.source, context.now, by)


def _decide_multipliers(
    table: DoubtTable,
    transaction: LedgerTransaction,
    ended: list[DoubtRow],
    decision: Decision,
    now: datetime,
    by: str,
) -> None:
    """Book fills by the multiplier that the instruments state, or let them keep their own beside it."""
    symbols = {
        one.source.removeprefix(multiplier_source("")) for one in ended if one.code == OTHER_MULTIPLIER
    }
    if symbols and decision == "forget":
        raise UsageError(
            "a multiplier is not forgotten",
            "accept it (fills are booked by it), or keep the fills as they are booked",
        )
    for symbol in symbols:
        if decision == "accept":
            transaction.set_stated_multiplier(symbol)
        elif (stated := transaction.stated_multiplier(symbol)) is not None:
            table.allow_absence(multiplier_choice(symbol, stated), now, by)


def _is_of_logs(doubt: DoubtRow) -> bool:
    """Return whether the log folder is gone, or one of its files; not whether records vanished from one."""
    return doubt.account == LOGGED and doubt.code == GONE


def _to_doubt(row: DoubtRow) -> Doubt:
    named = {
        LOGGED: "every account of the trade log",
        EVERY: "every account",
        INSTRUMENTS: "every account that trades what it names",
    }
    return Doubt(
        source=row.source,
        code=row.code,
        detail=row.detail,
        accounts=named.get(row.account, row.account),
        since=from_micros(row.since_us),
        until=from_micros(row.until_us),
        found_at=from_micros(row.found_us),
    )
