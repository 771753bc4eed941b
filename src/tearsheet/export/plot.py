"""Parts of all charts: a frame with its words, grids, labels, and the points that a pointer finds.

Pictures have classes and no styles of their own; `chart.css` is the style of the page, the tear sheet and of a picture
that is a file.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.export.axes import AmountAxis, Tick
from tearsheet.export.scale import EXACT
from tearsheet.words import format_money

_CENT = Decimal("0.01")
_MINUS = "\u2212"
#: Width of a digit of the axes' text, and its height, in tenths of a pixel.
_DIGIT, _TEXT_RISE = 68, 38
_UNITS = ((Decimal(10**12), "T"), (Decimal(10**9), "B"), (Decimal(10**6), "M"), (Decimal(1000), "K"))


class ChartWords(Struct, frozen=True):
    """Formats of a chart's words: results with their sign, money without, and a number on an axis."""

    result: Callable[[Decimal], str]
    money: Callable[[Decimal], str]
    mark: Callable[[str], str]
    zone: ZoneInfo

    def short(self, amount: Decimal, step: Decimal) -> str:
        """Return an amount on an axis whose lines are this step apart: `$42K`, `−$1.5K`, `$42,771`."""
        sign = _MINUS if amount < 0 else ""
        size = abs(amount)
        for unit, name in _UNITS:
            if size >= unit and step * 100 >= unit:
                return sign + self.mark(_plain(EXACT.divide(size, unit), 2) + name)
        return sign + self.mark(f"{EXACT.quantize(size, _CENT):,f}" if size and step < 1 else _plain(size, 0))


def plain_words(zone: ZoneInfo) -> ChartWords:
    """Return words without a currency, for pictures in files."""

    def signed(amount: Decimal) -> str:
        text = format_money(amount)
        return _MINUS + text[1:] if text.startswith("-") else f"+{text}" if amount else text

    return ChartWords(signed, lambda amount: format_money(amount).replace("-", _MINUS), str, zone)


class PointStop(Struct, frozen=True):
    """Place that a pointer finds: x, the heights of its dots, a title, values, and what it selects (first, last)."""

    x: int
    heights: tuple[int, ...]
    title: str
    values: tuple[str, ...]
    first: str
    last: str


class Picture(Struct, frozen=True):
    """SVG of a chart with its words as text, and what a pointer finds on it."""

    svg: str
    description: str
    stops: tuple[PointStop, ...] = ()
    names: tuple[str, ...] = ()
    #: Left, top, right and bottom of the part that can be pointed at.
    area: tuple[int, int, int, int] = (0, 0, 0, 0)
    strip: dict[str, Any] | None = None
    #: The part that is shown, in words.
    shown: str = ""


def svg(width: int, height: int, parts: Iterable[str], description: str, extra: str = "") -> str:
    """Return a picture of a size in pixels."""
    words = escape(description, {'"': "&quot;"})
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {width} {height}" width="{width}"'
            f' height="{height}" role="img" aria-label="{words}">{extra}',
            *parts,
            "</svg>",
        ]
    )


@cache
def chart_style() -> str:
    """Return the style of charts, with colors as variables."""
    return Path(__file__).with_name("chart.css").read_text("utf-8")


def date_words(day: date) -> str:
    """Return a date as text."""
    return f"{day:%a} {day.day} {day:%b %Y}"


def pixels(tenths: int) -> str:
    """Return a length in pixels."""
    whole, part = divmod(tenths, 10)
    return f"{whole}.{part}" if part else str(whole)


def points(places: Iterable[tuple[int, int]]) -> str:
    """Return places as the points of a line."""
    return " ".join(f"{pixels(x)},{pixels(y)}" for x, y in places)


def line(kind: str, x1: int, y1: int, x2: int, y2: int) -> str:
    """Return a straight line of a class."""
    return f'<path class="{kind}" d="M{pixels(x1)} {pixels(y1)}L{pixels(x2)} {pixels(y2)}"/>'


def dot(kind: str, x: int, y: int, radius: str = "3.5") -> str:
    """Return a dot of a class."""
    return f'<circle class="{kind}" cx="{pixels(x)}" cy="{pixels(y)}" r="{radius}"/>'


def rect(kind: str, x: int, y: int, width: int, height: int, title: str = "") -> str:
    """Return a rectangle of a class, with its words."""
    words = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<rect class="{kind}" x="{pixels(x)}" y="{pixels(y)}" width="{pixels(width)}" height="{pixels(height)}">'
        f"{words}</rect>"
    )


def text(kind: str, x: int, y: int, words: str, anchor: str = "start") -> str:
    """Return words at a place, whose height is that of the text's middle."""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{kind}" x="{pixels(x)}" y="{pixels(y + _TEXT_RISE)}"{place}>{escape(words)}</text>'


def text_width(words: str) -> int:
    """Return about how wide words are."""
    return _DIGIT * len(words)


def amount_labels(axis: AmountAxis, words: ChartWords, steps: int) -> list[tuple[Decimal, str]]:
    """Return the round amounts of an axis with their labels."""
    amounts, step = axis.round_amounts(steps)
    return [(amount, words.short(amount, step)) for amount in amounts]


def amount_grid(
    axis: AmountAxis, labels: Sequence[tuple[Decimal, str]], left: int, right: int
) -> Iterator[str]:
    """Return the labelled lines of an axis; that of 0 is darker."""
    for amount, label in labels:
        y = axis.place(amount)
        yield line("grid" if amount else "zero", left, y, right, y)
        yield text("tick", left - 80, y, label, "end")


def time_labels(ticks: Iterable[Tick], y: int, left: int, right: int) -> Iterator[str]:
    """Return the labels of a time axis that do not overlap, each below its place."""
    taken = 0
    for tick in ticks:
        half = text_width(tick.label) // 2
        middle = min(max(tick.at, left + half - 60), right - half + 200)
        if middle - half < taken:
            continue
        taken = middle + half + 60
        yield text("tick", middle, y, tick.label, "middle")


def _plain(amount: Decimal, places: int) -> str:
    """Return a number with at most these decimals and without zeros at its end."""
    rounded = EXACT.quantize(amount, Decimal(1).scaleb(-places))
    return f"{EXACT.normalize(rounded):,f}" if rounded else "0"
