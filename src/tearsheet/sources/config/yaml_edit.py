"""Changes values of a YAML text; comments, order, quotes and the layout of other lines stay."""

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from io import StringIO
from itertools import takewhile
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.emitter import Emitter
from ruamel.yaml.error import CommentMark
from ruamel.yaml.resolver import BaseResolver
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.tokens import CommentToken

from tearsheet.errors import UsageError
from tearsheet.sources.config.content import says_nothing
from tearsheet.sources.config.yaml import Path, load_mapping

#: A value to write: a text, a list of texts or mappings, a mapping of such, or None to remove the key.
Value = str | Sequence[str | Mapping[str, str]] | Mapping[str, Any] | None
#: Texts that need no quotes; others could be taken for something else.
_PLAIN = re.compile(r"(?![-+.]$|---$|\.\.\.$)[A-Za-z0-9_.+-]+(?::[A-Za-z0-9_.+-]+)*")


def edit_yaml(text: str, edits: Sequence[tuple[Path, Value]], file: str) -> str:
    """Return the text with other values at some places, one edit after the other.

    Raises UsageError where a change would reach other places, as with anchors, and SettingsError
    for a text that is no YAML.
    """
    expected = load_mapping(text, file)
    yaml = _round_trip(text)
    document = yaml.load(text)
    before = "" if document is None else _dump(yaml, document)
    document = CommentedMap() if document is None else document
    for path, value in edits:
        _set(expected, path, value)
        _set(document, path, value)
    after = _dump(yaml, document) if document else ""
    changed = _merge(text, before, after) if before else "".join([*_ended([text], "\n"), after])
    if _normalized(load_mapping(changed, file)) != _normalized(expected):
        raise UsageError(
            f"{file} uses YAML/TOML syntax that this page cannot edit",
            "write `key: value` lines without anchors, or edit the file",
        )
    # a file without content would be taken for one that was emptied by mistake
    return "".join([*_ended([changed], "\n"), "{}\n"]) if says_nothing(changed) else changed


class _TextResolver(BaseResolver):
    """Takes every scalar as text, so that 0500 and 1.10 are written back as they are."""

    processing_version = (1, 2)

    def __init__(self, version: object = None, loader: object = None, loadumper: object = None) -> None:
        super().__init__(loadumper or loader)


def _round_trip(text: str) -> YAML:
    """Return a reader and writer that has the indents of a text and the gaps before its comments."""
    lines = text.split("\n")

    class GapEmitter(Emitter):
        def write_comment(self, comment: Any, pre: bool = False) -> None:
            mark = comment.start_mark
            number = getattr(mark, "line", len(lines))  # a comment that was moved has no line
            line = lines[number][: mark.column] if number < len(lines) else ""
            if not pre and line.strip():
                comment.start_mark = CommentMark(self.column + len(line) - len(line.rstrip()))
            super().write_comment(comment, pre)
            comment.start_mark = mark

    yaml = YAML()
    yaml.Resolver, yaml.Emitter = _TextResolver, GapEmitter
    yaml.preserve_quotes = True
    yaml.width = len(text) + 1000
    step, offset = _indents(yaml.load(text))
    yaml.indent(mapping=step, sequence=offset + 2, offset=offset)
    return yaml


def _indents(document: Any) -> tuple[int, int]:
    """Return the first indents of a mapping and of a list within a mapping."""
    steps, offsets = [2], [2]
    blocks: list[Any] = [document]
    for block in blocks:
        for value in block.values() if isinstance(block, CommentedMap) else ():
            if isinstance(value, CommentedMap | CommentedSeq) and not value.fa.flow_style() and value:
                indents = steps if isinstance(value, CommentedMap) else offsets
                indents.append(value.lc.col - block.lc.col)
                blocks.append(value)
    return max(steps[:2][-1], 1), max(offsets[:2][-1], 0)


def _dump(yaml: YAML, document: Any) -> str:
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _set(content: Any, path: Path, value: Value) -> None:
    """Change a mapping; new ones on the way are written in the style of the mapping around them."""
    *way, last = path
    around = content
    for key in way:
        inner = content.get(key)
        if not isinstance(inner, dict):
            if value is None:
                return
            inner = _put(content, key, CommentedMap())
            if _is_flow(content):
                inner.fa.set_flow_style()
        elif not inner and isinstance(inner, CommentedMap):
            inner.fa.set_flow_style()  # {}
        around, content = content, inner
    if value is None:
        content.pop(last, None)
        if not content and way and not _is_flow(content):
            around[way[-1]] = ""  # a comment within would be written before the {}
    elif isinstance(value, list | tuple) and isinstance(content.get(last), CommentedSeq):
        _set_items(content[last], value)
    else:
        _put(content, last, _node(value))


def _put(content: Any, key: str, value: Any) -> Any:
    tail = "" if key in content else _cut_tail(content)
    content[key if key in content else _node(key)] = value
    if tail:
        content.ca.items[key] = [None, None, _tail_token(tail), None]
    return value


