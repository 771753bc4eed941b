"""Notes on positions: validation of text and tags, and keys of notes."""

import unicodedata
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from tearsheet.errors import UsageError
from tearsheet.trade.fill import digest

MAX_TEXT_LENGTH = 4000
MAX_TAG_LENGTH = 40
MAX_TAGS = 20
#: Prefix of a fill's key if the fill was made from a logged order with that key.
_RECORD_PREFIX = "r:"


class NoteText(Struct, frozen=True):
    """Normalized text and tags; an empty one deletes the note."""

    text: str = ""
    tags: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text or self.tags)


class NoteVersion(Struct, frozen=True):
    """A saved version of a note."""

    version: int
    text: str
    tags: tuple[str, ...]
    by: str
    at: datetime


def validate_note(text: str, tags: Iterable[str]) -> NoteText:
    """Normalize and validate a note. Raises UsageError."""
    return NoteText(_normalize_text(text), _normalize_tags(tags))


def opening_fill_key(fill_key: str) -> str:
    """Return the key under which a note refers to the fill or logged trade that opened its position.

    It is the same whether a bot's orders are read as results or as fills.
    """
    return fill_key.removeprefix(_RECORD_PREFIX)


def fill_keys(opening: str) -> tuple[str, str]:
    """Return the possible fill keys of an opening key."""
    return opening, f"{_RECORD_PREFIX}{opening}"


def note_id(account: str, opening: str) -> str:
    """Return the id of a position's note from its account and opening key."""
    return digest(f"note\0{account}\0{opening}")


def normalize_tag(text: str) -> str:
    """Normalize a tag: lower case, single spaces, no leading `#`. Raises UsageError."""
    tag = unicodedata.normalize("NFC", " ".join(text.strip().lstrip("#").split())).lower()
    if not tag:
        raise UsageError("empty tag", "use one or more words, for example breakout")
    if len(tag) > MAX_TAG_LENGTH:
        raise UsageError(
            f"the tag {tag[:MAX_TAG_LENGTH]!r}… has {len(tag)} characters",
            f"at most {MAX_TAG_LENGTH} are allowed; longer words belong into the note",
        )
    for character in tag:
        if character == "," or unicodedata.category(character)[0] == "C":
            raise UsageError(
                f"the tag {tag!r} contains {_character_name(character)}",
                "use letters, digits, punctuation and spaces; commas separate tags",
            )
    return tag


def _normalize_tags(tags: Iterable[str]) -> tuple[str, ...]:
    normalized = tuple(sorted({normalize_tag(tag) for tag in tags}))
    if len(normalized) > MAX_TAGS:
        raise UsageError(f"a note has {len(normalized)} tags", f"use at most {MAX_TAGS}")
    return normalized


def _normalize_text(text: str) -> str:
    normalized = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(normalized) > MAX_TEXT_LENGTH:
        raise UsageError(
            f"the note has {len(normalized):,} characters", f"at most {MAX_TEXT_LENGTH:,} are allowed"
        )
    for character in normalized:
        if character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cs"):
            raise UsageError(
                f"the note contains {_character_name(character)}",
                "remove control characters other than line breaks and tabs",
            )
    return normalized


def _character_name(character: str) -> str:
    return "a comma" if character == "," else f"the character U+{ord(character):04X}"
