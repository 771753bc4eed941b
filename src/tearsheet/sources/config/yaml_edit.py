"""Changes values of a YAML text where they stand, so that comments and all else stay as they are."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tearsheet.errors import UsageError
from tearsheet.sources.config.yaml import load_mapping

#: A value to write: a text, a list of texts, a mapping of such, or None to take the key out.
Value = str | Sequence[str] | Mapping[str, Any] | None
Path = tuple[str, ...]
_PLAIN = re.compile(r"[A-Za-z0-9_.+-]+(?::[A-Za-z0-9_.+-]+)*")
_STEP = "  "


def edit_yaml(text: str, edits: Sequence[tuple[Path, Value]], file: str) -> str:
    """The text with other values at some places, one after the other.

    Raises UsageError where it is written in a way that leaves open how, and SettingsError where it is
    no YAML at all.
    """
    wanted = _copy_without_aliases(load_mapping(text, file))
    for path, value in edits:
        _set_value(wanted, path, value)
        text = _set_text(text, path, value, file)
    if _normalized(load_mapping(text, file)) != _normalized(wanted):
        raise _unsupported_syntax(file)
    return text


def _unsupported_syntax(file: str) -> UsageError:
    return UsageError(
        f"{file} is written in a way that this page cannot change",
        "write `key: value` lines without anchors, or edit the file",
    )


def _set_value(content: dict[str, Any], path: Path, value: Value) -> None:
    """Change a mapping as its text is to be changed."""
    *way, last = path
    for key in way:
        if not isinstance(content.get(key), dict):
            if value is None:
                return
            content[key] = {}
        content = content[key]
    if value is None:
        content.pop(last, None)
    else:
        content[last] = value


def _copy_without_aliases(content: Any) -> Any:
    """Content in which nothing is the same object as something else, as aliases make it."""
    if isinstance(content, dict):
        return {key: _copy_without_aliases(value) for key, value in content.items()}
    return [_copy_without_aliases(item) for item in content] if isinstance(content, list) else content


def _normalized(content: Any) -> Any:
    """Content to compare: an empty mapping and nothing are the same."""
    if isinstance(content, Mapping):
        return {key: _normalized(value) for key, value in content.items()} or None
    if isinstance(content, list | tuple):
        return [_normalized(item) for item in content]
    return content or None


def _set_text(text: str, path: Path, value: Value, file: str) -> str:
    import yaml

    node: Any = yaml.compose(text, Loader=yaml.BaseLoader)
    parent: Any = None
    key: Any = None
    depth = 0
    while depth < len(path) and getattr(node, "id", "") == "mapping":
        found = next((pair for pair in node.value if pair[0].value == path[depth]), None)
        if found is None:
            break
        parent, key, node, depth = node, found[0], found[1], depth + 1
    if depth == len(path):
        if value is None:
            return _remove(text, parent, key, node)
        return _replace(text, node, value, file)
    if value is None:
        return text
    return _add(text, node, key, path[depth:], value)


def _replace(text: str, node: Any, value: Value, file: str) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    if node.id != "scalar" and not node.flow_style:
        raise _unsupported_syntax(file)
    space = " " if start == end and text[start - 1 : start] == ":" else ""
    return f"{text[:start]}{space}{_flow_style(value)}{text[end:]}"


def _remove(text: str, parent: Any, key: Any, node: Any) -> str:
    start, end = key.start_mark.index, _end(node)
    if parent.flow_style:
        before, after = text[:start], text[end:]
        if after.lstrip().startswith(","):
            return before + after.lstrip()[1:].lstrip()
        return re.sub(r",\s*\Z", "", before) + after
    line = text.rfind("\n", 0, start) + 1
    return text[:line] + text[_line_end(text, end) :]


def _add(text: str, node: Any, key: Any, way: Path, value: Value) -> str:
    """Put a new key into the deepest mapping that there is, with what leads to it."""
    if node is not None and node.id == "mapping" and node.flow_style:
        at = node.end_mark.index - 1
        inner = value
        for step in reversed(way[1:]):
            inner = {step: inner}
        comma = ", " if node.value else ""
        return f"{text[:at].rstrip()}{comma}{_flow_style(way[0])}: {_flow_style(inner)}{text[at:]}"
    if node is not None and node.id == "mapping":
        at, column = _line_end(text, _end(node)), node.value[0][0].start_mark.column
    elif key is not None:  # a key without anything
        at = _line_end(text, node.end_mark.index)
        column = key.start_mark.column + len(_STEP)
        if node.start_mark.index != node.end_mark.index:  # `null`, which gives way
            text = text[: node.start_mark.index].rstrip() + text[node.end_mark.index :]
            at = _line_end(text, node.start_mark.index - 1)
    else:
        at, column = len(text), 0
    newline = "" if not at or text[at - 1] == "\n" else "\n"
    return f"{text[:at]}{newline}{_block_style(way, value, ' ' * column)}{text[at:]}"


def _end(node: Any) -> int:
    """Where what a node says ends; a block's own mark is only where the next thing begins."""
    while node.id != "scalar" and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _line_end(text: str, at: int) -> int:
    """Where the line of a place ends, after its comment and its line break."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _block_style(way: Path, value: Value, indent: str) -> str:
    lines = [f"{indent}{_STEP * depth}{_flow_style(key)}:" for depth, key in enumerate(way)]
    lines[-1] += f" {_flow_style(value)}"
    return "\n".join(lines) + "\n"


def _flow_style(value: Any) -> str:
    """A value on one line; a text that YAML might take for something else is quoted."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_flow_style(key)}: {_flow_style(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow_style, value))}]"
    text = str(value)
    plain = _PLAIN.fullmatch(text) and text not in ("-", "+", ".", "---", "...")
    return text if plain else json.dumps(text)
