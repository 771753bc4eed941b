"""What people say of a position: a text and tags, and what either may be."""

import unicodedata
from collections.abc import Iterable

from msgspec import Struct

from tearsheet.errors import UsageError
from tearsheet.trade.fill import digest

MAX_TEXT_LENGTH = 4000
MAX_TAG_LENGTH = 40
MAX_TAGS = 20
#: Of a bot's logged order taken as a fill, the fill's key is the order's after this.
_RECORD_PREFIX = "r:"


class NoteText(Struct, frozen=True):
    """A text and tags, both as they are kept; with neither, a note is taken back."""

    text: str = ""
    tags: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text or self.tags)


def validate_note(text: str, tags: Iterable[str]) -> NoteText:
    """What somebody says, checked. Raises UsageError."""
    return NoteText(_normalize_text(text), _normalize_tags(tags))


def opening_fill_key(fill_key: str) -> str:
    """By what a note knows the fill or logged result that opened its position.

    It is the same whether a bot's orders are read as results or as fills.
    """
    return fill_key.removeprefix(_RECORD_PREFIX)


def fill_keys(opening: str) -> tuple[str, str]:
    """The keys that the fill of an opening key may have."""
    return opening, f"{_RECORD_PREFIX}{opening}"


def note_id(account: str, opening: str) -> str:
    """The id of the note of a position that a fill of an account opened."""
    return digest(f"note\0{account}\0{opening}")


def normalize_tag(text: str) -> str:
    """A tag as it is kept: in small letters, one space between words. Raises UsageError."""
    tag = unicodedata.normalize("NFC", " ".join(text.strip().lstrip("#").split())).lower()
    if not tag:
        raise UsageError("a tag is empty", "write a word or a few, such as breakout")
    if len(tag) > MAX_TAG_LENGTH:
        raise UsageError(
            f"the tag {tag[:MAX_TAG_LENGTH]!r}… has {len(tag)} characters",
            f"at most {MAX_TAG_LENGTH} are allowed; longer words belong into the note",
        )
    for sign in tag:
        if sign == "," or unicodedata.category(sign)[0] == "C":
            raise UsageError(
                f"the tag {tag!r} contains {_character_name(sign)}",
                "allowed are letters, digits, signs and spaces; a comma stands between two tags",
            )
    return tag


def _normalize_tags(tags: Iterable[str]) -> tuple[str, ...]:
    kept = tuple(sorted({normalize_tag(tag) for tag in tags}))
    if len(kept) > MAX_TAGS:
        raise UsageError(f"a note has {len(kept)} tags", f"at most {MAX_TAGS} are allowed; take some out")
    return kept


def _normalize_text(text: str) -> str:
    kept = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(kept) > MAX_TEXT_LENGTH:
        raise UsageError(f"the note has {len(kept):,} characters", f"at most {MAX_TEXT_LENGTH:,} are allowed")
    for sign in kept:
        if sign not in "\n\t" and unicodedata.category(sign) in ("Cc", "Cs"):
            raise UsageError(
                f"the note contains {_character_name(sign)}",
                "of the control characters only the line break and the tab are allowed",
            )
    return kept


def _character_name(sign: str) -> str:
    return "a comma" if sign == "," else f"the character U+{ord(sign):04X}"
