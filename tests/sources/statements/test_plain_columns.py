"""A file read by columns gives the ledger that its rows give one by one: facts, rejections, ids and books."""

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest

from tearsheet.app.reports import ImportReport
from tearsheet.columns import native
from tests.stories.test_ledger_laws import fresh_place
from tests.support.place import NOON, Place, as_rows, fills_csv

HEADER = "account,symbol,time,side,quantity,price,commission,fill_id"
MORE = f"{HEADER},strategy,stop_loss,target,currency,fee_currency,status,note"
FACTS = {
    "fill": "SELECT * FROM fill ORDER BY id",
    "sighting": "SELECT * FROM sighting ORDER BY source_id, line, fill_id",
    "variant": "SELECT * FROM variant ORDER BY source_id, line, account, key",
    "rejection": "SELECT * FROM rejection ORDER BY id",
    "batch": "SELECT * FROM batch ORDER BY source_id",
    "lines": "SELECT id, lines, facts, rejected FROM source ORDER BY id",
    "account_state": "SELECT account, rewrites, last_us FROM account_state ORDER BY account",
    "feed": "SELECT * FROM feed ORDER BY 1, 2",
    "gaps": "SELECT account, symbol, time_us, code, detail FROM gap ORDER BY account, symbol, time_us, code",
    "tally text": "SELECT account, session, currency, last_us, body FROM tally ORDER BY account, session, currency",
}
#: Lines that are no plain fill, or none at all; {n} is a number of their own.
ODD = [
    "A,X,2026-11-02T14:30:00Z,hold,1,10,1,odd{n}",
    "A,X,2026-11-02T14:30:00Z,buy,0,10,1,odd{n}",
    "A,X,2026-11-02T14:30:00Z,buy,-1,10,1,odd{n}",
    "A,X,2026-11-02T14:30:00Z,buy,1,,1,odd{n}",
    "A,X,2026-11-02T14:30:00Z,buy,one,10,1,odd{n}",
    "A,X,2026-11-02T14:30:00Z,buy,1,NaN,1,odd{n}",
    "A,X,2026-11-02T14:30:00Z,buy,1,1e400,1,odd{n}",
    "A,X,2026-02-30T14:30:00Z,buy,1,10,1,odd{n}",
    "A,X,2026-11-02T14:30:00,buy,1,10,1,odd{n}",
    "A,X,2036-11-02T14:30:00Z,buy,1,10,1,odd{n}",
    "A,ESZ6,2026-11-02,buy,1,10,1,odd{n}",
    "A,ES,2026-11-02T14:30:00Z,buy,1,10,1,odd{n}",
    ",X,2026-11-02T14:30:00Z,buy,1,10,1,odd{n}",
    "A,X,2026-11-02T14:30:00Z,buy,1,10,1,odd{n},,,,,,,,,one,two,three,four",
    "A,X,2026-11-02T14:30:00Z",
    "",
    " , ",
]
#: Lines that are read by rows, and are fills.
OTHERWISE = [
    'A,"X",{at},buy,"1",10,1,q{n}',
    "A, X ,{at}, BUY ,1,10,1, s{n} ",
    "A,X,{at},b,1e1,10,1,e{n}",
    "A,X,{at},sold,1,$10.50,1,d{n}",
    "A,X,{at},buy,007,0.00000000010,1,z{n}",
    'A,X,{at},buy,"1,000",10,1,t{n}',
    "A,X,{at},buy,1,-10,-0.25,m{n}",
    "A,X,{at},buy,1.50,0.00,0.00,o{n}",
    "A,X,{at},buy,1,10,,f{n}",
    "A,X,{at},buy,1,10,1,",
]


