"""What can go wrong by wrong use or a broken surrounding; bad data is a value instead (`trade.fill.Rejection`).

Every error has a stable code, says what was found, and hints what to do.
Exit codes and HTTP statuses are given at the edges, not here.
"""


class TearsheetError(Exception):
    """The root of all errors that Tearsheet raises on purpose."""

    code = "internal"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class UsageError(TearsheetError):
    """A question that makes no sense: an unknown window, an end before its start."""

    code = "bad_request"


class SettingsError(TearsheetError):
    """A setting, a target or an instrument override that cannot be used; `place` names its key."""

    code = "bad_setting"

    def __init__(self, message: str, hint: str = "", place: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.place = place


class OtherRulesError(SettingsError):
    """Settings that contradict the rules by which the ledger's books were made."""

    code = "other_rules"


class InputError(TearsheetError):
    """A file that cannot be read at all: missing, a folder, no permission, no text."""

    code = "unreadable_input"


class FormatError(TearsheetError):
    """A file that can be read, but in a format that nobody here knows."""

    code = "unknown_format"


class NotFoundError(TearsheetError):
    """Something named by the user that is not there, such as an alert id."""

    code = "not_found"


class MixedCurrencyError(TearsheetError):
    """Money in several currencies was asked for as one number; it is never added up."""

    code = "mixed_currency"


class StoreError(TearsheetError):
    """The ledger cannot be used now: locked, read-only, full, damaged or unreachable."""

    code = "store_unavailable"


class SchemaError(TearsheetError):
    """The ledger was written by a newer Tearsheet."""

    code = "newer_schema"
