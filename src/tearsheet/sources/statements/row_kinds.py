"""Classification of rows by the rules of a layout: trade, event, end of a position, skipped or rejected."""

import re
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct, structs

from tearsheet.errors import FormatError
from tearsheet.sources.layouts.header import HeaderPlaces, header_places
from tearsheet.sources.layouts.layout import Action, RowRule
from tearsheet.sources.text.lines import truncate
from tearsheet.sources.text.problem import RowError
from tearsheet.trade.event import EventKind

_ANY = "*"
_LONGEST = 300
#: 0 as files write it, such as 0.00 and -0.
_NOUGHT = re.compile(r"[-+]?0+(?:[.,]0+)?")
#: Words that begin a row of sums.
_TOTALS = frozenset(
    (
        "total",
        "totals",
        "grand total",
        "subtotal",
        "sum",
        "summe",
        "gesamt",
        "totale",
        "suma",
        "somme",
        "итого",
    )
)
_REMEMBERED = 1000
_FILLS_HINT = "import the event as fills in the generic format"
_OTHER_LEVELS = "other_levels"
#: Names of rows that state trades of other rows once more.
_REPETITIONS = (_OTHER_LEVELS, "closed_lots")
_SPLIT = "a split changes what is held: quantity and price of the open position are wrong without it"
_SPLIT_HINT = (
    "state it as two fills in the generic format: what was held sold, and what is held now bought, "
    "each at the average price of then, so that nothing is realized"
)


class SkippedRow(Struct, frozen=True):
    """Row that is not a trade by a rule of its layout, with the name of the rule."""

    rule: str


class ExpirationRow(Struct, frozen=True):
    """Row that ends a position without a trade, with the event: expiry, assignment, …"""

    event: str


class CertainTrade(Struct, frozen=True):
    """Row that is a trade, whatever later rules say."""


class UnfilledRow(Struct, frozen=True):
    """Row of an order that ended early: a trade only if it states a filled quantity."""


class EventRow(Struct, frozen=True):
    """Row that is an event by a rule of its layout, with the kind."""

    kind: EventKind


class ActionRow(Struct, frozen=True):
    """Row of shares received or delivered without a trade, with its corporate action."""

    action: Action


class _RefusedRow(Struct, frozen=True):
    reason: str
    hint: str
    is_known: bool = True


#: Kind of a row that is no plain trade.
RowKind = SkippedRow | ExpirationRow | EventRow | ActionRow | UnfilledRow | CertainTrade
_Classification = RowKind | _RefusedRow | None


class _RowTest:
    """Rule bound to a column index, with a cache of classified cells."""

    def __init__(self, rule: RowRule, place: int) -> None:
        self.place = place
        self._rule = rule
        self._words = _build_table(rule)
        open_words = [word for word in self._words if _ANY in word and word != _ANY]
        # The longest word is the most specific: "you bought assigned*" is tried before "you bought*".
        self._open_words = [
            (word, re.compile(re.escape(word).replace(r"\*", ".*"), re.DOTALL))
            for word in sorted(open_words, key=len, reverse=True)
        ]
        self._cache: dict[str, RowKind | None] = {}

    def apply(self, cell: str) -> RowKind | None:
        """Return the kind of a cell, or None for a trade. Raises RowError."""
        if cell in self._cache:
            return self._cache[cell]
        kind = self._classify_value(normalize_word(cell))
        if len(self._cache) < _REMEMBERED:
            self._cache[cell] = kind
        return kind

    def _classify_value(self, text: str) -> RowKind | None:
        split = self._rule.split
        words = text.split(split) if split else [text]
        kinds = [self._classify_word(word.strip().casefold()) for word in words]
        skipped = next((kind for kind in kinds if isinstance(kind, SkippedRow)), None)
        refused = next((kind for kind in kinds if isinstance(kind, _RefusedRow)), None)
        if skipped is None and refused is not None:
            column, word = self._rule.column, f"{truncate(text, _LONGEST)!r}"
            what = f"{column} is {word}: " if refused.is_known else f"{column} {word} is "
            raise RowError("unknown_row", what + refused.reason, refused.hint)
        return skipped or next(
            (
                kind
                for kind in kinds
                if isinstance(kind, ExpirationRow | EventRow | ActionRow | UnfilledRow | CertainTrade)
            ),
            None,
        )

    def _classify_word(self, word: str) -> _Classification:
        if word in self._words:
            return self._words[word]
        if len(word) <= _LONGEST:
            for known, pattern in self._open_words:
                if pattern.fullmatch(word):
                    return self._words[known]
        if _NOUGHT.fullmatch(word) and (nought := next(filter(_NOUGHT.fullmatch, self._words), None)):
            return self._words[nought]
        if _ANY in self._words:
            return self._words[_ANY]
        trades = sorted(word.casefold() for word in self._rule.trades)
        hint = f"trades are {', '.join(trades)}"
        return _RefusedRow("no kind of row that is known here", hint, is_known=False)