@contextmanager
def lane(least: int) -> Iterator[None]:
    """Read files of so many bytes by columns, in short chunks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tearsheet.sources.statements.statement.LEAST_BYTES", least)
        patch.setattr("tearsheet.sources.statements.plain_columns.MOST_ROWS", 16)
        patch.setattr("tearsheet.app.imports.import_file._AT_ONCE", 16)
        patch.setattr("tearsheet.store.write.transaction._BULK_BYTES", least)
        yield


def imported(files: list[str], **env: str) -> tuple[dict[str, Any], list[ImportReport]]:
    """All facts and books after an import of files, and the reports."""
    place = fresh_place()
    with closing(place.tracker(**env)) as tracker:
        reports = [tracker.import_file(place.write(f"fills-{n}.csv", text)) for n, text in enumerate(files)]
        query = tracker.ledger.connection.execute
        facts: dict[str, Any] = {name: [tuple(row) for row in query(sql)] for name, sql in FACTS.items()}
        assert tracker.verify().differences == []
        return facts | as_rows(tracker), reports


def plain_lines(chance: random.Random, count: int, *, prefix: str = "E", ids: str = "rising") -> list[str]:
    """Fills of a few accounts and symbols, in order of time with instants that repeat."""
    at, lines = NOON - timedelta(days=20), []
    numbers = list(range(count))
    if ids == "random":
        chance.shuffle(numbers)
    for number in numbers:
        at += timedelta(microseconds=chance.choice([0, 0, 500_000, 61_000_000, 7_200_000_000]))
        zone = chance.choice(["Z", "+00:00", "-05:00"])
        local = at - timedelta(hours=5) if zone == "-05:00" else at
        stamp = local.replace(tzinfo=None).isoformat() + zone
        price = chance.choice(["100", "100.50", "99.123456", "101.10"])
        fee = chance.choice(["0.65", "0", "0.00", "1.10"])
        lines.append(
            f"{chance.choice('AB')},{chance.choice(['X', 'YY', 'MESZ6'])},{stamp},"
            f"{chance.choice(['buy', 'sell', 'SELL'])},{chance.choice(['1', '2', '0.5', '3.0'])},{price},{fee},{prefix}{number}"
        )
    return lines


def with_odd(chance: random.Random, lines: list[str], *, others: int = 4) -> list[str]:
    """Lines with some that are odd or are written otherwise, and some that stand twice or contradict."""
    mixed = list(lines)
    for number in range(others):
        place = chance.randrange(len(mixed))
        at = mixed[place].split(",")[2] if mixed[place].count(",") >= 7 and "odd" not in mixed[place] else "x"
        line = chance.choice([*ODD, *OTHERWISE, "again", "against"])
        if line in ("again", "against"):
            cells = chance.choice(lines).split(",")
            cells[5] = cells[5] if line == "again" else "77"
            line = ",".join(cells)
        mixed.insert(place, line.format(n=number, at=at))
    return mixed


needs_kernel = pytest.mark.skipif(
    not native.is_available(), reason="NO KERNEL: there is no C compiler, nor ziglang"
)


@needs_kernel
@pytest.mark.parametrize("seed", range(24))
def test_lines_of_any_kind_come_to_the_same_ledger(seed: int) -> None:
    chance = random.Random(seed)
    ids = chance.choice(["rising", "random"])
    files = [fills_csv(with_odd(chance, plain_lines(chance, 60, ids=ids), others=seed % 7), HEADER)]
    if seed % 3 == 0:
        again = chance.sample(files[0].splitlines()[1:], 30)
        files.append(fills_csv([*again, *plain_lines(chance, 20, prefix="F")], HEADER))
    with lane(1 << 40):
        by_rows, reports = imported(files)
    with lane(1):
        by_columns, others = imported(files)
    for name, rows in by_rows.items():
        assert by_columns[name] == rows, name
    assert others[0].lane.startswith("columns")
    assert not reports[0].lane
    for one, other in zip(reports, others, strict=True):
        assert [r.reason for r in one.rejections] == [r.reason for r in other.rejections]
        assert [r.text for r in one.rejections] == [r.text for r in other.rejections]
        assert (one.new, one.known, one.rejected) == (other.new, other.known, other.rejected)


@needs_kernel
@pytest.mark.parametrize(
    "special",
    [
        "A,X,{at},buy,1,10,1,s1,,,,,,correction,",
        "A,X,{at},buy,1,10,1,s1,,,,,BTC,,",
        "account,symbol,time,side,quantity,price,commission,fill_id,strategy,stop_loss,target,currency,fee_currency,status,note",
        'A,X,{at},buy,1,10,1,s1,,,,,,,"a note\nof two lines"',
        "A,X,{at},buy,1,10,1,s1,,,,,,,\x00",
    ],
)
def test_a_line_that_is_more_than_a_fill_ends_the_columns_and_nothing_else_changes(special: str) -> None:
    chance = random.Random(special)
    lines = [f"{line},S{n % 2},95,120.5,USD,,,word" for n, line in enumerate(plain_lines(chance, 70))]
    lines.insert(40, special.format(at=lines[40].split(",")[2]))
    text = fills_csv(lines, MORE)
    with lane(1 << 40):
        by_rows, _ = imported([text])
    with lane(1):
        by_columns, (report,) = imported([text])
    for name, rows in by_rows.items():
        assert by_columns[name] == rows, name
    assert "the rest by rows" in report.lane


@needs_kernel
def test_a_currency_unlike_that_of_the_open_position_is_told_by_columns_too() -> None:
    lines = [
        f"A,X,2026-11-02T14:{n:02}:00Z,buy,1,10,0,E{n},,,,{'EUR' if n == 40 else 'USD'},,," for n in range(50)
    ]
    found = []
    for least in (1 << 40, 1):
        with lane(least):
            facts, _ = imported([fills_csv(lines, MORE)])
        found.append(facts["gaps"])
    assert [(gap[1], gap[3]) for gap in found[0]] == [("X", "contradiction")]
    assert found[1] == found[0]


@needs_kernel
def test_a_report_says_which_lines_were_read_by_rows() -> None:
    lines = plain_lines(random.Random(1), 40)
    lines.insert(20, "A,X,never,buy,1,10,1,odd")
    with lane(1):
        _, (report,) = imported([fills_csv(lines, HEADER)])
    assert report.lane == "columns, 1 line by rows"
    assert [(row.line, row.code) for row in report.rejections] == [(22, "bad_time")]


def test_a_small_file_and_one_of_another_layout_are_read_by_rows(place: Place) -> None:
    with closing(place.tracker()) as tracker, lane(1):
        text = fills_csv([f"{line},open" for line in plain_lines(random.Random(1), 20)], f"{HEADER},effect")
        assert not tracker.import_file(place.write("effects.csv", text)).lane
        with lane(1 << 20):
            plain = fills_csv(plain_lines(random.Random(2), 20, prefix="P"), HEADER)
            assert not tracker.import_file(place.write("small.csv", plain)).lane
