"""Layouts: how the columns of a broker's file are named and what its sides are called. They are data."""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from tearsheet.errors import FormatError
from tearsheet.sources.lines import shown

#: Every column that a layout may name; rows are handed on as texts in this order.
FIELDS = (
    "account", "symbol", "time", "side", "quantity", "price", "commission", "fill_id", "order_id",
    "strategy", "stop_loss", "target", "currency", "asset_class",
)  # fmt: skip
_EVERY_FILL_HAS = ("symbol", "time", "side", "quantity", "price")
#: The one format that is no CSV; it bears the fields of `generic_fills` as keys.
JSON_LINES = "generic_fills_jsonl"
_SHOWN = 500
_Word = TypeVar("_Word")


class RecognisedBy(Struct, frozen=True, forbid_unknown_fields=True):
    """Columns that are not read but tell the format from others."""

    columns: list[str] = []


class Sides(Struct, frozen=True, forbid_unknown_fields=True):
    """What the format calls a buy and a sell; case does not matter."""

    buy: list[str]
    sell: list[str]


class Layout(Struct, frozen=True, forbid_unknown_fields=True):
    """A broker's file: for each field the names its column may have."""

    title: str
    names_zone: bool
    columns: dict[str, list[str]]
    sides: Sides
    recognised_by: RecognisedBy = RecognisedBy()
    optional: dict[str, list[str]] = {}
    name: str = ""

    @property
    def needed(self) -> list[str]:
        """The columns a file must have, each by its first name."""
        return [*(names[0] for names in self.columns.values()), *self.recognised_by.columns]

    def side_words(self, buy: _Word, sell: _Word) -> dict[str, _Word]:
        """What each word for a side, in small letters, stands for."""
        words = {word.casefold(): buy for word in self.sides.buy}
        return words | {word.casefold(): sell for word in self.sides.sell}

    def find(self, header: Sequence[str]) -> dict[str, int] | None:
        """Where each field stands in a header, None if the header is not of this layout."""
        places = {_folded(cell): n for n, cell in reversed(list(enumerate(header)))}
        if any(_folded(column) not in places for column in self.recognised_by.columns):
            return None
        found = {}
        for field, names in (*self.columns.items(), *self.optional.items()):
            place = next((places[_folded(n)] for n in names if _folded(n) in places), None)
            if place is not None:
                found[field] = place
        return found if found.keys() >= self.columns.keys() else None


@cache
def layouts() -> dict[str, Layout]:
    """Every layout of a CSV file by its name."""
    # importlib.resources would take 20 ms to import; a wheel is always unpacked.
    folder = Path(__file__).parent / "layouts"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=str)
    named = ((file.name.removesuffix(".toml"), file.read_text("utf-8")) for file in files)
    return {name: read_layout(name, text) for name, text in named}


def known_layouts() -> dict[str, tuple[str, list[str]]]:
    """Every format by name: its title, and the columns it needs."""
    known = {name: (layout.title, layout.needed) for name, layout in layouts().items()}
    known[JSON_LINES] = ("Generic fills (JSON Lines)", layouts()["generic_fills"].needed)
    return known


def choose(header: Sequence[str], wanted: str | None, file: str) -> tuple[Layout, dict[str, int]]:
    """The layout of a header, and where its fields stand.

    Raises FormatError that lists what was seen and what is known.
    """
    known = known_layouts()
    if wanted is not None and wanted not in known:
        raise FormatError(f"{file}: no layout {wanted!r}", f"known are {', '.join(known)}")
    for name, layout in layouts().items():
        if wanted in (None, name):
            places = layout.find(header)
            if places is not None:
                _refuse_doubles(header, places, file)
                return layout, places
    seen = ", ".join(cell.strip() for cell in header if cell.strip()) or "nothing"
    needs = "\n".join(
        f"  {name}: {', '.join(needed)}"
        for name, (_, needed) in known.items()
        if wanted in (None, name)
    )
    what = "no layout fits" if wanted is None else f"layout {wanted} does not fit"
    raise FormatError(
        f"{file}: {what} its header: {shown(seen, _SHOWN)}",
        f"a file needs the columns of a layout:\n{needs}",
    )


def read_layout(name: str, text: str) -> Layout:
    """A layout from its TOML text. Raises FormatError naming the layout and what is wrong."""
    where = f"layout {name}.toml"
    try:
        layout = msgspec.convert({**tomllib.loads(text), "name": name}, Layout)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise FormatError(f"{where}: {error}", "see the layouts beside it") from None
    for field in (*layout.columns, *layout.optional):
        if field not in FIELDS:
            raise FormatError(
                f"{where}: field {field!r} is unknown", f"known are {', '.join(FIELDS)}"
            )
    for field in _EVERY_FILL_HAS:
        if not layout.columns.get(field):
            raise FormatError(f"{where}: no column is named for {field}", "every fill has one")
    words = layout.side_words("buy", "sell")
    if len(words) < len({*layout.sides.buy}) + len({*layout.sides.sell}) or not words:
        raise FormatError(f"{where}: a word stands for buy and for sell", "each means one side")
    return layout


def _refuse_doubles(header: Sequence[str], places: dict[str, int], file: str) -> None:
    """Of two columns with one name, nobody can say which is meant."""
    names = [_folded(cell) for cell in header]
    for place in places.values():
        if names.count(names[place]) > 1:
            raise FormatError(
                f"{file}: the column {shown(header[place].strip(), _SHOWN)} stands twice in its header",
                "rename the one that is not meant",
            )


def _folded(cell: str) -> str:
    return " ".join(cell.split()).casefold()
