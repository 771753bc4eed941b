"""The targets as their file states them now, read by a YAML parser only where its content is new."""

import logging
from pathlib import Path

import msgspec

from tearsheet.app.book_rules import file_digest
from tearsheet.log import log_event
from tearsheet.rules import Targets
from tearsheet.sources.config.targets import load_targets
from tearsheet.store.tables.ledger import Ledger

_log = logging.getLogger("tearsheet")


def load_targets_cached(ledger: Ledger, path: Path) -> Targets:
    """The targets of a file, all null where there is none. Raises SettingsError."""
    seen = file_digest(path)
    if seen and ledger.get("targets_digest") == seen:
        return msgspec.json.decode(ledger.get("targets") or "", type=Targets)
    targets, existed = load_targets(path)
    if not existed:
        log_event(_log, "tearsheet.targets", reason=f"no {path}: nothing is judged but risk-reward")
    elif not ledger.read_only:
        with ledger.writing():
            ledger.put("targets", msgspec.json.encode(targets).decode())
            ledger.put("targets_digest", seen)
    return targets
