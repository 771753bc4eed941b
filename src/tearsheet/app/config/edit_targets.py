"""Editor for the targets file: values are validated like the file and saved atomically."""

from collections.abc import Mapping

from tearsheet.app.config.settings_audit import AuditEntry, FileEdit, read_content, save_change
from tearsheet.app.context import LedgerContext
from tearsheet.rules import Targets
from tearsheet.sources.config.targets import load_targets, parse_targets
from tearsheet.sources.config.yaml import load_mapping
from tearsheet.sources.config.yaml_edit import Value, edit_yaml

TARGET_NAMES = Targets.__struct_fields__


class TargetsEditor:
    """Editor for the targets file of a context; comments and other content are preserved."""

    def __init__(self, context: LedgerContext) -> None:
        self._context = context
        self._path = context.settings.targets_file

    @property
    def digest(self) -> str:
        """Return the hash of the file's content, which detects changes by another user."""
        return read_content(self._path)[1]

    def targets(self) -> Targets:
        """Return the targets in the file. Raises SettingsError."""
        return load_targets(self._path)[0]

    def write(self, values: Mapping[str, str], digest: str, who: str) -> bool:
        """Save new values, an empty one as null; False if the file changed since `digest` was read.

        Raises SettingsError with the target as its place, UsageError, InputError, StoreError.
        """
        text, current = read_content(self._path)
        if current != digest:
            return False
        file, now = str(self._path), self._context.now
        content = load_mapping(text, file)
        way = ("targets",) if "targets" in content else ()
        old = (content["targets"] or {}) if way else content
        edits: list[tuple[tuple[str, ...], Value]] = []
        for name in TARGET_NAMES:
            new = values[name].strip() if name in values else None
            if new is not None and (new or "null") != (old.get(name) or "null"):
                edits.append(((*way, name), new or "null"))
        text = edit_yaml(text, edits, file)
        parse_targets(text, file)
        changes = [
            AuditEntry(now, who, self._path.name, path[-1], old.get(path[-1]), str(value))
            for path, value in edits
        ]
        changed = FileEdit(self._path, digest, text)
        return not edits or save_change(self._context.ledger, changed, changes)
