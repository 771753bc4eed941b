"""Reads the guides: which file to take from a broker, where to click for it, and what it has."""

import tomllib
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

_FOLDER = Path(__file__).parent
#: Guides that are listed first: the most used; the others follow by name.
_FIRST = (
    *(
        "interactive-brokers",
        "ninjatrader",
        "tradovate",
        "topstepx",
        "rithmic",
        "metatrader",
        "tradingview",
        "schwab",
    ),
    *(
        "fidelity",
        "etrade",
        "robinhood",
        "webull",
        "tastytrade",
        "tradestation",
        "binance",
        "bybit",
        "kraken",
    ),
    "coinbase",
)


class Guide(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to get fills out of a broker.

    `formats` are the beginnings of the names of its formats. `unconfirmed` names the fields that were read in other
    people's texts only. A field that is empty says nothing.
    """

    slug: str = ""
    name: str
    formats: tuple[str, ...]
    take: str
    path: str
    avoid: str = ""
    settings: str = ""
    file: str = ""
    times: str = ""
    fees: str = ""
    history: str = ""
    command: str = ""
    mistakes: str = ""
    unconfirmed: tuple[str, ...] = ()

    def has(self, format_name: str) -> bool:
        """Return whether a format is one of the broker's."""
        return format_name.startswith(self.formats)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Return the titles and texts of what the guide says; what is not confirmed says so."""
        shown = ((title, getattr(self, field), field in self.unconfirmed) for field, title in _TITLES.items())
        return [
            (title, f"{text} (not confirmed)" if is_open else text) for title, text, is_open in shown if text
        ]


_TITLES = {
    "take": "Take",
    "path": "Where",
    "avoid": "Not",
    "settings": "Settings",
    "file": "The file",
    "times": "Times",
    "fees": "Fees",
    "history": "How far back",
    "command": "Import with",
    "mistakes": "Mistakes",
}


@cache
def all_guides() -> dict[str, Guide]:
    """Return the guides by their address, the most used first."""
    guides = {}
    for path in sorted(_FOLDER.glob("*.toml")):
        fields = tomllib.loads(path.read_text("utf-8"))
        guides[path.stem] = msgspec.convert({**fields, "slug": path.stem}, Guide)
    rest = sorted(guides.keys() - set(_FIRST), key=lambda slug: guides[slug].name.casefold())
    return {slug: guides[slug] for slug in (*_FIRST, *rest)}


def guide_of(format_name: str) -> Guide | None:
    """Return the guide of a format."""
    return next((guide for guide in all_guides().values() if guide.has(format_name)), None)
