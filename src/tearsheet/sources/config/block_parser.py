"""Parser of blocks of a YAML file whose errors name file, line, key, value and what is allowed."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from tearsheet.errors import SettingsError
from tearsheet.sources.config.limit_keys import NULL
from tearsheet.trade.value_rule import InvalidValueError, ValueRule

Place = tuple[str, ...]


class BlockParser:
    """Parser of one file; errors have the line of their key."""

    def __init__(self, file: str, lines: Mapping[Place, int]) -> None:
        self._file = file
        self._lines = lines

    def parse_value(self, rule: ValueRule[Any], value: Any, path: Place) -> Any:
        """Return the value of a key. Raises SettingsError."""
        try:
            return rule.parse(value)
        except InvalidValueError as error:
            raise self.error(path, value, str(error)) from None

    def mapping(self, content: Any, path: Place) -> dict[str, Any]:
        """Return a mapping, an empty one for nothing. Raises SettingsError."""
        if content in NULL:
            return {}
        if not isinstance(content, dict):
            raise self.error(path, content, "allowed is a mapping of `key: value` lines")
        return content

    def check_keys(self, content: Mapping[str, Any], known: tuple[str, ...], path: Place) -> None:
        """Raise SettingsError for a key that is not known."""
        for key in content:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                where = self._where((*path, key))
                raise SettingsError(f"{where}: {'.'.join((*path, key))} is no key", hint, path)

    def parse_block(
        self, value: Any, path: Place, short: str, rules: Mapping[str, ValueRule[Any]], one_of: Sequence[str]
    ) -> dict[str, Any]:
        """Return the keys of a block, whose short form is the value of one key alone; it needs a key of `one_of`.

        Raises SettingsError.
        """
        if isinstance(value, dict):
            self.check_keys(value, tuple(rules), path)
            places = {key: (*path, key) for key in value}
        else:
            value, places = {short: value}, {short: path}
        if not any(key in value for key in one_of):
            needed = " or ".join(f"{key}: {rules[key].allowed}" for key in one_of)
            raise self.error(path, value, f"it needs {needed}")
        return {key: self.parse_value(rules[key], item, places[key]) for key, item in value.items()}

    def error(self, path: Place, value: Any, hint: str) -> SettingsError:
        """Return the error of a value."""
        shown = f"{{{', '.join(value)}}}" if isinstance(value, dict) else repr(value)
        return SettingsError(f"{self._where(path)}: {'.'.join(path)} is {shown}", hint, path)

    def _where(self, path: Place) -> str:
        line = self._lines.get(path)
        return f"{self._file}:{line}" if line else self._file
