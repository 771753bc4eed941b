"""Targets changed from a page: checked as the file is, and written back into it at once and whole."""

import json
import re
from collections.abc import Mapping
from hashlib import blake2b

from tearsheet.errors import UsageError
from tearsheet.export import replace_file
from tearsheet.rules import Targets
from tearsheet.sources.targets import load_targets, parse_targets
from tearsheet.tracker.tracking import PerformanceTracker

NAMES = Targets.__struct_fields__


class Promises:
    """The targets file of a tracker; comments and what else stands in it stay as they are."""

    def __init__(self, tracker: PerformanceTracker) -> None:
        self._path = tracker.settings.targets_file

    @property
    def digest(self) -> str:
        """Names the file's present content, so that a later change by somebody else is seen."""
        return blake2b(self._bytes(), digest_size=8).hexdigest()

    def targets(self) -> Targets:
        """The targets as they are in the file now. Raises SettingsError."""
        return load_targets(self._path)[0]

    def write(self, values: Mapping[str, str], digest: str) -> Targets:
        """Put new values into the file; an empty one is null. Raises SettingsError, UsageError."""
        if digest != self.digest:
            raise UsageError(
                f"{self._path.name} was changed by somebody else meanwhile",
                "look at the values as they are now, and change them again",
            )
        text = self._bytes().decode("utf-8")
        wanted = {name: values[name].strip() for name in NAMES if name in values}
        for name, value in wanted.items():
            text = _with(text, name, value)
        targets = parse_targets(text, str(self._path))
        alone = "".join(f"{name}: {_scalar(value)}\n" for name, value in wanted.items())
        if any(getattr(parse_targets(alone, ""), n) != getattr(targets, n) for n in wanted):
            raise UsageError(
                f"{self._path.name} is written in a way that this page cannot change",
                "write each target on a line of its own, or edit the file",
            )
        replace_file(self._path, text.encode())
        return targets

    def _bytes(self) -> bytes:
        try:
            return self._path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return b""


def _with(text: str, name: str, value: str) -> str:
    """The text with another value of a target, on its line or on a new one."""
    line = re.compile(rf"^([ \t]*{name}[ \t]*:)[^#\r\n]*?([ \t]*(?:#[^\r\n]*)?)$", re.MULTILINE)
    if line.search(text):
        return line.sub(lambda m: f"{m[1]} {_scalar(value)}{m[2]}", text, count=1)
    if not value:
        return text
    under = re.search(r"^targets[ \t]*:[^\r\n]*\n([ \t]*)", text, re.MULTILINE)
    if under:
        at, indent = under.start(1), under[1] or "  "
        return f"{text[:at]}{indent}{name}: {_scalar(value)}\n{text[at:]}"
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{end}{name}: {_scalar(value)}\n"


def _scalar(value: str) -> str:
    """A value as YAML; what is no number is quoted, and refused by those who read it."""
    if not value:
        return "null"
    return value if re.fullmatch(r"[-+.0-9eE]+", value) else json.dumps(value)
