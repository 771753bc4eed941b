"""Errors of PostgreSQL as StoreError with a message and a hint. No message contains a password."""

import psycopg

from tearsheet.errors import StoreError

_AGAIN = "try again; nothing was lost"
#: By SQLSTATE, or by its class: what happened, and what to do.
_MESSAGES = {
    "55P03": ("is locked by another process", "retry; a long import may be running"),
    "57014": ("timed out", _AGAIN),
    "57P01": ("was lost: the server is shutting down", _AGAIN),
    "57P02": ("was lost: the server crashed and restarts", _AGAIN),
    "57P03": ("cannot be reached: the server is starting up or shutting down", _AGAIN),
    "57P05": ("was lost: the server ended an idle connection", _AGAIN),
    "25P03": ("was lost: the server ended an idle transaction", _AGAIN),
    "40001": ("was changed by another writer at the same time", _AGAIN),
    "40P01": ("deadlock with another process", _AGAIN),
    "53100": ("cannot grow: the server's disk is full", "free disk space; no data was lost"),
    "53200": ("cannot be used: the server is out of memory", _AGAIN),
    "53300": ("cannot be reached: the server has too many connections", "try again, or raise max_connections"),
    "28": ("login failed", "check user and password in DATABASE_URL, and pg_hba.conf"),
    "3D000": ("does not exist", "create the database, or correct its name in DATABASE_URL"),
    "42501": ("denies this user permission", "grant CREATE on the database and access to its tables"),
    "25006": ("is read-only", "point DATABASE_URL at the primary server"),
    "42P01": ("lacks a table", "restore it from a backup, or drop the schema tearsheet and sync again"),
    "54": ("refuses a value that is too long", "names have at most 200 characters"),
    "XX001": ("is damaged", "restore it from a backup"),
    "XX002": ("is damaged", "REINDEX the database, or restore it from a backup"),
    "08": ("was lost", _AGAIN),
    "53": ("cannot be used: the server lacks resources", _AGAIN),
    "22021": ("refuses text that contains NUL", "remove the NUL character from the text"),
}  # fmt: skip
_LOST = ("08", "57P01", "57P02", "57P03", "57P05", "25P03")
_UNREACHABLE = ("cannot be reached", "check that PostgreSQL runs there, and DATABASE_URL")


def describe_error(error: psycopg.Error, name: str, was_connected: bool) -> StoreError:
    """Return the StoreError for an error of the driver."""
    what, hint = _message_and_hint(error, was_connected)
    detail = " ".join(str(error).split()) or type(error).__name__
    return StoreError(f"the ledger {name} {what} ({detail})", hint)


def is_lost(error: psycopg.Error) -> bool:
    """Return whether the connection is lost, rather than a statement invalid."""
    return (error.sqlstate or "").startswith(_LOST)


def _message_and_hint(error: psycopg.Error, was_connected: bool) -> tuple[str, str]:
    state = error.sqlstate
    if state is None:
        return _from_text(error, was_connected)
    for length in (5, 2):
        if message := _MESSAGES.get(state[:length]):
            return message
    return "failed", "run `tearsheet verify`"


def _from_text(error: psycopg.Error, was_connected: bool) -> tuple[str, str]:
    # errors while connecting have no SQLSTATE, only a text
    detail = str(error)
    for part, state in (
        ("password authentication failed", "28"),
        ("no pg_hba.conf entry", "28"),
        ("no password supplied", "28"),
        ("too many clients", "53300"),
        ("remaining connection slots", "53300"),
        ("starting up", "57P03"),
        ("shutting down", "57P03"),
    ):
        if part in detail:
            return _MESSAGES[state]
    if 'database "' in detail and "does not exist" in detail:
        return _MESSAGES["3D000"]
    if isinstance(error, psycopg.DataError):
        return _MESSAGES["22021"]
    return _MESSAGES["08"] if was_connected else _UNREACHABLE