def _set_items(items: Any, values: Sequence[Any]) -> None:
    """Change a list in its own style; comments of items that stay are kept."""
    for place, value in enumerate(values):
        if place >= len(items):
            tail = _cut_tail(items)
            items.append(_node(value))
            if tail:
                items.ca.items[place] = [_tail_token(tail), None, None, None]
        elif items[place] != value:
            items[place] = _node(value)
    while len(items) > len(values):
        del items[len(items) - 1]  # -1 would leave its comment


def _cut_tail(content: Any) -> str:
    """Remove and return the comments below the last value of a block, which belong to what follows."""
    if not isinstance(content, CommentedMap | CommentedSeq) or not content or content.fa.flow_style():
        return ""
    is_list = isinstance(content, CommentedSeq)
    last = len(content) - 1 if is_list else list(content)[-1]
    value, slot = content[last], 0 if is_list else 2
    if isinstance(value, CommentedMap | CommentedSeq) and value and not value.fa.flow_style():
        return _cut_tail(value)
    tokens = content.ca.items.get(last)
    token = tokens[slot] if tokens else None
    if token is None:
        return ""
    behind, _, tail = token.value.partition("\n")
    tokens[slot] = CommentToken(f"{behind}\n", token.start_mark, None) if behind else None
    return str(tail)


def _tail_token(tail: str) -> CommentToken:
    return CommentToken(f"\n{tail}", CommentMark(0), None)


def _is_flow(content: Any) -> bool:
    return isinstance(content, CommentedMap) and bool(content.fa.flow_style())


def _node(value: Any) -> Any:
    """Return a value in flow style, with quotes where YAML might take it for something else."""
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else DoubleQuotedScalarString(value)
    node: CommentedMap | CommentedSeq
    if isinstance(value, Mapping):
        node = CommentedMap((_node(key), _node(item)) for key, item in value.items())
    else:
        node = CommentedSeq(map(_node, value))
    node.fa.set_flow_style()
    return node


def _normalized(content: Any) -> Any:
    """Return content to compare: an empty mapping and nothing are the same."""
    if isinstance(content, Mapping):
        return {str(key): _normalized(value) for key, value in content.items()} or None
    if isinstance(content, list | tuple):
        return [_normalized(item) for item in content]
    return content or None


def _merge(original: str, before: str, after: str) -> str:
    """Return `after` with the lines of the original where it equals `before`: a three-way merge.

    `before` is the unchanged document as it is dumped, so it differs from the original only in layout.
    Comments and blank lines below removed or added keys belong to what follows, so they stay.
    """
    old, base, new = (text.splitlines(keepends=True) for text in (original, before, after))
    places = _places(base, old)
    lines: list[str] = []
    for tag, start, end, new_start, new_end in _differences(base, new):
        if tag == "equal":
            known = [n for n in range(start, end + 1) if n in places] or [end, end]
            first, last = known[0], known[-1]
            lines += [*base[start:first], *old[places.get(first, 0) : places.get(last, 0)], *base[last:end]]
            continue
        trailing = _trailing_comments(base[start:end] or lines)
        if start == end and trailing:
            del lines[-len(trailing) :]
        lines += [*new[new_start:new_end], *trailing]
    return "".join(_ended(lines, original))


def _places(base: Sequence[str], old: Sequence[str]) -> dict[int, int]:
    """Return the line of the original at which a line of `base` starts, where it is known."""
    places: dict[int, int] = {}
    for _, start, end, old_start, old_end in _differences(base, old):
        if end - start == old_end - old_start:
            places.update((start + n, old_start + n) for n in range(end - start))
        else:
            places.setdefault(start, old_start)
    return {**places, 0: 0, len(base): len(old)}


def _differences(a: Sequence[str], b: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    """Return what SequenceMatcher does; it is quadratic, so common ends are left out."""
    start = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
    most = min(len(a), len(b)) - start
    end = sum(1 for _ in takewhile(lambda n: a[-n - 1] == b[-n - 1], range(most)))
    rest = SequenceMatcher(None, a[start : len(a) - end], b[start : len(b) - end], autojunk=False)
    middle = [(tag, i + start, j + start, k + start, n + start) for tag, i, j, k, n in rest.get_opcodes()]
    return [("equal", 0, start, 0, start), *middle, ("equal", len(a) - end, len(a), len(b) - end, len(b))]


def _trailing_comments(lines: Sequence[str]) -> list[str]:
    """Return the comments and blank lines at the end of lines."""
    comments = list(takewhile(lambda line: line.strip()[:1] in ("", "#"), reversed(lines)))
    return comments[::-1]


def _ended(lines: Sequence[str], original: str) -> list[str]:
    """Return lines that all end in a line break; the last one as in the original if their number is equal."""
    ended = [line if line.endswith("\n") else f"{line}\n" for line in lines if line]
    if ended and not original.endswith("\n") and len(ended) == len(original.splitlines()):
        ended[-1] = ended[-1].removesuffix("\n")
    return ended
