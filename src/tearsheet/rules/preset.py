"""Presets: the rules of a firm's plan as somebody read them, with source and date."""

from datetime import date
from typing import Literal

from msgspec import Struct

#: Whether the firm's own page was read, or a copy or another's account of it.
Confidence = Literal["firm", "secondary"]
#: After so many days a preset says its age: firms change their rules without notice.
OLD_AFTER_DAYS = 90


class PresetCalendar(Struct, frozen=True):
    """When the firm's day begins."""

    timezone: str
    day_starts_at: str


class PresetUse(Struct, frozen=True, kw_only=True):
    """A preset that fills in the rules of an account: name, version, and what it rests on."""

    name: str
    version: str
    confidence: Confidence
    source: tuple[str, ...]
    read_on: date | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    sizes: tuple[int, ...] = ()
    note: str = ""
    calendar: PresetCalendar | None = None

    @property
    def label(self) -> str:
        """Return name and version, as the limits file writes them."""
        return f"{self.name}@{self.version}"

    def age_days(self, today: date) -> int | None:
        """Return the days since it was read; None where that is not known."""
        return None if self.read_on is None else max(0, (today - self.read_on).days)

    def cautions(self, today: date) -> tuple[str, ...]:
        """Return what is to be known before anybody relies on it."""
        age, found = self.age_days(today), []
        if age is None:
            found.append("nobody knows when it was read")
        elif age > OLD_AFTER_DAYS:
            found.append(f"it was read {age} days ago: compare it with the firm's page")
        if self.confidence == "secondary":
            found.append("it was not read on the firm's live page")
        if self.valid_to is not None and today > self.valid_to:
            found.append(f"it was valid until {self.valid_to.isoformat()}")
        return tuple(found)
