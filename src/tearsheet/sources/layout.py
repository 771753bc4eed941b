"""Layouts: how the columns of a broker's file are named and what its sides are called. They are data."""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from tearsheet.errors import FormatError

#: Every column that a layout may name.
FIELDS = (
    "account", "symbol", "time", "side", "quantity", "price", "commission", "fill_id", "order_id",
    "strategy", "stop_loss", "target", "currency", "asset_class",
)  # fmt: skip


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
    """Every layout by its name."""
    folder = Path(__file__).parent / "layouts"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=str)
    named = ((file.name.removesuffix(".toml"), file.read_text("utf-8")) for file in files)
    return {name: _layout(name, tomllib.loads(text)) for name, text in named}


def choose(header: Sequence[str], wanted: str | None, file: str) -> tuple[Layout, dict[str, int]]:
    """The layout of a header, and where its fields stand.

    Raises FormatError that lists what was seen and what is known.
    """
    known = layouts()
    if wanted is not None and wanted not in known:
        raise FormatError(f"no layout {wanted!r}", f"known are {', '.join(known)}")
    tried = known if wanted is None else {wanted: known[wanted]}
    for layout in tried.values():
        places = layout.find(header)
        if places is not None:
            return layout, places
    seen = ", ".join(cell for cell in header if cell) or "nothing"
    needs = "\n".join(f"  {name}: {', '.join(known[name].needed)}" for name in tried)
    what = "no layout fits" if wanted is None else f"layout {wanted} does not fit"
    raise FormatError(
        f"{file}: {what} its header: {seen}", f"a file needs the columns of a layout:\n{needs}"
    )


def _layout(name: str, content: dict[str, object]) -> Layout:
    layout = msgspec.convert({**content, "name": name}, Layout)
    for field in (*layout.columns, *layout.optional):
        if field not in FIELDS:
            raise FormatError(f"layout {name} names the field {field}", f"known: {FIELDS}")
    return layout


def _folded(cell: str) -> str:
    return " ".join(cell.split()).casefold()
