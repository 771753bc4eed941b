"""What keeps the kernel honest, and takes longer than a test: `python -m tests.columns.kernel_checks [--quick]`.

Random fills against `Book` (half a million; quick: ten thousand), each mutant of the source killed (quick: every fourth),
and the same fills under the address and undefined-behavior sanitizers.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tearsheet.columns import native
from tearsheet.columns.build import FLAGS, SOURCE, build, compilers
from tearsheet.columns.exact_lane import FoldRules
from tearsheet.columns.fill_columns import FillColumns
from tearsheet.columns.fold import Fold
from tearsheet.errors import UsageError
from tests.columns.random_fills import CHICAGO, RULES, differences, random_fills, with_closing_marks
from tests.columns.targeted_fills import TARGETED

#: A piece of the kernel, and what a slip makes of it. Each stands in the source once.
MUTANTS = (
    ("bits(x) + bits(y) <= 127", "bits(x) + bits(y) <= 136"),
    ("if (rest >= (u128)c) rest -= (u128)c, quotient |= 1;", "if (rest > (u128)c) rest -= (u128)c, quotient |= 1;"),
    ("low = other << 64 | (x0 * y0 & mask)", "low = other << 64"),
    ("high = x1 * y1 + (middle >> 64) + (other >> 64)", "high = x1 * y1 + (middle >> 64)"),
    ("MOST_MONEY = 0x1p120", "MOST_MONEY = 0x1p140"),
    ("if (scale[S_MONEY] > MOST_SCALE) return 0;", ""),
    ("if (digits == ODD || (digits == EMPTY && k < STOP)) return 0;", ""),
    ("paid = scaled(fees, left, quantity, &failed) / cut * cut", "paid = scaled(fees, left, quantity, &failed)"),
    ("cost = scaled(cost, quantity, left, &failed) / cut * cut", "cost = scaled(cost, quantity, left, &failed)"),
    ("closes = quantity >= left", "closes = quantity > left"),
    ("                if (kind & CLOSES) return i;\n", ""),
    ("if (sign > 0 || (!sign && one >= other)) return i;", "if (sign > 0) return i;"),
    ("if (k < 5) { if (steps[k][0] > steps[k][1]) return i; else continue; }", "if (k < 5) continue;"),
    ("kind = own > band ? 1 : own < -band ? -1 : 0;", "kind = own >= band ? 1 : own < -band ? -1 : 0;"),
    ("if (kind || books->breakeven_breaks_streak) tally_outcome", "if (kind) tally_outcome"),
    ("if (length == tally[T_OUTCOMES]) tally[T_FIRST]", "if (length == 1) tally[T_FIRST]"),
    ("if (tally[T_FALLS] && depth <= get(tally + T_DEEPEST)) return;", "if (tally[T_FALLS] && depth < get(tally + T_DEEPEST)) return;"),
    ("if ((uint64_t)one[P_ID] < (uint64_t)next[P_ID]) next = one;", "if ((uint64_t)one[P_ID] > (uint64_t)next[P_ID]) next = one;"),
    ("if (held[P_LAST] > tally[T_LAST]) tally[T_LAST] = held[P_LAST];", "tally[T_LAST] = held[P_LAST];"),
    ("if (planned > 0) put(held + P_PLAN, planned)", "if (planned >= 0) put(held + P_PLAN, planned)"),
    ("*multiple = scaled(net, TENS[8], risk, failed);", "*multiple = scaled(net, TENS[9], risk, failed);"),
    ("RESCALE(held, P_VALUES, value_scale(held, up));", "RESCALE(held, P_VALUES, up[S_QUANTITY]);"),
    ("if (own[S_MONEY] > total[S_MONEY]) total[S_MONEY] = own[S_MONEY];", ""),
    ("v[12] ^= (uint64_t)done;", "v[12] ^= (uint64_t)part;"),
    ("if (has_point && !digit) { zeros++; continue; }", "if (has_point && !digit) { continue; }"),
    ("while (scale && rest && !(rest % 10)) rest /= 10, scale--;", "while (rest && !(rest % 10)) rest /= 10, scale--;"),
    ("if (books->session_starts[middle] <= at) low", "if (books->session_starts[middle] < at) low"),
)  # fmt: skip


def check(fills: int, *, until_first: bool = False) -> Iterator[str]:
    """Yield what the loaded kernel says otherwise than `Book`, over about so many fills."""
    seen = 0
    for name, make in TARGETED.items():
        for seed in range(8):
            for cuts in (None, Random(seed)):
                yield from (f"{name} {seed}: {one}" for one in differences(make(Random(seed)), cuts))
    seed = 0
    strict = FoldRules(CHICAGO, Decimal("0.65"), True)
    while seen < fills:
        random = Random(seed)
        made = random_fills(random, random.randrange(1, 6), random.choice([20, 60, 200]))
        if seed % 3 == 0:
            made = with_closing_marks(random, made, 0.02)
        for cuts in (None, random):
            yield from (
                f"seed {seed}: {one}" for one in differences(made, cuts, strict if seed % 2 else RULES)
            )
        yield from _accepted_out_of_order(random, seed)
        seen, seed = seen + len(made), seed + 1
        if until_first and seed % 50 == 0:
            print(f"  {seen} fills", flush=True)


def _accepted_out_of_order(random: Random, seed: int) -> Iterator[str]:
    made = random_fills(random, 3, 30, ("plain",))
    at = random.randrange(len(made) - 1) if len(made) > 1 else 0
    for wrong in ([*made[:at], *made[at : at + 2][::-1], *made[at + 2 :]], [*made[: at + 1], *made[at:]]):
        try:
            Fold(RULES).add(FillColumns.from_fills(wrong))
        except UsageError:
            continue
        if len(made) > 1:
            yield f"seed {seed}: fills out of order are taken"


def _run(library: Path, fills: int, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "tests.columns.kernel_checks",
        "--library",
        str(library),
        "--fills",
        str(fills),
    ]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=1800, check=False
    )


def _survivors(folder: Path, every: int) -> list[str]:
    source, survivors = SOURCE.read_text(), []
    for number, (piece, slip) in enumerate(MUTANTS):
        if number % every:
            continue
        assert source.count(piece) == 1, piece
        mutant = folder / f"mutant{number}"
        mutant.mkdir()
        (mutant / "kernel.c").write_text(source.replace(piece, slip))
        library = build(mutant, source=mutant / "kernel.c", flags=("-O2", "-shared", "-w"))
        assert library is not None
        is_killed = _run(library, 30_000).returncode != 0
        print(f"  {'killed' if is_killed else 'SURVIVED'}: {piece[:70]}", flush=True)
        if not is_killed:
            survivors.append(piece)
    return survivors


def _sanitized(folder: Path, fills: int) -> str:
    """Return what the sanitizers find; they come with gcc and clang, not with zig."""
    command = next(iter(compilers()), ["ziglang"])
    if "ziglang" in command:
        return ""
    flags = (*FLAGS, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
    library = build(folder, flags=flags)
    assert library is not None
    asan = subprocess.run(
        [*command, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    done = _run(
        library, fills, LD_PRELOAD=asan.stdout.strip(), ASAN_OPTIONS="detect_leaks=0", PYTHONMALLOC="malloc"
    )
    return "" if done.returncode == 0 else done.stdout[-2000:] + done.stderr[-2000:]


def main() -> int:
    """Run everything, or with `--library` only the fills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--library", type=Path)
    parser.add_argument("--fills", type=int, default=0)
    options = parser.parse_args()
    if options.library is not None:
        native.LIBRARY = options.library
        assert native.is_available()
        first = next(check(options.fills), None)
        print(first or "no difference")
        return int(first is not None)
    if not native.is_available():
        print("NO KERNEL: there is no C compiler, nor ziglang; nothing was checked")
        return 1
    fills = options.fills or (10_000 if options.quick else 500_000)
    started = time.monotonic()
    found = list(check(fills, until_first=True))
    print(
        f"{len(found)} differences in {fills} random fills and {len(TARGETED)} guards, whole and cut",
        *found[:5],
        sep="\n",
    )
    with TemporaryDirectory() as folder:
        survivors = _survivors(Path(folder), 4 if options.quick else 1)
        print(f"{len(survivors)} mutants survived")
        report = _sanitized(Path(folder), 2_000 if options.quick else 20_000)
    print(report or "sanitizers: no finding")
    print(f"{time.monotonic() - started:.0f} s")
    return int(bool(found or survivors or report))


if __name__ == "__main__":
    raise SystemExit(main())
