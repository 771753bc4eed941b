"""Columns of a header by name, for a layout's names may leave a part open.

In a name of a layout, `Price #2` is the second of two columns with one name, `Price +1` the column to the
right of another, `*` any text, `{currency}` a code or sign of money and `{zone}` an offset such as +08:00.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

_SIGNS = {"€": "EUR", "$": "USD", "us$": "USD", "£": "GBP", "₹": "INR", "¥": "JPY", "zł": "PLN"}
_OPEN_PARTS = {
    "*": ".*",
    "{currency}": rf"(?P<currency>[a-z]{{3}}|usd[tc]|{'|'.join(map(re.escape, _SIGNS))})",
    "{zone}": r"(?:utc|gmt)? ?(?P<zone>(?:[+-]?\d{1,2}(?::?\d\d)?)?)",
}
_SPLIT = re.compile(r"(\*|\{currency\}|\{zone\})")
_GROUP = re.compile(r"\(\?P<\w+>")
_BESIDE = re.compile(r"^(?P<name>.+) \+(?P<steps>\d+)$")
#: Zones of a fixed offset that is no whole hour.
_BROKEN_HOURS = {
    (3, 30): "Asia/Tehran",
    (4, 30): "Asia/Kabul",
    (5, 30): "Asia/Kolkata",
    (5, 45): "Asia/Kathmandu",
    (6, 30): "Asia/Yangon",
    (9, 30): "Australia/Darwin",
}


class HeaderPlaces(dict[str, int]):
    """Index of each normalized column name; `width` is the number of columns."""

    def __init__(self, places: Mapping[str, int], width: int) -> None:
        super().__init__(places)
        self._width = width

    def place(self, name: str) -> int | None:
        """Return the index of a column by its name in a layout, or None."""
        normal, beside, pattern = _parsed(name)
        known = self.get(normal)
        if known is not None:
            return known
        if beside is not None:
            base = self.place(beside[0])
            place = None if base is None else base + beside[1]
            return place if place is not None and place < self._width else None
        if pattern is None:
            return None
        return next((place for cell, place in self.items() if pattern.fullmatch(cell)), None)

    def only(self, is_meant: Callable[[str], object]) -> "HeaderPlaces":
        """Return the columns whose names are meant, at their places."""
        return HeaderPlaces({name: self[name] for name in filter(is_meant, self)}, self._width)

    def first(self, names: Iterable[str]) -> int | None:
        """Return the index of the first of these columns that the header has, or None."""
        return next((place for name in names if (place := self.place(name)) is not None), None)

    def open_parts(self, name: str) -> dict[str, str]:
        """Return the texts that stand for the open parts of a name: a currency, the name of a zone."""
        pattern = _pattern(normalize_name(name))
        match = next((m for cell in self if (m := pattern.fullmatch(cell))), None) if pattern else None
        parts = {part: text for part, text in match.groupdict().items() if text is not None} if match else {}
        if "currency" in parts:
            parts["currency"] = _SIGNS.get(parts["currency"], parts["currency"].upper())
        if "zone" in parts:
            parts["zone"] = _zone_name(parts["zone"])
        return parts


def normalize_name(cell: str) -> str:
    """Return a column name for comparison: lower case, without surplus spaces."""
    return " ".join(cell.split()).casefold()


def header_places(header: Sequence[str]) -> HeaderPlaces:
    """Return the index of each normalized column name, the first one for a duplicate.

    A duplicate also has a numbered name: the second Price is `price #2`.
    """
    places: dict[str, int] = {}
    seen: dict[str, int] = {}
    for place, cell in enumerate(header):
        name = normalize_name(cell)
        seen[name] = seen.get(name, 0) + 1
        places.setdefault(name if seen[name] == 1 else f"{name} #{seen[name]}", place)
    return HeaderPlaces(places, len(header))


def is_exact(name: str) -> bool:
    """Return whether a name of a layout stands for cells that are equal to it, and for no others."""
    _, beside, pattern = _parsed(name)
    return beside is None and pattern is None


def possible_cells(name: str) -> str:
    """Return a pattern of the cells by which a header may have a column of this name: its own, or the one beside it."""
    _, beside, pattern = _parsed(name)
    if beside is not None:
        return possible_cells(beside[0])
    return re.escape(normalize_name(name)) if pattern is None else _GROUP.sub("(?:", pattern.pattern)


@cache
def _parsed(name: str) -> tuple[str, tuple[str, int] | None, re.Pattern[str] | None]:
    """Return a name in lower case, the column that it is beside with the steps, and its pattern."""
    normal = normalize_name(name)
    beside = _BESIDE.match(normal)
    return normal, (beside["name"], int(beside["steps"])) if beside else None, _pattern(normal)


@cache
def _pattern(name: str) -> re.Pattern[str] | None:
    """Return the pattern of a name with open parts, else None."""
    parts = _SPLIT.split(name)
    if len(parts) == 1:
        return None
    return re.compile("".join(_OPEN_PARTS.get(part) or re.escape(part) for part in parts))


def _zone_name(offset: str) -> str:
    """Return the IANA name of a fixed offset; "" for one that has none."""
    sign = -1 if offset.startswith("-") else 1
    digits = offset.lstrip("+-")
    hours, _, minutes = digits.partition(":") if ":" in digits else (digits[:2], "", digits[2:])
    hour, minute = int(hours or 0), int(minutes or 0)
    if minute:
        return _BROKEN_HOURS.get((hour, minute), "") if sign > 0 else ""
    if not hour:
        return "UTC"
    return f"Etc/GMT{'-' if sign > 0 else '+'}{hour}" if hour <= 12 + 2 * (sign > 0) else ""
