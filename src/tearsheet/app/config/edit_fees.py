"""Editor for the fee schedule, the list `fees` of the instruments file; a change is recorded, and the books follow."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.app.book_rules import booking_rules_from
from tearsheet.app.config.settings_audit import AuditEntry, FileEdit, read_content, save_change
from tearsheet.app.context import LedgerContext
from tearsheet.app.imports.log_sync import sync
from tearsheet.app.kept_instruments import InstrumentSource, KeptInstruments, as_text
from tearsheet.errors import ChangedMeanwhileError, NotFoundError, UsageError
from tearsheet.sources.config.fees import FEE_AMOUNTS, FEE_SCOPE, FEES, parse_fees
from tearsheet.sources.config.yaml import load_mapping
from tearsheet.sources.config.yaml_edit import edit_yaml
from tearsheet.store.tables.sources import INSTRUMENTS

#: A rule as it stands in the file: keys with texts.
RuleText = Mapping[str, str]
RULE_KEYS = (*FEE_SCOPE, *FEE_AMOUNTS)


class FeeRules(Struct, frozen=True):
    """The fee schedule as it stands in a file, with the hash of the file, which detects changes by another user."""

    file: str
    digest: str
    rules: tuple[dict[str, str], ...]


class FeesEditor:
    """Editor for the fee schedule of a context; comments and other content of the file are preserved."""

    def __init__(self, context: LedgerContext) -> None:
        self._context = context
        self._path = context.settings.instruments_file

    def show(self) -> FeeRules:
        """Return the rules in the file. Raises SettingsError."""
        text, digest = read_content(self._path)
        return FeeRules(str(self._path), digest, tuple(self._parse(text)))

    def set_rule(self, rule: RuleText, who: str, digest: str | None = None) -> FeeRules:
        """Add a rule, or replace the one that names the same from the same day, and rebuild the books.

        Raises SettingsError for an invalid rule, UsageError for one that names an unknown root or venue,
        ChangedMeanwhileError if the file has another digest than a given one, StoreError.
        """
        stated = {key: value.strip() for key, value in rule.items() if value.strip()}
        before = self._expected(digest)
        parse_fees([stated], f"{self._path}")
        self._check_names(stated)
        own = _scope(stated)
        place = next((n for n, one in enumerate(before.rules) if _scope(one) == own), len(before.rules))
        rules = [*before.rules[:place], stated, *before.rules[place + 1 :]]
        return self._save(before, rules, who)

    def remove_rule(self, number: int, who: str, digest: str) -> FeeRules:
        """Remove a rule by its number, which counts from 1 in the file with this digest, and rebuild the books.

        Raises NotFoundError, ChangedMeanwhileError if the file has another digest, StoreError.
        """
        before = self._expected(digest)
        if not 1 <= number <= len(before.rules):
            raise NotFoundError(f"there is no rule {number}", f"there are {len(before.rules)}")
        return self._save(before, [*before.rules[: number - 1], *before.rules[number:]], who)

    def _expected(self, digest: str | None) -> FeeRules:
        """Return the rules; a number means another rule once somebody else has changed the file."""
        found = self.show()
        if digest is not None and digest != found.digest:
            raise ChangedMeanwhileError(f"{self._path} was changed meanwhile", "look at it again")
        return found

    def _parse(self, text: str) -> list[dict[str, str]]:
        file = str(self._path)
        content = load_mapping(text, file).get(FEES)
        parse_fees(content, file)
        return [dict(rule) for rule in content or ()]

    def _check_names(self, rule: RuleText) -> None:
        instruments = booking_rules_from(self._context.settings, self._context.ledger).instruments
        root, venue = rule.get("root", "").upper(), rule.get("venue", "").upper()
        if root and root not in instruments.futures and root not in instruments.overrides:
            raise UsageError(
                f"{root} is no root of a future that is known", "state it in the instruments file"
            )
        venues = sorted({row.exchange for row in instruments.futures.values()})
        if venue and venue not in venues:
            raise UsageError(f"no future is traded at {venue}", f"known venues are {', '.join(venues)}")

    def _save(self, before: FeeRules, rules: Sequence[RuleText], who: str) -> FeeRules:
        """Save the rules with their audit entry, and rebuild the books. Raises UsageError if the file changed."""
        source = InstrumentSource(self._context.ledger, self._context.settings)
        kept = source.kept()
        if not self._path.exists() and str(self._path) in kept.paths:
            raise UsageError(
                f"{self._path} is gone", "restore it, or `tearsheet sources forget instruments --by NAME`"
            )
        if not self._path.exists() and kept.digest:
            raise UsageError(
                f"the books are of the instruments in {', '.join(kept.paths) or 'another file'}, not of {self._path}",
                "change the schedule there",
            )
        text = read_content(self._path)[0]
        if rules:
            text = edit_yaml(text, [((FEES,), list(rules))], before.file)
        elif before.rules:
            text = edit_yaml(text, [((FEES,), None)], before.file)
        self._parse(text)
        gone = [_words(one) for one in before.rules if one not in rules]
        came = [_words(one) for one in rules if one not in before.rules]
        entry = AuditEntry(
            self._context.now, who, self._path.name, FEES, "; ".join(gone) or None, "; ".join(came) or None
        )
        if gone or came:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            edit = FileEdit(self._path, before.digest, text)
            if not save_change(self._context.ledger, edit, [entry], lambda: self._expect_edit(kept, before)):
                raise ChangedMeanwhileError(f"{self._path} was changed meanwhile", "look at it again")
            sync(self._context)
        return self.show()

    def _expect_edit(self, kept: KeptInstruments, before: FeeRules) -> None:
        """Let the file that is saved count as an edit, also where the time of the last one lies ahead of the clock."""
        if kept.is_known and kept.digest == before.digest:
            paths = tuple(dict.fromkeys((*kept.paths, str(self._path))))
            self._context.ledger.put(INSTRUMENTS, as_text(replace(kept, paths=paths, mtime_ns=-1)))


def _scope(rule: RuleText) -> tuple[str, ...]:
    return tuple(rule.get(key, "").casefold() for key in FEE_SCOPE)


def _words(rule: RuleText) -> str:
    return ", ".join(f"{key} {value}" for key, value in rule.items())