class RowClassifier:
    """Row rules of a layout, bound to a header."""

    def __init__(self, rules: Sequence[RowRule], names: HeaderPlaces) -> None:
        self._tests = [
            _RowTest(rule, place) for rule in rules if (place := names.place(rule.column)) is not None
        ]

    def classify(self, cells: Sequence[str]) -> RowKind | None:
        """Return the kind of a row from the first rule that classifies it, or None for a trade.

        Raises RowError if a rule rejects the row, or does not know its word.
        """
        for test in self._tests:
            kind = test.apply(cells[test.place])
            if kind is not None:
                return kind
        return None


def choose_levels(
    rules: Sequence[RowRule], header: Sequence[str], rows: Callable[[], Iterable[Sequence[str]]], file: str
) -> list[RowRule]:
    """Return the rules with the first level of detail that the rows have as trades, the others skipped.

    Raises FormatError if the rows repeat trades only in levels that are never read.
    """
    names = header_places(header)
    chosen: list[RowRule] = []
    for rule in rules:
        place = names.place(rule.column) if rule.levels else None
        if place is None:
            chosen.append(rule)
            continue
        before = RowClassifier(chosen, names)
        rank, repeated = _finest_level(rule, place, (cells for cells in rows() if _is_trade(before, cells)))
        if rank is None and repeated:
            raise FormatError(
                f"{file}: its trades are stated as {repeated} only ({rule.column}), which are no fills",
                f"export it with the level {' or '.join(words[0] for words in rule.levels)}",
            )
        chosen.append(_with_level(rule, rank))
    return chosen


def _with_level(rule: RowRule, rank: int | None) -> RowRule:
    """Return a rule that reads one of its levels and skips the others."""
    read = rule.levels[rank] if rank is not None else []
    skipped = {name: [word for word in words if word not in read] for name, words in rule.skipped.items()}
    known = {word for words in skipped.values() for word in words}
    others = [word for words in rule.levels for word in words if word not in read and word not in known]
    skipped[_OTHER_LEVELS] = [*skipped.get(_OTHER_LEVELS, []), *others]
    return structs.replace(rule, trades=[*rule.trades, *read], skipped=skipped)


def _finest_level(rule: RowRule, place: int, rows: Iterable[Sequence[str]]) -> tuple[int | None, str]:
    """Return the number of the first level that occurs; the word of repetitions if nothing else does."""
    ranks = {word.casefold(): rank for rank, words in enumerate(rule.levels) for word in words}
    trades = {word.casefold() for word in rule.trades}
    repetitions = {word.casefold() for name in _REPETITIONS for word in rule.skipped.get(name, [])}
    best, repeated, has_trades = None, "", False
    for cells in rows:
        word = normalize_word(cells[place]) if place < len(cells) else ""
        rank = ranks.get(word.casefold())
        if rank is not None and (best is None or rank < best):
            best = rank
        if best == 0:
            break
        has_trades = has_trades or word.casefold() in trades
        repeated = repeated or (word if word.casefold() in repetitions else "")
    return best, "" if has_trades else repeated


def _is_trade(classifier: RowClassifier, cells: Sequence[str]) -> bool:
    try:
        return classifier.classify(cells) is None
    except (RowError, IndexError):  # a row may be shorter than its header
        return False


def is_total(cells: Sequence[str], time: int) -> bool:
    """Return whether a row is one of sums: it begins with a word for them, and its cell at `time` has no digit."""
    first = next((text for cell in cells if (text := cell.strip())), "")
    is_named = first.rstrip(" :").casefold() in _TOTALS
    return is_named and not any(map(str.isdigit, cells[time] if time < len(cells) else ""))


def normalize_word(cell: str) -> str:
    """Return a cell without surrounding spaces and without the formula ="…" that protects it in Excel."""
    text = cell.strip()
    if text.startswith('="') and text.endswith('"') and len(text) > 2:
        return text[2:-1].strip()
    return text


def _build_table(rule: RowRule) -> dict[str, _Classification]:
    """Return the class of each word of the column, in lower case; a `*` within a word matches any text."""
    verdicts: dict[str, _Classification] = dict.fromkeys(map(str.casefold, rule.trades))
    verdicts |= dict.fromkeys(map(str.casefold, rule.unfilled), UnfilledRow())
    verdicts |= dict.fromkeys(map(str.casefold, rule.certain), CertainTrade())
    for name, words in rule.skipped.items():
        verdicts |= dict.fromkeys(map(str.casefold, words), SkippedRow(name))
    for event_kind, words in rule.events.items():
        verdicts |= dict.fromkeys(map(str.casefold, words), EventRow(event_kind))
    for event, words in rule.ends.items():
        verdicts |= dict.fromkeys(map(str.casefold, words), ExpirationRow(event))
    for action, words in rule.actions.items():
        verdicts |= dict.fromkeys(map(str.casefold, words), ActionRow(action))
    for word, reason in rule.refused.items():
        verdicts[word.casefold()] = _RefusedRow(reason, _FILLS_HINT)
    return verdicts | dict.fromkeys(map(str.casefold, rule.splits), _RefusedRow(_SPLIT, _SPLIT_HINT))
