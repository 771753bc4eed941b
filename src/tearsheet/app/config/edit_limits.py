"""Form for one limits block of the targets file, and the new file text for submitted values."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from tearsheet.app.config.settings_audit import AuditEntry, FileEdit, read_content
from tearsheet.errors import SettingsError, UsageError
from tearsheet.rules.limit import LIMITS, Limits
from tearsheet.rules.relaxed import find_relaxed_limits
from tearsheet.sources.config.limits import limit_keys, option_keys, parse_limits
from tearsheet.sources.config.presets import find_preset
from tearsheet.sources.config.targets import parse_targets
from tearsheet.sources.config.yaml import Path as Way
from tearsheet.sources.config.yaml import load_mapping
from tearsheet.sources.config.yaml_edit import Value, edit_yaml

#: Source of an account's limit: the default block, the account's own block, or no limit.
LimitSource = Literal["default", "own", "none"]
_NULL = ("", "null", "~", "Null", "NULL", None)
_LISTS = ("warn_at", "silence", "hours")


class FormField(Struct, frozen=True):
    """Form field for one key of a limit: its value as text and the allowed values."""

    name: str
    key: str
    value: str
    allowed: str


class LimitFieldset(Struct, frozen=True):
    """Fieldset of one limit: description, source and fields, the required field first."""

    name: str
    description: str
    state: LimitSource
    fields: tuple[FormField, ...]
    inherited: str


class LimitForm(Struct, frozen=True):
    """Limits form of an account, or of the default block if `account` is None, with the file digest.

    `preset` names the preset of the file that fills in what is not stated.
    """

    account: str | None
    digest: str
    limits: tuple[LimitFieldset, ...]
    options: tuple[FormField, ...]
    accounts: tuple[str, ...]
    preset: str = ""


class LimitsEdit(Struct, frozen=True):
    """New file text, its audit entries, the limits before and after it, and those that it relaxes."""

    file: FileEdit
    changes: tuple[AuditEntry, ...]
    old: Limits
    new: Limits
    relaxed: tuple[str, ...]


class LimitsEditor:
    """Editor for the limits of a targets file; returns the new text and never writes the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text, self._digest = read_content(path)
        self._content = _section(load_mapping(self._text, str(path)).get("limits"))

    def form(self, account: str | None) -> LimitForm:
        """Return the form with the values in the file. Raises SettingsError."""
        block, default = self._block(account), self._block(None)
        preset = _to_text(block.get("preset"))
        filled = find_preset(preset).limits if preset not in _NULL else {}
        inherited = {**default, **filled} if account is not None else None
        limits = tuple(_limit_fields(name, block, inherited) for name in limit_keys())
        terms = tuple(
            FormField(key, key, _to_text(block.get(key)), allowed) for key, allowed in option_keys().items()
        )
        named = tuple(_section(self._content.get("accounts")))
        return LimitForm(account, self._digest, limits, terms, named, preset)

    def edit(self, account: str | None, form: Mapping[str, str], who: str, now: datetime) -> LimitsEdit:
        """Return the new file text for submitted values, validated like the file itself.

        Raises SettingsError if a value is invalid; its place ends in that key. Raises UsageError if the
        form is incomplete or the layout of the file cannot be edited.
        """
        way: Way = ("limits", "default") if account is None else ("limits", "accounts", account)
        block = self._block(account)
        edits: list[tuple[Way, Value]] = []
        for name, known in limit_keys().items():
            short = known.short
            state = form.get(f"{name}.state", "")
            if state not in ("default", "own", "none"):
                raise UsageError(f"{name} is missing from the form", "reload the page and try again")
            values = {k: form.get(f"{name}.{k}", "").strip() for k in (short, *known.allowed)}
            value = _limit_value(name, short, values, state, way)
            edits += _edits((*way, name), block, value, short)
        for key in option_keys():
            edits += _edits((*way, key), block, _parse_list(key, form.get(key, "").strip()), "")
        text = edit_yaml(self._text, edits, str(self._path)) if edits else self._text
        parse_targets(text, str(self._path))
        old, new = self._limits(self._text), self._limits(text)
        changes = tuple(
            AuditEntry(
                now,
                who,
                self._path.name,
                ".".join(path),
                _display_value(_value_at(self._content, path[1:])),
                _display_value(value),
            )
            for path, value in edits
        )
        file = FileEdit(self._path, self._digest, text)
        return LimitsEdit(file, changes, old, new, tuple(find_relaxed_limits(old, new)))

    def without_own(self, account: str) -> dict[str, str]:
        """Return the form that removes every limit and option of an account's own."""
        form = self.form(account)
        return {
            **{f"{limit.name}.state": "default" for limit in form.limits},
            **{field.name: "" for limit in form.limits for field in limit.fields},
            **{field.name: "" for field in form.options},
        }

    def _limits(self, text: str) -> Limits:
        return parse_limits(text, str(self._path)) or Limits()

    def _block(self, account: str | None) -> dict[str, Any]:
        if account is None:
            return _section(self._content.get("default"))
        return _section(_section(self._content.get("accounts")).get(account))


