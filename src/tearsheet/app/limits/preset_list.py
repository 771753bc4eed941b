"""Presets that can be chosen, with all their numbers, age and what is to be known before."""

from datetime import date
from typing import Any

from msgspec import Struct

from tearsheet.errors import NotFoundError
from tearsheet.rules.preset import PresetUse
from tearsheet.sources.config.presets import all_presets


class PresetView(Struct, frozen=True):
    """A version of a preset: its limits and objectives as the targets file writes them, and how old it is."""

    use: PresetUse
    limits: dict[str, str]
    objectives: dict[str, str]
    age_days: int | None
    cautions: tuple[str, ...]


def preset_list(name: str | None, today: date) -> list[PresetView]:
    """Return all presets, or those of a name, a name with its version, or a firm. Raises NotFoundError."""
    found = [
        PresetView(
            one.use,
            {limit: _written(rule) for limit, rule in one.limits.items()},
            {objective: _written(rule) for objective, rule in one.objectives.items()},
            one.use.age_days(today),
            one.use.cautions(today),
        )
        for one in all_presets()
        if name is None or name in (one.use.label, one.use.name, one.use.name.split("/")[0])
    ]
    if not found:
        firms = sorted({one.use.name.split("/")[0] for one in all_presets()})
        raise NotFoundError(
            f"no preset {name!r}", f"firms are {', '.join(firms)}; `tearsheet presets` lists all"
        )
    return found


def _written(rule: Any) -> str:
    """Return a rule as the targets file writes it."""
    if isinstance(rule, dict):
        return f"{{{', '.join(f'{key}: {_written(item)}' for key, item in rule.items())}}}"
    if isinstance(rule, list):
        return f"[{', '.join(map(_written, rule))}]"
    return str(rule)
