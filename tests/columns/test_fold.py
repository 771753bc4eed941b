"""The fold on columns gives the rows of `Book` and `Tally`, whatever the numbers and wherever the batches are cut."""

from dataclasses import dataclass
from decimal import Decimal
from random import Random

import pytest
from msgspec.structs import replace

from tearsheet.columns import native
from tearsheet.columns.exact_lane import FoldRules
from tearsheet.columns.fill_columns import FillColumns
from tearsheet.columns.fold import Fold
from tearsheet.errors import UsageError
from tearsheet.trade.fill import Fill
from tests.columns.random_fills import (
    CHICAGO,
    KINDS,
    RULES,
    by_fold,
    differences,
    random_fills,
    rows,
    with_closing_marks,
)
from tests.columns.targeted_fills import TARGETED


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_cut", [False, True])
def test_random_fills_of_each_kind_fold_as_the_book_books_them(kind: str, is_cut: bool) -> None:
    for seed in range(4):
        random = Random(f"{kind} {seed}")
        fills = random_fills(random, random.randrange(1, 5), 60, (kind,))
        assert differences(fills, random if is_cut else None) == []


def test_kinds_mixed_in_one_ledger_fold_as_the_book_books_them() -> None:
    for seed in range(12):
        random = Random(seed)
        assert differences(random_fills(random, 5, 40), random) == []


@pytest.mark.parametrize("wrong", [0.0, 0.05])
def test_fills_that_are_marked_as_closing_open_nothing(wrong: float) -> None:
    for seed in range(6):
        random = Random(seed)
        fills = with_closing_marks(random, random_fills(random, 2, 40, ("plain",)), wrong)
        assert any(fill.closes for fill in fills)
        assert differences(fills, random) == []


@pytest.mark.parametrize("rules", [FoldRules(CHICAGO), FoldRules(CHICAGO, Decimal("3.25"), True)])
def test_the_breakeven_rules_decide_outcomes_and_streaks(rules: FoldRules) -> None:
    random = Random(7)
    assert differences(random_fills(random, 3, 80, ("plain",)), random, rules) == []


@pytest.mark.parametrize("name", TARGETED)
def test_a_number_at_the_edge_of_a_guard_folds_exactly(name: str) -> None:
    for seed in range(8):
        fills = TARGETED[name](Random(seed))
        assert differences(fills, None) == []
        assert differences(fills, Random(seed)) == []


needs_kernel = pytest.mark.skipif(
    not native.is_available(), reason="NO KERNEL: there is no C compiler, nor ziglang"
)


@needs_kernel
@pytest.mark.parametrize("kind", ["plain", "crypto", "crypto18", "negative", "inverse", "mixed"])
def test_usual_numbers_stay_in_the_kernel(kind: str) -> None:
    random = Random(kind)
    _, fold = by_fold(random_fills(random, 4, 200, (kind,)), random)
    assert not fold.is_exact


def test_a_fold_without_the_kernel_gives_the_same_rows() -> None:
    fills = random_fills(Random(3), 3, 80, ("plain", "crypto"))
    fold = Fold(RULES, is_exact=True)
    outputs = [fold.add(FillColumns.from_fills(fills)), fold.finish()]
    got, _ = by_fold(fills, None)
    assert [row for out in outputs for row in zip(*out.bookings, strict=True)] == rows(got)[0]


@pytest.mark.parametrize("is_exact", [False, True])
def test_a_fill_out_of_order_or_repeated_is_refused(is_exact: bool) -> None:
    random = Random(5)
    fills = random_fills(random, 3, 40)
    for _ in range(100):
        at = random.randrange(len(fills) - 1)
        swapped = [*fills]
        swapped[at], swapped[at + 1] = swapped[at + 1], swapped[at]
        with pytest.raises(UsageError, match="does not come after"):
            Fold(RULES, is_exact=is_exact).add(FillColumns.from_fills(swapped))
    fold = Fold(RULES, is_exact=is_exact)
    fold.add(FillColumns.from_fills(fills))
    with pytest.raises(UsageError, match="does not come after"):
        fold.add(FillColumns.from_fills(fills[-1:]))


@dataclass
class Named:
    account: str
    symbol: str
    key: str


@pytest.mark.parametrize(
    "named",
    [
        Named("Übung", "日経", "x:é"),
        Named("a\0b", "S", "x:1"),
        Named("A", "S", "x:\0"),
        Named("A" * 200, "B" * 200, "x:1"),
    ],
)
def test_names_of_any_text_keep_their_ids(named: Named) -> None:
    def renamed(fill: Fill) -> Fill:
        return replace(fill, account=named.account, symbol=named.symbol, key=f"{named.key}{fill.key}")

    fills = [renamed(fill) for fill in random_fills(Random(1), 1, 30, ("plain",)) if fill.symbol == "S0"]
    fills.sort(key=lambda fill: (fill.time, fill.rank, fill.key))
    assert differences(fills, None) == []


def test_no_fills_are_no_rows() -> None:
    fold = Fold(RULES)
    assert rows(fold.add(FillColumns.from_fills([]))) == rows(fold.finish()) == ([], [], {})


def test_a_last_closing_beyond_the_kernel_is_counted_once() -> None:
    """The closing of two positions at one place waits for its end; the R of one of them fits no cell."""
    fills = TARGETED["positions that close at one instant"](Random(1))[:4]
    fine = replace(fills[2], stop_loss=fills[2].price - Decimal("0.000000000000000001"))
    assert differences([*fills[:2], fine, fills[3]], None) == []
