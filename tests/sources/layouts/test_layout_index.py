"""All layouts compared with a line at once: the same answer as one after the other, for a bounded number of steps."""

import random
import sys
from pathlib import Path
from types import FrameType

import pytest

from tearsheet.errors import FormatError
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.layouts.catalogue import LayoutMatch, layouts
from tearsheet.sources.layouts.header import header_places
from tearsheet.sources.layouts.layout_index import LayoutIndex
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import open_statement

KNOWN = list(layouts().values())
REQUIRED = [name for layout in KNOWN for _, names in layout.requirements for name in names]
OPTIONAL = [name for layout in KNOWN for names in layout.optional.values() for name in names]


def headers(seed: int) -> list[list[str]]:
    """Headers of layouts as they are, with a column less, with others between, and mere words."""
    chance = random.Random(seed)
    found = []
    for layout in KNOWN:
        whole = [chance.choice(list(names)) for _, names in layout.requirements]
        others = chance.sample([*REQUIRED, *OPTIONAL, "x", "17.5", ""], chance.randint(0, 6))
        found += [whole, whole[:-1], [*others, *whole], chance.sample(whole, len(whole)), others]
    spelled = {"{currency}": "eur", "{zone}": "+3", "*": "abc"}
    for open_part, text in spelled.items():
        found = [[name.replace(open_part, text) for name in header] for header in found]
    return found


@pytest.mark.parametrize("seed", range(2))
def test_the_index_answers_as_each_layout_does(seed: int) -> None:
    index = LayoutIndex(KNOWN)
    fitted = 0
    for header in headers(seed):
        names = header_places(header)
        matches = [LayoutMatch(layout, layout.missing(names)) for layout in KNOWN]
        fitting, overlap = index.match(names)
        assert [layout.name for layout in fitting] == [m.layout.name for m in matches if not m.missing], (
            header
        )
        assert overlap == max(match.overlap for match in matches), header
        fitted += bool(fitting)
    assert fitted > len(KNOWN)


def calls_to_refuse(path: Path) -> int:
    """How many functions of Python are called until a file is refused."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    instruments = load_instruments(None, "USD")
    sys.setprofile(count)
    try:
        with pytest.raises(FormatError):
            open_statement(path, instruments, StatementOptions())
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("{0},x{0},17.5,foo bar,2026-01-09", id="cells of no header"),
        pytest.param("date,price,quantity,net eur,value,buy,{0}", id="words of many headers"),
        pytest.param("\x93\x84{0};\xe9\xe8\xff", id="bytes of no text"),
    ],
)
def test_a_line_of_an_unknown_file_takes_few_steps(tmp_path: Path, row: str) -> None:
    """Each of 3,000 lines was compared with each column of each layout: 9,000 calls a line, 4 s a file."""
    short, long = tmp_path / "short.csv", tmp_path / "long.csv"
    for path, lines in ((short, 100), (long, 1100)):
        path.write_bytes("\n".join(row.format(number) for number in range(lines)).encode("latin-1"))
    calls_to_refuse(short)  # what is made once
    assert (calls_to_refuse(long) - calls_to_refuse(short)) / 1000 < 700


def test_a_wide_file_of_numbers_is_refused_after_a_bounded_number_of_cells(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("\n".join(",".join(map(str, range(3000))) for _ in range(300)))
    assert calls_to_refuse(path) < 500_000


def test_a_report_in_one_line_is_read_no_further_than_it_is_asked_for(tmp_path: Path) -> None:
    """A page of one line was parsed as a whole, three times, before its first row was looked at."""
    rows = "".join(f"<tr><td>{number}</td><td>x</td></tr>" for number in range(20_000))
    path = tmp_path / "page.html"
    path.write_text(f"<html><table>{rows}</table></html>")
    assert calls_to_refuse(path) < 700_000
