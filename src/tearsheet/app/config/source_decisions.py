"""Decisions of an operator on known things that are gone or replaced, recorded with who and when."""

from datetime import UTC, datetime

from tearsheet.app.config.settings_audit import AuditEntry, record_change
from tearsheet.app.context import LedgerContext
from tearsheet.app.known_ledger import KnownLedger
from tearsheet.settings import Settings

#: Name of the ledger among the sources.
LEDGER = "ledger"


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
