"""Settings file changes with optimistic locking and an audit log.

The ledger's write transaction is the lock, so workers never overwrite each other. The audit entries are
saved in the same transaction.
"""

import logging
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from tearsheet.app.file_content import bytes_digest, file_digest
from tearsheet.errors import InputError, SettingsError
from tearsheet.export.files import replace_file
from tearsheet.log import log_event
from tearsheet.store.tables.columns import SettingChangeRow
from tearsheet.store.tables.ledger import Ledger
from tearsheet.trade.session import from_micros, to_micros

_log = logging.getLogger("tearsheet")
_MODE = 0o666
#: Upper bound of row IDs, used to read the newest entries first.
_MAX_ID = (1 << 62) - 1


class AuditEntry(Struct, frozen=True):
    """Audit entry for a changed setting; None means unset."""

    at: datetime
    who: str
    file: str
    name: str
    old: str | None
    new: str | None


class FileEdit(Struct, frozen=True):
    """New text of a file, and the digest of the content it was edited from."""

    path: Path
    digest: str
    text: str


def read_content(path: Path) -> tuple[str, str]:
    """Return the text and the hash of a settings file, both empty if it does not exist.

    Raises SettingsError if the file cannot be read or is not UTF-8.
    """
    try:
        data = path.read_bytes()
        return data.decode("utf-8"), bytes_digest(data)
    except (FileNotFoundError, NotADirectoryError):
        return "", ""
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{path} cannot be read: {reason}", "it is a text in UTF-8") from None


def save_change(
    ledger: Ledger, file: FileEdit, changes: Sequence[AuditEntry], before: Callable[[], object] = lambda: None
) -> bool:
    """Save a file and its audit entries in one transaction; False if the file changed since it was read.

    `before` runs first, in the same transaction. On failure the old file content is restored.
    Raises InputError, StoreError.
    """
    path = file.path.resolve()  # replace the target of a symlink, not the link
    was: bytes | None = None
    try:
        with ledger.writing():
            if file_digest(path) != file.digest:
                return False
            before()
            ledger.queries.add(SettingChangeRow, map(_row, changes))
            was = path.read_bytes() if path.exists() else b""
            _write(path, file.text.encode())
    except BaseException:
        if was is not None:  # the commit failed: restore the file
            with suppress(InputError):
                _write(path, was)
        raise
    for one in changes:
        log_event(
            _log,
            "tearsheet.setting",
            level=logging.WARNING,
            by=one.who,
            file=one.file,
            setting=one.name,
            old=one.old,
            new=one.new,
        )
    return True


def record_change(ledger: Ledger, change: AuditEntry) -> None:
    """Save an audit entry, inside a transaction."""
    ledger.queries.add(SettingChangeRow, [_row(change)])


def setting_changes(ledger: Ledger, most: int) -> list[AuditEntry]:
    """Return the last `most` changes, newest first."""
    with ledger.snapshot() as queries:
        found = queries.rows(SettingChangeRow, "setting_changes", (_MAX_ID, most))
    return [
        AuditEntry(from_micros(row.at_us), row.who, row.file, row.name, row.old, row.new) for row in found
    ]


def _row(entry: AuditEntry) -> SettingChangeRow:
    return SettingChangeRow(
        at_us=to_micros(entry.at),
        who=entry.who,
        file=entry.file,
        name=entry.name,
        old=entry.old,
        new=entry.new,
    )


def _write(path: Path, data: bytes) -> None:
    """Replace a file and preserve its permissions."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    replace_file(path, data, _MODE if mode is None else mode)
    if mode is not None:
        path.chmod(mode)
