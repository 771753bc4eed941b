"""Limits under `limits:` of the targets file, by a table of what is allowed for each key."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.errors import SettingsError
from tearsheet.rules.limit import GROUP_ONLY, LIMITS, STALE_AFTER, AccountLimits, GroupLimits, Limit, Limits
from tearsheet.rules.objective import Objective
from tearsheet.rules.preset import PresetUse
from tearsheet.sources.config.block_parser import BlockParser, Place
from tearsheet.sources.config.limit_keys import (
    DURATION,
    GROUP_KEYS,
    HEDGED,
    MEMBERS,
    NULL,
    OPTION_KEYS,
    SHAPES,
    combination_problem,
    limit_fields,
)
from tearsheet.sources.config.objectives import ObjectivesParser
from tearsheet.sources.config.presets import Preset, find_preset, merged
from tearsheet.sources.config.yaml import load_with_lines

#: Limits that an account may have.
ACCOUNT_LIMITS = tuple(name for name in LIMITS if name not in GROUP_ONLY)


class LimitKeys(Struct, frozen=True):
    """Keys of a limit: that of its short form, those of which one must stand there, and what is allowed for each."""

    short: str
    one_of: tuple[str, ...]
    allowed: dict[str, str]


def limit_keys() -> dict[str, LimitKeys]:
    """Return the keys of each limit, the options that every limit may have included."""
    return {
        name: LimitKeys(
            shape.short,
            shape.one_of,
            {key: rule.allowed for key, rule in {**shape.keys, **OPTION_KEYS}.items()},
        )
        for name, shape in SHAPES.items()
    }


def option_keys() -> dict[str, str]:
    """Return what is allowed for each key that applies to all limits of an account."""
    return {key: rule.allowed for key, rule in {**OPTION_KEYS, "stale_after": DURATION}.items()}


def load_limits(path: Path) -> Limits:
    """Load the limits of a file. Raises SettingsError if it is missing, unreadable, wrong, or has none."""
    limits = limits_in(path)
    if limits is None:
        raise SettingsError(f"{path} has no limits", "they stand under `limits:`; see docs/limits.md")
    return limits


def limits_in(path: Path, kept: Limits | None = None) -> Limits | None:
    """Load the limits of a file; None if it has none. Raises SettingsError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{path} cannot be read: {reason}", "docs/limits.md shows such a file") from None
    return parse_limits(text, str(path), kept)


def parse_limits(text: str, file: str, kept: Limits | None = None) -> Limits | None:
    """Parse limits and objectives of a YAML text; None if it has neither key.

    A preset without a version is that which `kept` limits chose, so that a new one changes no account.
    Raises SettingsError naming file, line, key, value and what is allowed.
    """
    content, lines = load_with_lines(text, file)
    if "limits" not in content and "objectives" not in content:
        return None
    return _LimitsParser(file, lines, kept or Limits()).parse(content)


_Block = dict[str, tuple[Any, Place]]


