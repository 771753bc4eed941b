"""Presets of firms: data files inside the package, one for each firm, with every version of every plan."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from tearsheet.errors import SettingsError
from tearsheet.rules.preset import PresetCalendar, PresetUse
from tearsheet.sources.config.yaml import load_mapping

_FOLDER = Path(__file__).parent / "presets"


class Preset(Struct, frozen=True):
    """A version of a plan: what it rests on, and its limits and objectives as the targets file writes them."""

    use: PresetUse
    limits: dict[str, Any]
    objectives: dict[str, Any]


@cache
def all_presets() -> tuple[Preset, ...]:
    """Return every version of every preset, by name and then the newest first."""
    found = [
        _preset(entry)
        for path in sorted(_FOLDER.glob("*.yaml"))
        for entry in load_mapping(path.read_text("utf-8"), path.name)["plans"]
    ]
    newest_first = sorted(found, key=lambda one: one.use.version, reverse=True)
    return tuple(sorted(newest_first, key=lambda one: one.use.name))


def find_preset(text: str, chosen: Mapping[str, str] = {}) -> Preset:
    """Return the preset of `name@version`; of a name alone the version that was chosen before, else the newest.

    Raises SettingsError naming what is known.
    """
    name, _, version = text.strip().partition("@")
    versions = [one for one in all_presets() if one.use.name == name]
    if not versions:
        names = sorted({one.use.name for one in all_presets()})
        near = [one for one in names if one.split("/")[0] == name.split("/")[0]] or names
        raise SettingsError(f"no preset {name!r}", f"known are {', '.join(near)}")
    wanted = version or chosen.get(name) or versions[0].use.version
    found = next((one for one in versions if one.use.version == wanted), None)
    if found is None:
        known = ", ".join(one.use.version for one in versions)
        raise SettingsError(f"{name} has no version {wanted!r}", f"its versions are {known}")
    return found


def _preset(entry: Mapping[str, Any]) -> Preset:
    calendar = entry.get("calendar")
    use = PresetUse(
        name=entry["preset"],
        version=entry["version"],
        confidence=entry["confidence"],
        source=tuple(entry["source"]),
        read_on=_day(entry.get("read_on")),
        valid_from=_day(entry.get("valid_from")),
        valid_to=_day(entry.get("valid_to")),
        sizes=tuple(map(int, entry.get("sizes", ()))),
        note=entry.get("note", ""),
        calendar=None if calendar is None else PresetCalendar(**calendar),
    )
    return Preset(use, entry["limits"], entry.get("objectives", {}))


def _day(text: str | None) -> date | None:
    return None if text in (None, "", "null") else date.fromisoformat(text)


def merged(preset: Any, own: Any, short: str) -> Any:
    """Return a rule of a preset with the keys that were written beside it; an amount replaces a percentage."""
    if not isinstance(preset, dict) or not isinstance(own, dict):
        return own
    kept = dict(preset)
    for keys in (("amount", "percent"), ("quantity", "scale"), (short,)):
        if any(key in own for key in keys):
            for key in keys:
                kept.pop(key, None)
    if "amount" in own:
        kept.pop("of", None)
    return {**kept, **own}
