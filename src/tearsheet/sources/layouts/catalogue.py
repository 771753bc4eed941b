"""Catalog of the packaged layouts and the user's own, and detection of a layout by its header."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct

from tearsheet.errors import FormatError, InputError
from tearsheet.sources.layouts.header import header_places, normalize_name
from tearsheet.sources.layouts.layout import JSON_LINES, Kind, Layout, parse_layout
from tearsheet.sources.layouts.layout_index import LayoutIndex
from tearsheet.sources.text.lines import truncate

_SHOWN = 500
#: So many cells of a file are looked at; a header is the first row of its table.
_CELLS_WITHIN = 200_000
_CLOSEST = 3
_CLOSE = 0.4


class LayoutMatch(Struct, frozen=True):
    """Comparison of a layout with a header; `missing` are the required columns that the header lacks."""

    layout: Layout
    missing: list[str]

    @property
    def overlap(self) -> float:
        """Return the share of the required columns that the header has, from 0 to 1."""
        needed = len(self.layout.needed) or 1
        return 1 - len(self.missing) / needed


@cache
def layouts() -> dict[str, Layout]:
    """Return the packaged layouts by name."""
    # importlib.resources would take 20 ms to import; a wheel is always unpacked.
    return _load_folder(Path(__file__).parent)


def all_layouts(folder: Path | None) -> dict[str, Layout]:
    """Return the packaged layouts and those of the user's folder, by name.

    A user's layout overrides a packaged one of the same name. Raises InputError if the folder cannot be read.
    """
    if folder is None or not folder.exists():
        return layouts()
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "name the folder of your layouts (*.toml)")
    return {**layouts(), **_load_folder(folder)}


def known_layouts(folder: Path | None = None) -> dict[str, tuple[str, list[str]]]:
    """Return the title and the required columns of every format, by name."""
    known = all_layouts(folder)
    rows = {name: (layout.title, layout.needed) for name, layout in known.items()}
    rows[JSON_LINES] = ("Generic fills (JSON Lines)", known["generic_fills"].needed)
    return rows


class FormatInfo(Struct, frozen=True):
    """Format as listed. A `refused` one is recognized only to recommend another export."""

    name: str
    title: str
    columns: list[str]
    kinds: tuple[Kind, ...] = ("json",)
    refused: str = ""
    notes: str = ""


def list_formats(folder: Path | None = None) -> list[FormatInfo]:
    """Return all fill formats."""
    known = all_layouts(folder)
    lines = [
        FormatInfo(name, one.title, one.needed, one.kinds, one.refused, one.notes)
        for name, one in known.items()
    ]
    generic = known["generic_fills"]
    return [*lines, FormatInfo(JSON_LINES, "Generic fills (JSON Lines)", generic.needed)]


def rank_layouts(header: Sequence[str], known: Iterable[Layout]) -> list[LayoutMatch]:
    """Return all layouts compared with a header: complete ones first, then the most specific."""
    names = header_places(header)
    matches = [LayoutMatch(layout, layout.missing(names)) for layout in known]
    return sorted(matches, key=lambda c: (bool(c.missing), -c.overlap, -len(c.layout.needed), c.layout.name))


class LayoutSelector:
    """Selector of the layout that matches a header, optionally limited to one layout.

    It stores the header with the largest overlap for the error message if no layout matches.
    """

    def __init__(
        self, file: str, known: Mapping[str, Layout], requested: str | None, kind: Kind = "csv"
    ) -> None:
        """Raise FormatError if the requested layout is unknown."""
        if requested is not None and requested not in known and requested != JSON_LINES:
            raise FormatError(
                f"{file}: no layout {requested!r}", f"known are {', '.join((*known, JSON_LINES))}"
            )
        self._file = file
        self._requested = requested
        self._kind = kind
        self._generic = known.get("generic_fills")
        self._known = [
            layout
            for name, layout in known.items()
            if (kind in layout.kinds if requested is None else name == requested)
        ]
        self._index = LayoutIndex(self._known)
        self._cells = 0
        self._closest: tuple[tuple[float, int], Sequence[str]] | None = None

    @property
    def has_seen_enough(self) -> bool:
        """Return whether so many cells were none of a header that no more rows are worth a look."""
        return self._cells > _CELLS_WITHIN

    def select(self, header: Sequence[str]) -> Layout | None:
        """Return the layout of a header, or None.

        Raises FormatError if a column that is read occurs twice.
        """
        self._cells += len(header)
        names = header_places(header)
        fitting, overlap = self._index.match(names)
        if fitting:
            layout = max(fitting, key=_priority)
            _reject_duplicate_columns(layout, header, self._file)
            return layout
        if len(names) > 1 or self._closest is None:
            rank = (overlap, len(names))
            if self._closest is None or rank > self._closest[0]:
                self._closest = (rank, header)
        return None

    def no_match_error(self) -> FormatError | None:
        """Return the error that lists the columns found and the closest layouts."""
        if self._closest is None:
            return None
        header = self._closest[1]
        columns = ", ".join(cell.strip() for cell in header if cell.strip()) or "nothing"
        close = [c for c in rank_layouts(header, self._known) if c.overlap >= _CLOSE or self._requested][
            :_CLOSEST
        ]
        lines = [f"  {c.layout.name}: lacking are {', '.join(c.missing)}" for c in close]
        if self._generic is not None and all(c.layout is not self._generic for c in close):
            lines.append(f"  generic_fills: {', '.join(self._generic.needed)}")
        what = "no layout fits" if self._requested is None else f"layout {self._requested} does not fit"
        where = "keys" if self._kind == "json" else "header"
        return FormatError(
            f"{self._file}: {what} its {where}: {truncate(columns, _SHOWN)}",
            "say what its columns are with --map COLUMN=FIELD; `tearsheet formats` lists what is "
            "known. What comes closest, or could be written instead:\n" + "\n".join(lines),
            "mapping" if self._requested is None else "",
        )


def _priority(layout: Layout) -> tuple[bool, int]:
    """Return the sort key of a matching layout: the user's own first, then the most required columns."""
    return layouts().get(layout.name) is not layout, len(layout.needed)


def _load_folder(folder: Path) -> dict[str, Layout]:
    try:
        files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=str)
        texts = [(file.name.removesuffix(".toml"), file.read_text("utf-8")) for file in files]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{folder} cannot be read: {reason}", "layouts are TOML files") from None
    return {name: parse_layout(name, text) for name, text in texts}


def _reject_duplicate_columns(layout: Layout, header: Sequence[str], file: str) -> None:
    """Raise FormatError if a column occurs twice and the layout does not number it (`price #2`)."""
    names, places = [normalize_name(cell) for cell in header], header_places(header)
    numbered = {
        normalize_name(name).partition(" #")[0]
        for options in (*layout.columns.values(), *layout.optional.values())
        for name in options
        if " #" in name
    }
    beside = {
        place
        for options in (*layout.columns.values(), *layout.optional.values())
        for name in options
        if " +" in name and (place := places.place(name)) is not None
    }
    for place in (layout.match_header(header) or {}).values():
        if names.count(names[place]) > 1 and names[place] not in numbered and place not in beside:
            raise FormatError(
                f"{file}: the column {truncate(header[place].strip(), _SHOWN)} stands twice in its header",
                "rename the one that is not meant",
            )
