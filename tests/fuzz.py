"""Break real samples three million times: `python -m tests.fuzz [--cases N] [--processes N] [--seed N] [--state FILE]`.

Each case is a sample of a parser, broken by a generator that starts from seed, parser and number of the case, so that any
one can be run again (`--only PARSER --first N --cases 1`). It fails on an exception that is not documented, on more
than 2 s of CPU, on 200 MB. `--state` notes what has been run, and a later run with the same file goes on. Cases are
counted by parser, and every sample of a statement is one, so that each layout has its share. `--data FOLDER` takes
more files as samples of one parser.
"""

import argparse
import json
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from tearsheet.errors import TearsheetError
from tearsheet.sources.api_body import parse_fills, parse_marks, parse_objects
from tearsheet.sources.config.fees import fees_in
from tearsheet.sources.config.instruments import overrides_in
from tearsheet.sources.config.limits import parse_limits
from tearsheet.sources.config.targets import parse_targets
from tearsheet.sources.layouts.catalogue import layouts
from tearsheet.sources.reports.broker_report import read_report
from tearsheet.sources.trade_logs.trade_log import read_chunk
from tests.sources.test_fuzz import FILES, INSTRUMENTS, ODD, OPTIONS, is_read_or_refused
from tests.support.place import TOP, opened, record
from tests.support.workbooks import (
    number_record,
    ods_rows,
    shared_strings,
    text_record,
    write_ods,
    write_xls,
    write_xlsx,
)

CASES, LEAST, BLOCK = 3_000_000, 20_000, 250
CPU_S, MEMORY_KB = 2.0, 200 << 10
#: After so much CPU a case is stopped.
_HANG_S = 20
TODAY = date(2026, 11, 20)
#: Larger contents are refused by their size.
_LARGEST = 1 << 20
_EDGES = b",;\t\n\r\"'<>{}[]:= "
Break = Callable[[bytes, random.Random], bytes]


def mutate(content: bytes, chance: random.Random) -> bytes:
    """Break a content in one to six places, each in one of the ways in which files break."""
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 6))):
        content = chance.choice(_WAYS)(content, chance)[:_LARGEST]
    return content


def _replace(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    new = chance.choice(ODD) if chance.random() < 0.8 else chance.randbytes(chance.randrange(8))
    return content[:at] + new + content[at + chance.choice((0, 1, 1, 2, 5, 20, 60)) :]


def _cell(content: bytes, chance: random.Random) -> bytes:
    """Put something odd in the place of one cell, value or attribute."""
    start = chance.randrange(len(content) + 1)
    while start and content[start - 1] not in _EDGES:
        start -= 1
    end = start
    while end < len(content) and content[end] not in _EDGES:
        end += 1
    return content[:start] + chance.choice(ODD) + content[end:]


def _lines(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    way = chance.randrange(4)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines.insert(other, lines[at])
    elif way == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at:at] = [lines[other]] * chance.randrange(2, 200)
    return b"".join(lines)


def _flip(content: bytes, chance: random.Random) -> bytes:
    if not content:
        return content
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]


def _cut(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] if chance.random() < 0.7 else content[at:]


