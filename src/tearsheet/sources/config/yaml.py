"""YAML as mappings of text, so that numbers stay exact and equal keys are an error."""

from typing import Any

from tearsheet.errors import SettingsError


def load_mapping(text: str, file: str) -> dict[str, Any]:
    """A YAML text as a mapping whose scalars are all text.

    PyYAML is imported here because it takes 25 ms, which a start without such a file is spared.
    Raises SettingsError naming the file and the line.
    """
    import yaml

    try:
        _reject_duplicate_keys(yaml.compose(text, Loader=yaml.BaseLoader), file)
        content = yaml.load(text, Loader=yaml.BaseLoader)
    except RecursionError:
        raise SettingsError(f"{file} is nested too deeply", "write `key: value` lines") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        problem = getattr(error, "problem", None) or str(error)
        raise SettingsError(f"{where} is no YAML: {problem}", "write `key: value` lines") from None
    if content in (None, ""):
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{file} holds {content!r}", "write `key: value` lines")
    return content


def _reject_duplicate_keys(node: Any, file: str) -> None:
    """YAML takes the last of equal keys in silence; here they are an error."""
    if getattr(node, "id", "") != "mapping":
        return
    seen = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.id != "scalar":
            raise SettingsError(f"{file}:{line}: a key is no text", "write `key: value` lines")
        if key.value in seen:
            raise SettingsError(f"{file}:{line}: {key.value} stands twice", "keep one of them")
        seen.add(key.value)
        _reject_duplicate_keys(value, file)


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """The line of each key of a YAML text that `yaml_mapping` took, by the keys that lead to it."""
    import yaml

    found: dict[tuple[str, ...], int] = {}
    _collect_lines(yaml.compose(text, Loader=yaml.BaseLoader), (), found)
    return found


def _collect_lines(node: Any, path: tuple[str, ...], found: dict[tuple[str, ...], int]) -> None:
    if getattr(node, "id", "") != "mapping":
        return
    for key, value in node.value:
        found[*path, key.value] = key.start_mark.line + 1
        _collect_lines(value, (*path, key.value), found)
