"""The accounts file: starting balance, currency and calendar of each account, and the base currency beside them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from tearsheet.errors import SettingsError
from tearsheet.performance.account import StatedAccount
from tearsheet.sources.config.yaml import load_with_lines
from tearsheet.trade.value_rule import (
    CURRENCY,
    TIME_OF_DAY,
    TIME_ZONE,
    InvalidValueError,
    ValueRule,
    number,
    text_rule,
)

_AMOUNT = number("an amount not below 0, such as 50000", least="0")
_NAME_SIZE = 200
#: Parts of the file, and the keys of an account.
PARTS = ("accounts", "base")
KEYS = ("starting_balance", "currency", "timezone", "day_starts_at")
_NULL = (None, "", "null", "~", "Null", "NULL")
_Path = tuple[str, ...]


def _zone(text: str) -> str:
    return TIME_ZONE.convert(text).key


def _time(text: str) -> str:
    return TIME_OF_DAY.convert(text).isoformat("minutes")


_RULES: dict[str, ValueRule[str]] = {
    "currency": CURRENCY,
    "timezone": text_rule(TIME_ZONE.allowed, _zone),
    "day_starts_at": text_rule(TIME_OF_DAY.allowed, _time),
}


class AccountsFile(Struct, frozen=True):
    """Content of an accounts file: the terms of each account, None for one whose terms are taken back; and the base."""

    accounts: dict[str, StatedAccount | None]
    base: Mapping[str, Any] | None = None


def parse_accounts(text: str, file: str, default_currency: str) -> AccountsFile:
    """Parse the text of an accounts file; an amount alone is in the account's currency, else in the default one.

    Raises SettingsError naming file, line, key, value and what is allowed.
    """
    content, lines = load_with_lines(text, file)
    return _AccountsParser(file, lines, default_currency).parse(content)


class _AccountsParser:
    """Parser of one file; errors have the line of their key."""

    def __init__(self, file: str, lines: Mapping[_Path, int], default_currency: str) -> None:
        self._file = file
        self._lines = lines
        self._default_currency = default_currency

    def parse(self, content: Any) -> AccountsFile:
        self._check_keys(content, PARTS, ())
        named = self._mapping(content.get("accounts"), ("accounts",))
        accounts = {name: self._account(name, block) for name, block in named.items()}
        if "base" not in content:
            return AccountsFile(accounts)
        return AccountsFile(accounts, self._mapping(content["base"], ("base",)))

    def _account(self, name: str, content: Any) -> StatedAccount | None:
        path: _Path = ("accounts", name)
        if not 0 < len(name.strip()) <= _NAME_SIZE or not name.isprintable():
            raise self._error(path, name, "the name of an account has 1 to 200 printable characters")
        if content in _NULL:
            return None
        block = self._mapping(content, path)
        self._check_keys(block, KEYS, path)
        values: dict[str, Any] = {
            key: self._value(rule, block[key], (*path, key)) for key, rule in _RULES.items() if key in block
        }
        if "starting_balance" in block:
            money = values.get("currency", self._default_currency)
            own = (*path, "starting_balance")
            values["starting_balance"] = self._balance(block["starting_balance"], money, own)
        return StatedAccount(**values)

    def _balance(self, content: Any, currency: str, path: _Path) -> dict[str, Decimal]:
        if not isinstance(content, dict):
            return {currency: self._value(_AMOUNT, content, path)}
        found: dict[str, Decimal] = {}
        for code, amount in content.items():
            money = self._value(CURRENCY, code, (*path, code))
            if money in found:
                raise self._error((*path, code), code, "each currency stands once")
            found[money] = self._value(_AMOUNT, amount, (*path, code))
        if not found:
            raise self._error(path, content, f"it is {_AMOUNT.allowed}, or a map of them by currency")
        return found

    def _mapping(self, content: Any, path: _Path) -> dict[str, Any]:
        if content in _NULL:
            return {}
        if not isinstance(content, dict):
            raise self._error(path, content, "write `key: value` lines")
        return content

    def _check_keys(self, content: Mapping[str, Any], known: tuple[str, ...], path: _Path) -> None:
        for key in content:
            if key not in known:
                raise self._error((*path, key), content[key], f"known are {', '.join(known)}", "unknown")

    def _value(self, rule: ValueRule[Any], value: Any, path: _Path) -> Any:
        try:
            return rule.parse(value)
        except InvalidValueError as error:
            raise self._error(path, value, str(error)) from None

    def _error(self, path: _Path, value: Any, hint: str, problem: str = "") -> SettingsError:
        line = self._lines.get(path, 1)
        shown = str(value)[:80]
        return SettingsError(f"{self._file}:{line}: {'.'.join(path)} is {problem or repr(shown)}", hint)
