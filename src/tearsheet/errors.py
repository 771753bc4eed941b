"""Errors of wrong use and of the environment; invalid rows are values instead (`trade.fill.Rejection`).

Every error has a stable code, a message and a hint. Exit codes and HTTP statuses are assigned by the
command line and the API.
"""

import errno

#: Errors of a disk that is full, broken or not to be written: no fault of the program.
_DISK_ERRORS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO))


class TearsheetError(Exception):
    """Base class of all errors that Tearsheet raises intentionally."""

    code = "internal"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class UsageError(TearsheetError):
    """An invalid request, for example an unknown window or an end before its start."""

    code = "bad_request"


class ChangedMeanwhileError(UsageError):
    """A change of what somebody else has changed since it was read."""

    code = "changed_meanwhile"


class SettingsError(TearsheetError):
    """An invalid setting, target, limit or instrument override.

    `place` is the path of its key.
    """

    code = "bad_setting"

    def __init__(self, message: str, hint: str = "", place: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.place = place


class OtherRulesError(SettingsError):
    """Settings that contradict the booking rules of the ledger."""

    code = "other_rules"


class MissingSourceError(SettingsError):
    """A named or known path that does not exist: a folder of logs, a file of targets, limits or instruments."""

    code = "missing_source"


class InputError(TearsheetError):
    """A file that cannot be read: missing, a folder, no permission, not text."""

    code = "unreadable_input"


class FormatError(TearsheetError):
    """A readable file in an unsupported format; `lacks` names the option that it needs, such as timezone."""

    code = "unknown_format"

    def __init__(self, message: str, hint: str = "", lacks: str = "") -> None:
        super().__init__(message, hint)
        self.lacks = lacks


class NotFoundError(TearsheetError):
    """An object that does not exist, for example an alert id."""

    code = "not_found"


class MixedCurrencyError(TearsheetError):
    """A total over several currencies was requested; amounts of different currencies are never added."""

    code = "mixed_currency"


class StoreError(TearsheetError):
    """The ledger is unavailable: locked, read-only, full, damaged or unreachable."""

    code = "store_unavailable"


class LedgerGoneError(StoreError):
    """The ledger that is known at this place does not exist any more."""

    code = "ledger_gone"


class OtherLedgerError(StoreError):
    """Another ledger, or an older state of the known one, is in the place of the known ledger."""

    code = "other_ledger"


class SchemaError(TearsheetError):
    """The ledger was created by a newer version of Tearsheet."""

    code = "newer_schema"


class InexactError(TearsheetError):
    """An amount that a decimal column of 38 digits, 18 of them after the point, cannot hold exactly."""

    code = "inexact"


class MissingExtra(TearsheetError, ImportError):  # noqa: N818 - its name is part of the Python API
    """A library that the base package does not need is not installed; the message names the extra."""

    code = "missing_extra"


def disk_error(error: Exception) -> StoreError | None:
    """Return the error of a disk that is full, broken or not to be written; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in _DISK_ERRORS:
        return None
    what = error.filename if isinstance(error.filename, str) else "the output"
    return StoreError(
        f"{what} cannot be written: {error.strerror}", "free some space on the disk, or check it"
    )