def _repeat(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    piece = content[at : at + chance.choice((1, 1, 2, 10, 80))]
    return content[:at] + piece * chance.choice((2, 10, 300)) + content[at:]


def _splice(content: bytes, chance: random.Random) -> bytes:
    other = _content(chance.choice(FILES))
    at, cut = chance.randrange(len(content) + 1), chance.randrange(len(other) + 1)
    return content[:at] + other[cut : cut + chance.choice((10, 200, 4000))] + content[at:]


def _encode(content: bytes, chance: random.Random) -> bytes:
    text = content.decode("utf-8", "replace")
    return text.encode(chance.choice(("utf-16", "utf-16-le", "cp1252", "utf-8-sig", "latin-1")), "replace")


_WAYS: tuple[Break, ...] = (
    _replace,
    _replace,
    _cell,
    _cell,
    _cell,
    _lines,
    _lines,
    _flip,
    _cut,
    _repeat,
    _splice,
    _encode,
)


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


def _samples(*suffixes: str) -> list[Path]:
    return [file for file in (*FILES, *MORE) if file.suffix.lower() in suffixes]


#: Samples of `--data`.
MORE: list[Path] = []


def _statement(*files: Path) -> Callable[[random.Random, Path], str]:
    def run(chance: random.Random, folder: Path) -> str:
        file = chance.choice(files or MORE)
        path = folder / f"case{file.suffix}"
        path.write_bytes(mutate(_content(file), chance))
        is_read_or_refused(path)
        return file.name

    return run


def _made(name: str) -> Callable[[random.Random, Path], str]:
    """Return a parser's cases for a layout without a sample: its columns, with what such columns hold."""
    columns = [column.replace("{zone}", "+00:00") for column in layouts()[name].needed]
    cells = ["2026-11-20T14:30:00Z", "MESZ26", "Buy", "2.5"]
    words = (("time", "date", "modified"), ("symbol", "instrument", "pair", "futures", "coin", "account"))
    sides = ("side", "action", "type", "transaction", "operation", "kind")
    row = [
        next(
            (cell for cell, named in zip(cells, (*words, sides), strict=False) if _names(one, named)),
            cells[-1],
        )
        for one in columns
    ]
    content = "\n".join([",".join(columns), *(",".join(row) for _ in range(4))]).encode()

    def run(chance: random.Random, folder: Path) -> str:
        path = folder / "case.csv"
        path.write_bytes(mutate(content, chance))
        is_read_or_refused(path)
        return name

    return run


def _names(column: str, words: tuple[str, ...]) -> bool:
    return any(word in column.lower() for word in words)


def _report(chance: random.Random, folder: Path) -> str:
    file = chance.choice((*FILES, *MORE))
    path = folder / f"case{file.suffix}"
    path.write_bytes(mutate(_content(file), chance))
    read_report(path, INSTRUMENTS, OPTIONS)
    return file.name


def _rows(chance: random.Random) -> list[list[Any]]:
    """Return the cells of a broken sample, some as numbers."""
    text = mutate(_content(chance.choice(_samples(".csv"))), chance).decode("utf-8", "replace")
    mark = max(",;\t", key=text.count)
    cells = [line.split(mark)[:16] for line in text.splitlines()[:60]]
    return [[_number(cell, chance) for cell in row] for row in cells]


def _number(cell: str, chance: random.Random) -> str | float:
    try:
        return float(cell) if chance.random() < 0.8 else cell
    except ValueError:
        return "".join(letter for letter in cell if letter >= " " and letter not in "<>&\ufffe\uffff")


def _workbook(
    write: Callable[[Path, list[list[Any]]], object], suffix: str
) -> Callable[[random.Random, Path], str]:
    def run(chance: random.Random, folder: Path) -> str:
        path = folder / f"case{suffix}"
        write(path, _rows(chance))
        if chance.random() < 0.5:
            path.write_bytes(_replace(path.read_bytes(), chance))
        is_read_or_refused(path)
        return suffix

    return run


def _write_xls(path: Path, rows: list[list[Any]]) -> None:
    texts: list[str] = []
    cells = b""
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            if isinstance(value, float):
                cells += number_record(number, column, value)
            elif len(cells) < 60_000:
                texts.append(value[:200])
                cells += text_record(number, column, len(texts) - 1)
    texts = [
        text.encode("utf-16-le", "replace")[: 2 * len(text)].decode("utf-16-le", "replace") for text in texts
    ]
    kept, size = [], 0
    for text in texts:
        size += 3 + 2 * len(text)
        kept.append(text if size < 8000 else "")
    try:
        write_xls(path, cells, shared=shared_strings(*kept[:2000]))
    except Exception:  # noqa: BLE001 - a table that the writer cannot express is no case
        path.write_bytes(cells or b"\xd0\xcf\x11\xe0")


def _log(chance: random.Random, folder: Path) -> str:
    lines = b"\n".join(
        json.dumps(
            opened(order_id=str(n)) if chance.random() < 0.2 else record(order_id=str(n), net="-5")
        ).encode()
        for n in range(chance.choice((1, 1, 3, 20)))
    )
    found = read_chunk(
        mutate(lines, chance), file="2026-11-20.jsonl", day=TODAY, first_line=1, last=chance.random() < 0.8
    )
    for rejection in found.rejections:
        assert rejection.code
        assert (rejection.text + rejection.reason + rejection.hint).encode()
    return "log"


_FILL = {
    "account": "A", "symbol": "MESZ26", "time": "2026-11-20T14:30:00.123Z", "side": "BUY", "quantity": "2",
    "price": 6000.25, "commission": "0.62", "fill_id": "F1", "strategy": "orb", "order_id": "O1",
}  # fmt: skip
_MARK = {"symbol": "MESZ26", "price": "6000.25", "time": "2026-11-20T14:30:00Z"}


def _post(kind: str) -> Callable[[random.Random, Path], str]:
    def run(chance: random.Random, folder: Path) -> str:
        content = [_FILL if kind == "fills" else _MARK] * chance.choice((1, 2, 5))
        body = mutate(json.dumps(content if chance.random() < 0.6 else {kind: content}).encode(), chance)
        objects = parse_objects(body, kind)
        made: list[Any] = list(
            (parse_fills if kind == "fills" else parse_marks)(objects, "case", INSTRUMENTS)
        )
        for row in made:
            json.dumps(str(row)).encode()
        return kind

    return run


_YAML = {
    "targets": TOP / "config/dashboard-targets.example.yaml",
    "limits": TOP / "config/limits.example.yaml",
    "instruments": TOP / "config/instruments.example.yaml",
    "fees": TOP / "config/instruments.example.yaml",
}


def _yaml(kind: str, parse: Callable[[str, str], object]) -> Callable[[random.Random, Path], str]:
    def run(chance: random.Random, folder: Path) -> str:
        content = _content(_YAML[kind])
        start = chance.randrange(len(content)) if chance.random() < 0.3 else 0
        parse(
            mutate(content[start : start + 3000] if start else content, chance).decode("utf-8", "replace"),
            "case.yaml",
        )
        return kind

    return run


#: The parser of `--data`.
_MORE = "statements, more"
PARSERS: dict[str, tuple[int, Callable[[random.Random, Path], str]]] = {
    **{f"statement {file.name}": (1, _statement(file)) for file in FILES},
    **{
        f"statement {name}, made": (1, _made(name))
        for name in sorted(layouts().keys() - {file.stem for file in FILES})
    },
    "reports": (4, _report),
    "workbooks, xlsx": (2, _workbook(lambda path, rows: write_xlsx(path, rows), ".xlsx")),
    "workbooks, ods": (2, _workbook(lambda path, rows: write_ods(path, ods_rows(rows)), ".ods")),
    "workbooks, xls": (2, _workbook(_write_xls, ".xls")),
    "trade logs": (16, _log),
    "posts, fills": (12, _post("fills")),
    "posts, marks": (8, _post("marks")),
    "yaml, targets": (3, _yaml("targets", parse_targets)),
    "yaml, limits": (3, _yaml("limits", parse_limits)),
    "yaml, instruments": (3, _yaml("instruments", overrides_in)),
    "yaml, fees": (3, _yaml("fees", fees_in)),
}


@dataclass
class Block:
    """Result of some cases of a parser in a row."""

    parser: str
    first: int
    number: int
    cpu_s: float = 0.0
    slowest_s: float = 0.0
    samples: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def run_block(seed: int, parser: str, first: int, number: int) -> Block:
    """Run cases of a parser in a row."""
    done, run = Block(parser, first, number), PARSERS[parser][1]
    signal.signal(signal.SIGVTALRM, _stop)
    with TemporaryDirectory(prefix="tearsheet-fuzz-") as name:
        for case in range(first, first + number):
            before, started = _peak_kb(), time.process_time()
            signal.setitimer(signal.ITIMER_VIRTUAL, _HANG_S)
            fault = _fault(run, random.Random(f"{seed}:{parser}:{case}"), Path(name), done)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            took, grown = time.process_time() - started, _peak_kb() - before
            done.cpu_s += took
            done.slowest_s = max(done.slowest_s, took)
            if took > CPU_S:
                fault = fault or f"{took:.1f} s of CPU"
            if grown > MEMORY_KB:
                fault = fault or f"{grown >> 10} MB"
            if fault:
                done.faults.append(f"{parser} {case}: {fault}")
    return done


def _fault(
    run: Callable[[random.Random, Path], str], chance: random.Random, folder: Path, done: Block
) -> str | None:
    """Run a case; return what is wrong with how it ended, None for a result or a documented refusal."""
    try:
        done.samples[run(chance, folder)] += 1
    except TearsheetError as error:
        done.samples["refused"] += 1
        return None if error.message and error.hint is not None else f"no words: {error!r}"
    except Exception as error:  # noqa: BLE001 - what the driver looks for
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        at = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last else "?"
        return f"{type(error).__name__}: {str(error)[:300]} at {at}"
    return None


def _stop(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"over {_HANG_S} s of CPU")


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def plan(cases: int, first: int = 0, only: str | None = None) -> dict[str, int]:
    """Return how many cases each parser gets: an equal part of up to 20,000, and of what is left by weight."""
    if only is not None:
        return {only: cases}
    least = min(LEAST, cases // len(PARSERS))
    left, weights = cases - least * len(PARSERS), sum(weight for weight, _ in PARSERS.values())
    return {name: least + left * weight // weights for name, (weight, _) in PARSERS.items()}


def _blocks(options: argparse.Namespace, done: set[tuple[str, int, int]]) -> Iterator[tuple[str, int, int]]:
    """Yield the blocks that were not run yet, of all parsers in turn."""
    planned = plan(options.cases, options.first, options.only)
    for start in range(0, max(planned.values()), BLOCK):
        for parser, number in planned.items():
            block = (parser, options.first + start, min(BLOCK, number - start))
            if start < number and block not in done:
                yield block


def main() -> int:
    """Run the cases, print the counts, and return 1 for a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case of each parser")
    parser.add_argument("--only", choices=[*PARSERS, _MORE], metavar="PARSER")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no block after so long")
    parser.add_argument("--state", type=Path, help="file that notes what was run")
    parser.add_argument("--data", type=Path, action="append", default=[], help="folder of more samples")
    options = parser.parse_args()
    kinds = (".csv", ".json", ".xml", ".htm", ".html", ".txt", ".tsv")
    MORE.extend(
        file
        for folder in options.data
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in kinds and file.is_file() and 0 < file.stat().st_size < 200_000
    )
    if MORE:
        PARSERS[_MORE] = (30, _statement())
    found = list(_earlier(options))
    todo = _blocks(options, {(one.parser, one.first, one.number) for one in found})
    over = time.monotonic() + options.seconds
    # a fork keeps the samples of `--data`
    with ProcessPoolExecutor(options.processes) as pool:
        waiting = {
            pool.submit(run_block, options.seed, *block) for block in islice(todo, 4 * options.processes)
        }
        while waiting:
            ended = next(as_completed(waiting))
            waiting.remove(ended)
            _note(options, ended.result())
            found.append(ended.result())
            if time.monotonic() < over and (block := next(todo, None)) is not None:
                waiting.add(pool.submit(run_block, options.seed, *block))
    return _print(found)


def _earlier(options: argparse.Namespace) -> Iterator[Block]:
    """Yield the blocks that an earlier run with this seed has noted."""
    if options.state is None or not options.state.exists():
        return
    for line in options.state.read_text().splitlines():
        content = json.loads(line)
        if content.pop("seed") == options.seed:
            yield Block(**content | {"samples": Counter(content["samples"])})


def _note(options: argparse.Namespace, block: Block) -> None:
    if options.state is not None:
        with options.state.open("a") as file:
            file.write(json.dumps({"seed": options.seed, **vars(block)}) + "\n")


def _print(found: list[Block]) -> int:
    faults = [fault for block in found for fault in block.faults]
    print(f"{'parser':<42}{'cases':>10}{'refused':>10}{'samples':>9}{'CPU s':>9}{'slowest':>9}{'faults':>8}")
    for name in PARSERS:
        mine = [block for block in found if block.parser == name]
        samples: Counter[str] = sum((block.samples for block in mine), Counter())
        refused = samples.pop("refused", 0)
        print(
            f"{name:<42}{sum(block.number for block in mine):>10,}{refused:>10,}{len(samples):>9,}"
            f"{sum(block.cpu_s for block in mine):>9.1f}{max((block.slowest_s for block in mine), default=0):>9.2f}"
            f"{sum(len(block.faults) for block in mine):>8,}"
        )
    cases, cpu = sum(block.number for block in found), sum(block.cpu_s for block in found)
    print(f"{'all':<42}{cases:>10,}{'':>19}{cpu:>9.1f}{'':>9}{len(faults):>8,}")
    for fault in faults[:40]:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
