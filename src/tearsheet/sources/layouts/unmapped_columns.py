"""Columns that a user's mapping leaves out, and that would make its fills wrong in silence."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tearsheet.errors import FormatError
from tearsheet.sources.layouts.header import header_places, normalize_name
from tearsheet.sources.layouts.layout import Layout
from tearsheet.sources.layouts.mapping import IGNORED
from tearsheet.sources.text.lines import truncate

_SAMPLE_ROWS = 1000
_SHOWN = 60
_MONEY = re.compile(
    "USD|EUR|GBP|GBX|GBp|JPY|CHF|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|TRY|ILS|HKD|SGD|TWD|THB|INR|ZAR|ZAc|MXN"
    "|BRL|KRW|CNY|CNH|RUB|AED|SAR|IDR|MYR|PHP|USDT|USDC|BUSD|FDUSD|DAI"
)
#: Names of columns of fees; a rate, a currency or a sum with the fee in it has more words.
_FEE = re.compile(
    r"(?:[a-z/&.]+ ){0,3}(?:fees?|tax|taxes|commissions?|levy|levies|brokerage|stamp duty|vat|gst|stt)"
    r"(?: ?\(?(?:usd|eur|gbp|inr|\$|€|£|₹)\)?)?"
)
#: Names of columns that number executions, not orders, which may have several.
_EXECUTION_ID = re.compile(
    r"(?:trade|fill|exec|execution|deal|transaction)?[ _]?(?:id|no\.?|number|ref\.?|reference)"
)
_POSITIONS = {"long", "short"}
_LEAVING = {"exit", "close", "closing", "out", "leave"}
_EFFECTS = {*_LEAVING, "entry", "enter", "open", "opening", "in"}
#: So many rows show that each execution stands on two.
_LEAST_PAIRS = 2


def check_unmapped_columns(
    path: Path,
    layout: Layout,
    header: Sequence[str],
    rows: Iterable[tuple[Sequence[str], object]],
    default_currency: str,
    named: Iterable[str],
) -> None:
    """Raise FormatError where a file states money or fees that are not mapped, or its executions on two rows each.

    `rows` are cells, with their error as text, and `named` the columns that the user names.
    """
    sample = [
        [cell.strip() for cell in cells]
        for cells, problem in itertools.islice(rows, _SAMPLE_ROWS)
        if problem is None and "".join(cells).strip()
    ]
    places = header_places(header)
    mapped = {places.first(names) for names in (*layout.columns.values(), *layout.optional.values())}
    mapped |= {places.first(names) for names in layout.fees.columns}
    mapped |= {places.place(name) for name in named}
    others = [place for place in range(len(header)) if place not in mapped]
    fields = {*(layout.match_header(header) or {}), *layout.constants}
    _check_fees(path, header, sample, others)
    if "currency" not in fields:
        _check_currencies(path, header, sample, others, default_currency)
    if "effect" not in fields:
        _check_effects(path, header, sample, others, places.first(layout.columns.get("side", ["side"])))
    if "fill_id" not in fields:
        _check_pairs(path, header, sample, others, places.first(layout.columns.get("time", [])))


def _check_fees(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], others: Sequence[int]
) -> None:
    for place in others:
        if not _FEE.fullmatch(normalize_name(header[place])):
            continue
        if any(re.search("[1-9]", row[place]) for row in rows if place < len(row)):
            name = _name(header, place)
            raise FormatError(
                f"{path}: its column {name!r} holds fees or taxes that would be left out",
                f"say --map '{name}=commission' to add them to the fees, or --map '{name}={IGNORED}'",
            )


def _check_effects(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], others: Sequence[int], side: int | None
) -> None:
    """Refuse sides that name positions where another column says which rows leave them."""
    if side is None or not _words(rows, side) <= _POSITIONS:
        return
    for place in others:
        words = _words(rows, place)
        if len(words) > 1 and words <= _EFFECTS and words & _LEAVING and words - _LEAVING:
            name, shown = _name(header, place), " and ".join(sorted(words)[:2])
            raise FormatError(
                f"{path}: its column {name!r} says {shown}, and its sides are those of positions",
                f"say --map '{name}=effect', so that a row that closes is on the other side, or '{name}={IGNORED}'",
            )


def _words(rows: Sequence[Sequence[str]], place: int) -> set[str]:
    return {row[place].casefold() for row in rows if place < len(row) and row[place]}


def _check_currencies(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], others: Sequence[int], default: str
) -> None:
    for place in others:
        codes = {row[place] for row in rows if place < len(row) and row[place]}
        if not codes or codes == {default} or not all(_MONEY.fullmatch(code) for code in codes):
            continue
        name = _name(header, place)
        shown = ", ".join(sorted(codes)[:3])
        raise FormatError(
            f"{path}: its column {name!r} holds {shown}, and nothing says in which money its prices are",
            f"say --map '{name}=currency' if that is their money, else --currency, such as --currency {min(codes)}",
        )


def _check_pairs(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], others: Sequence[int], time: int | None
) -> None:
    for place in others:
        if not _EXECUTION_ID.fullmatch(normalize_name(header[place])):
            continue
        ids = [row[place] for row in rows if place < len(row) and row[place]]
        counts = Counter(ids)
        if len(counts) < _LEAST_PAIRS or set(counts.values()) != {2}:
            continue
        moments = {
            (row[place], row[time]) for row in rows if time is not None and max(place, time) < len(row)
        }
        if len(moments) == len(counts):
            raise FormatError(
                f"{path}: each {truncate(header[place].strip(), _SHOWN)!r} stands on two rows, "
                "so that a row is half a trade",
                "keep the rows of the coin that was traded only, or export the trades with one row each",
            )


def _name(header: Sequence[str], place: int) -> str:
    """Return the name by which --map finds a column: its own, or that of the nearest one before it with a step."""
    if name := header[place].strip():
        before = sum(normalize_name(cell) == normalize_name(name) for cell in header[:place])
        return f"{name} #{before + 1}" if before else name
    named = next((n for n in range(place - 1, -1, -1) if header[n].strip()), None)
    return f"column {place + 1}" if named is None else f"{header[named].strip()} +{place - named}"