class _LimitsParser(BlockParser):
    """Parser of limits and objectives of one file."""

    def __init__(self, file: str, lines: Mapping[Place, int], kept: Limits) -> None:
        super().__init__(file, lines)
        self._kept = kept
        self._objectives = ObjectivesParser(file, lines)

    def parse(self, content: Mapping[str, Any]) -> Limits:
        """Return the limits of all accounts and groups, and the objectives."""
        top: Place = ("limits",)
        blocks = self.mapping(content.get("limits"), top)
        self.check_keys(blocks, ("default", "accounts", "groups"), top)
        default, default_aims = self._block(blocks.get("default"), (*top, "default"), self._kept.default)
        named = self.mapping(blocks.get("accounts"), (*top, "accounts"))
        accounts, aims = {}, {}
        for account, block in named.items():
            kept = self._kept.accounts.get(account, AccountLimits())
            own, own_aims = self._block(block, (*top, "accounts", account), kept)
            accounts[account] = self._account({**default, **own})
            if "preset" in own:
                aims[account] = own_aims
        groups = {
            name: self._group(block, (*top, "groups", name))
            for name, block in self.mapping(blocks.get("groups"), (*top, "groups")).items()
        }
        for name in groups:
            if name in accounts:
                raise self.error(
                    (*top, "groups", name), name, "an account has this name: name the group otherwise"
                )
        return Limits(
            self._account(default), accounts, groups, *self._all_objectives(content, default_aims, aims)
        )

    def _all_objectives(
        self, content: Mapping[str, Any], of_default: _Block, of_presets: Mapping[str, _Block]
    ) -> tuple[dict[str, tuple[Objective, ...]], tuple[Objective, ...]]:
        """Return the objectives by account, those of presets included, and the default ones."""
        top: Place = ("objectives",)
        parser = self._objectives
        blocks = self.mapping(content.get("objectives"), top)
        self.check_keys(blocks, ("default", "accounts"), top)
        default = {**of_default, **parser.block(blocks.get("default"), (*top, "default"))}
        named = self.mapping(blocks.get("accounts"), (*top, "accounts"))
        found = {}
        for account in {**of_presets, **named}:
            own = parser.block(named.get(account), (*top, "accounts", account))
            found[account] = parser.objectives({**default, **of_presets.get(account, {}), **own})
        return found, parser.objectives(default)

    def _block(self, content: Any, path: Place, kept: AccountLimits) -> tuple[_Block, _Block]:
        """Return the keys of an account, each with its value and place, and the objectives of its preset."""
        block = self.mapping(content, path)
        self.check_keys(block, (*ACCOUNT_LIMITS, *OPTION_KEYS, "stale_after", "preset"), path)
        found = {key: (value, (*path, key)) for key, value in block.items()}
        name = block.get("preset")
        if name in NULL:
            return found, {}
        preset = self._preset(name, (*path, "preset"), kept)
        for key, value in preset.limits.items():
            own = block.get(key)
            filled = value if key not in block else merged(value, own, SHAPES[key].short)
            found[key] = (filled, (*path, key))
        found["preset"] = (preset.use, (*path, "preset"))
        return found, {key: (value, (*path, "preset")) for key, value in preset.objectives.items()}

    def _preset(self, name: Any, path: Place, kept: AccountLimits) -> Preset:
        chosen = {} if kept.preset is None else {kept.preset.name: kept.preset.version}
        try:
            return find_preset(str(name), chosen)
        except SettingsError as error:
            raise self.error(path, name, f"{error.message}: {error.hint}") from None

    def _account(self, block: _Block) -> AccountLimits:
        terms = {key: self.parse_value(OPTION_KEYS[key], *block[key]) for key in OPTION_KEYS if key in block}
        limits = tuple(
            self._limit(name, *block[name], terms)
            for name in ACCOUNT_LIMITS
            if name in block and block[name][0] not in NULL
        )
        stale: timedelta | None = STALE_AFTER
        if "stale_after" in block:
            value, path = block["stale_after"]
            stale = None if value in NULL else self.parse_value(DURATION, value, path)
        use = block["preset"][0] if "preset" in block else None
        return AccountLimits(
            limits, stale, terms.get("on_unknown"), use if isinstance(use, PresetUse) else None
        )

    def _group(self, content: Any, path: Place) -> GroupLimits:
        block = self.mapping(content, path)
        self.check_keys(block, ("members", *GROUP_KEYS, *OPTION_KEYS, "stale_after"), path)
        if "members" not in block:
            raise self.error(path, block, f"it needs members: {MEMBERS.allowed}")
        members = self.parse_value(MEMBERS, block["members"], (*path, "members"))
        plan = self._account({key: (value, (*path, key)) for key, value in block.items() if key != "hedged"})
        if block.get("hedged") not in NULL:
            own = self.parse_value(HEDGED, block["hedged"], (*path, "hedged"))
            plan = replace(plan, limits=(*plan.limits, own))
        return GroupLimits(members, plan)

    def _limit(self, name: str, value: Any, path: Place, terms: dict[str, Any]) -> Limit:
        shape = SHAPES[name]
        read = self.parse_block(value, path, shape.short, {**shape.keys, **OPTION_KEYS}, shape.one_of)
        problem = combination_problem(name, read)
        if problem is not None:
            raise self.error(path, value, problem)
        return Limit(name=name, **limit_fields(name, {**terms, **read}))  # type: ignore[arg-type]
