"""The accounts file: starting balance, currency and calendar of each account, and the base currency beside them."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from tearsheet.performance.account import StatedAccount
from tearsheet.sources.config.block_parser import BlockParser, Place
from tearsheet.sources.config.limit_keys import NULL
from tearsheet.sources.config.yaml import load_with_lines
from tearsheet.trade.rate import BaseTerms
from tearsheet.trade.value_rule import (
    COIN_CODE,
    CURRENCY,
    TIME_OF_DAY,
    TIME_ZONE,
    ValueRule,
    matching,
    number,
    text_rule,
)

_AMOUNT = number("an amount not below 0, such as 50000", least="0")
_NAME_SIZE = 200
#: Parts of the file, and the keys of an account.
PARTS = ("accounts", "base")
KEYS = ("starting_balance", "currency", "timezone", "day_starts_at")
BASE_KEYS = ("currency", "rates", "max_age", "pegs")
_MAX_AGE = re.compile(r"([0-9]|[12][0-9]|3[01])d?")


def _zone(text: str) -> str:
    return TIME_ZONE.convert(text).key


def _time(text: str) -> str:
    return TIME_OF_DAY.convert(text).isoformat("minutes")


_RULES: dict[str, ValueRule[str]] = {
    "currency": CURRENCY,
    "timezone": text_rule(TIME_ZONE.allowed, _zone),
    "day_starts_at": text_rule(TIME_OF_DAY.allowed, _time),
}


def _days(text: str) -> int:
    if not (found := _MAX_AGE.fullmatch(text)):
        raise ValueError
    return int(found[1])


_BASE_RULES: dict[str, ValueRule[Any]] = {
    "currency": CURRENCY,
    "rates": matching(r"[^\x00-\x1f]{1,500}", "the path of a file of rates"),
    "max_age": text_rule("days from 0d to 31d, such as 5d", _days),
}


class AccountsFile(Struct, frozen=True):
    """Content of an accounts file: the terms of each account, None for one whose terms are taken back; and the base."""

    accounts: dict[str, StatedAccount | None]
    base: BaseTerms | None = None


def parse_accounts(text: str, file: str, default_currency: str) -> AccountsFile:
    """Parse the text of an accounts file; an amount alone is in the account's currency, else in the default one.

    Raises SettingsError naming file, line, key, value and what is allowed.
    """
    content, lines = load_with_lines(text, file)
    return _AccountsParser(file, lines, default_currency).parse(content)


class _AccountsParser(BlockParser):
    """Parser of the accounts and the base currency of one file."""

    def __init__(self, file: str, lines: Mapping[Place, int], default_currency: str) -> None:
        super().__init__(file, lines)
        self._default_currency = default_currency

    def parse(self, content: Any) -> AccountsFile:
        self.check_keys(content, PARTS, ())
        named = self.mapping(content.get("accounts"), ("accounts",))
        accounts = {name: self._account(name, block) for name, block in named.items()}
        if "base" not in content:
            return AccountsFile(accounts)
        return AccountsFile(accounts, self._base(self.mapping(content["base"], ("base",))))

    def _base(self, block: Mapping[str, Any]) -> BaseTerms:
        self.check_keys(block, BASE_KEYS, ("base",))
        values: dict[str, Any] = {
            key: self.parse_value(rule, block[key], ("base", key))
            for key, rule in _BASE_RULES.items()
            if key in block
        }
        return BaseTerms(**values, pegs=self._pegs(self.mapping(block.get("pegs"), ("base", "pegs"))))

    def _pegs(self, block: Mapping[str, Any]) -> dict[str, str]:
        pegs: dict[str, str] = {}
        for code, to in block.items():
            path = ("base", "pegs", code)
            pegs[self.parse_value(COIN_CODE, code, path)] = self.parse_value(COIN_CODE, to, path)
        for code, to in pegs.items():
            if to in pegs:
                raise self.error(
                    ("base", "pegs", code), to, "a peg leads to a currency that has none, such as USDT: USD"
                )
        return pegs

    def _account(self, name: str, content: Any) -> StatedAccount | None:
        path: Place = ("accounts", name)
        # one that was kept with spaces can still be taken back
        is_spaced = name != name.strip() and content not in NULL
        if is_spaced or not 0 < len(name.strip()) <= _NAME_SIZE or not name.isprintable():
            hint = "the name of an account has 1 to 200 printable characters, and no space around them"
            raise self.error(path, name, hint)
        if content in NULL:
            return None
        block = self.mapping(content, path)
        self.check_keys(block, KEYS, path)
        values: dict[str, Any] = {
            key: self.parse_value(rule, block[key], (*path, key))
            for key, rule in _RULES.items()
            if key in block
        }
        if "starting_balance" in block:
            money = values.get("currency", self._default_currency)
            own = (*path, "starting_balance")
            values["starting_balance"] = self._balance(block["starting_balance"], money, own)
        return StatedAccount(**values)

    def _balance(self, content: Any, currency: str, path: Place) -> dict[str, Decimal]:
        if not isinstance(content, dict):
            return {currency: self.parse_value(_AMOUNT, content, path)}
        found: dict[str, Decimal] = {}
        for code, amount in content.items():
            money = self.parse_value(CURRENCY, code, (*path, code))
            if money in found:
                raise self.error((*path, code), code, "each currency stands once")
            found[money] = self.parse_value(_AMOUNT, amount, (*path, code))
        if not found:
            raise self.error(path, content, f"it is {_AMOUNT.allowed}, or a map of them by currency")
        return found
