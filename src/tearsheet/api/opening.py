"""`ts.open` and `ts.from_fills`: from a place, or from a frame, to a ledger."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import mkdtemp

from tearsheet.api.frames import FrameOptions, import_frame, refuse_rejections
from tearsheet.api.ledger import ScopedLedger
from tearsheet.api.open_ledger import OpenedLedger, require_ledger
from tearsheet.api.table import ArrowStream
from tearsheet.app import arguments
from tearsheet.errors import UsageError
from tearsheet.settings import Settings, read_setting
from tearsheet.trade.value_rule import InvalidValueError

_SERVICES = ("http://", "https://")


def open_ledger(
    place: str | Path | None = None, *, write: bool = False, clock: Callable[[], datetime] | None = None
) -> ScopedLedger:
    """Open the ledger that the settings name; or one by its path, or its sqlite:/// or postgresql:// URL.

    It is read only, unless `write` is true. `clock` returns the current time in UTC. Raises UsageError, InputError,
    SettingsError, StoreError.
    """
    settings = Settings.load()
    if place is not None:
        settings = settings.with_values(ledger=_ledger_place(place))
    if not write:
        require_ledger(settings)
    return ScopedLedger(OpenedLedger(settings, is_reader=not write, clock=clock))


def from_fills(
    fills: ArrowStream | Iterable[Mapping[str, object]],
    *,
    columns: Mapping[str, str] | None = None,
    timezone: str | None = None,
    account: str = "default",
    multiplier: int | str | Decimal | None = None,
    currency: str | None = None,
    balance: int | str | float | Decimal | None = None,
    strict: bool = False,
) -> ScopedLedger:
    """Return a ledger of the fills of a frame; nothing of it is kept on disk once it is closed or let go.

    The columns have the names of generic statements (`account, symbol, time, side, quantity, price, commission` and
    more), or `columns` says what they are. A time without offset needs a `timezone`. A quantity below 0 sells where no
    side is stated. Rows that cannot be used are `rejections()`; `strict` raises InputError for the first.
    Raises UsageError, FormatError if no row could be used.
    """
    folder = Path(mkdtemp(prefix="tearsheet-"))
    try:
        settings = _settings_in(folder, currency, balance)
        home = OpenedLedger(settings, is_reader=False, folder=folder)
        options = FrameOptions(
            columns=columns or {},
            timezone=arguments.zone(timezone),
            account=arguments.text(account, "account") or "",
            multiplier=multiplier,
            currency=arguments.text(currency, "currency"),
        )
        home.imported = import_frame(home, fills, options)
        if strict:
            refuse_rejections(home.imported)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return ScopedLedger(home)


def _settings_in(folder: Path, currency: str | None, balance: object) -> Settings:
    """Return the settings of this folder with every path in another one, so that the fills alone count."""
    stated = Settings.load()
    changes: dict[str, object] = {
        "ledger": folder / "tearsheet.db",
        "log_dir": folder / "logs",
        "output_dir": folder / "out",
        "alerts_file": folder / "alerts.jsonl",
        "targets_file": folder / "targets.yaml",
        "create_ledger": True,
        "webhook_url": None,
    }
    for key, value in (("currency", currency), ("starting_balance", balance)):
        if value is not None:
            changes[key] = _setting(key, str(value))
    moved = stated.with_values(**changes)
    # loaded again they would name the folder's own paths
    moved.__dict__["origin"] = ({}, folder)
    return moved


def _setting(key: str, text: str) -> object:
    try:
        return read_setting(key, text)
    except InvalidValueError as error:
        raise UsageError(f"{key.removeprefix('starting_')} is {text!r}", error.reason or "") from None


def _ledger_place(place: object) -> Path | str:
    if isinstance(place, str) and place.startswith(_SERVICES):
        raise UsageError(
            f"{place} is a service, and ts.open opens ledgers",
            "name the ledger of that service; or ask its API, see docs/the-api.md",
        )
    if isinstance(place, str) and "://" in place:
        try:
            found = str(read_setting("database_url", place))
        except InvalidValueError as error:
            raise UsageError(
                f"{place.partition('://')[0]}://… is no address of a ledger", error.reason or ""
            ) from None
        return found if "://" in found else Path.cwd() / found
    return Path.cwd() / os.fspath(arguments.path(place, "place"))