def _section(content: Any) -> dict[str, Any]:
    return content if isinstance(content, dict) else {}


def _limit_fields(name: Any, block: dict[str, Any], default: dict[str, Any] | None) -> LimitFieldset:
    known = limit_keys()[name]
    short, keys = known.short, known.allowed
    value = block.get(name)
    own = value if isinstance(value, dict) else {short: value} if value not in _NULL else {}
    fields = tuple(
        FormField(f"{name}.{key}", key, _to_text(own.get(key)), keys[key])
        for key in (short, *(key for key in keys if key != short))
    )
    state: LimitSource = "own" if own else "none" if default is None or name in block else "default"
    inherited = "" if default is None else _display_value(default.get(name)) or "none"
    return LimitFieldset(name, LIMITS[name].description, state, fields, inherited)


def _limit_value(name: str, short: str, values: dict[str, str], state: str, way: Way) -> Value:
    """Return the YAML value of a limit; None removes the key. Raises SettingsError if it is missing."""
    if state == "none":
        return "null" if len(way) > 2 else None
    if state == "default":
        return None
    known = limit_keys()[name]
    if not any(values[key] for key in known.one_of):
        allowed = known.allowed[short]
        raise SettingsError(
            f"{name} has no {' or '.join(known.one_of)}", f"allowed is {allowed}", (*way, name, short)
        )
    found = {key: _parse_list(key, text) for key, text in values.items() if text}
    return found[short] if found.keys() == {short} else found


def _edits(way: Way, block: Mapping[str, Any], new: Value, short: str) -> list[tuple[Way, Value]]:
    """Return the smallest set of edits for a key, so that comments in the file are preserved."""
    key, is_there = way[-1], way[-1] in block
    old = block.get(key)
    if isinstance(old, dict) and old and new not in _NULL:
        values = new if isinstance(new, Mapping) else {short: new}
        keys = [*values, *(one for one in old if one not in values)]
        return [
            ((*way, one), values.get(one))
            for one in keys
            if _form_text(old.get(one)) != _form_text(values.get(one))
        ]
    if _display_value(old) == _display_value(new) and is_there == (new is not None):
        return []
    is_default_of_all = len(way) == 3 and old in _NULL and new is None
    return [] if is_default_of_all or (not is_there and new is None) else [(way, new)]


def _parse_list(key: str, text: str) -> Value:
    """Parse comma-separated text of a list key; None if the text is empty."""
    if key not in _LISTS or "," not in text:
        return text or None
    return [item.strip() for item in text.split(",")]


def _to_text(value: Any) -> str:
    """Return a value as the text of a form: a scale or a mapping as `name: value` pairs."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(": ".join(one.values()) if isinstance(one, dict) else str(one) for one in value)
    return "" if value is None else value


def _form_text(value: Any) -> str | None:
    return None if value is None else _to_text(value)


def _display_value(value: Any) -> str | None:
    """Format a value for the audit log and the form."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_display_value(item)}" for key, item in value.items())
    return None if value is None else _to_text(value)


def _value_at(content: Any, path: Way) -> Any:
    for key in path:
        content = _section(content).get(key)
    return content


def invalid_field(error: SettingsError | UsageError) -> str:
    """Return the name of the invalid form field; empty if the error does not concern a field."""
    place = error.place if isinstance(error, SettingsError) else ()
    inside = place[2:] if place[:2] == ("limits", "default") else place[3:]
    if not inside or place[:1] != ("limits",):
        return ""
    if len(inside) == 1 and inside[0] in limit_keys():
        return f"{inside[0]}.{limit_keys()[inside[0]].short}"
    return ".".join(inside[:2])
