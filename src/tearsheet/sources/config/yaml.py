"""YAML as mappings of text: numbers stay exact, equal keys are an error, size and depth are bounded.

Importing the parser takes 40 ms, so other modules import this one where they use it.
"""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scanner import Scanner

from tearsheet.errors import SettingsError

_MOST_CHARACTERS = 200_000
#: Signs that begin a value; the parser takes 0.1 ms for each, so a file at the bound takes about a second.
_MOST_SIGNS = 10_000
_SIGNS = (":", ",", "- ", "[", "{")
#: Values after aliases are resolved: nested aliases multiply.
_MOST_VALUES = 100_000
_DEEPEST = 50
_HINT = "write `key: value` lines"
Path = tuple[str, ...]


def load_mapping(text: str, file: str) -> dict[str, Any]:
    """Parse a YAML text as a mapping with text for all scalars. Raises SettingsError with the line."""
    return load_with_lines(text, file)[0]


def load_with_lines(text: str, file: str) -> tuple[dict[str, Any], dict[Path, int]]:
    """Parse a YAML text, and find the line of each key by the keys that lead to it."""
    if len(text) > _MOST_CHARACTERS:
        raise SettingsError(f"{file} is too large", f"allowed are {_MOST_CHARACTERS:,} characters")
    if sum(map(text.count, _SIGNS)) > _MOST_SIGNS:
        raise SettingsError(f"{file} is too large", f"allowed are about {_MOST_SIGNS // 2:,} values")
    builder = _Builder(file)
    try:
        yaml = YAML(typ="base", pure=True)
        yaml.Scanner = _ShallowScanner
        node = yaml.compose(text)
        content = "" if node is None else builder.build(node, ())
    except RecursionError:
        raise SettingsError(f"{file} is nested too deeply", _HINT) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        problem = getattr(error, "problem", None) or str(error)
        raise SettingsError(f"{where} is no YAML: {problem}", _HINT) from None
    if content == "":
        return {}, {}
    if not isinstance(content, dict):
        raise SettingsError(f"{file} holds {content!r}", _HINT)
    return content, builder.lines


class _ShallowScanner(Scanner):
    """Refuses deep brackets, for which the scanner takes time by the square of their depth."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803
        if len(self.flow_context) > _DEEPEST:
            raise RecursionError
        super().fetch_flow_collection_start(TokenClass, to_push)


class _Builder:
    """Turns nodes into text, lists and dicts."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._values = 0
        self.lines: dict[Path, int] = {}

    def build(self, node: Any, path: Path) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise SettingsError(f"{self._file} is too large", f"allowed are {_MOST_VALUES} values")
        if node.id == "scalar":
            return node.value
        if node.id == "sequence":
            return [self.build(item, path) for item in node.value]
        content: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.id != "scalar":
                raise SettingsError(f"{self._file}:{line}: keys must be text", _HINT)
            if key.value in content:
                raise SettingsError(f"{self._file}:{line}: {key.value} stands twice", "keep one of them")
            self.lines[*path, key.value] = line
            content[key.value] = self.build(value, (*path, key.value))
        return content
