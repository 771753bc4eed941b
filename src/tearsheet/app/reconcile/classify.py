"""Classification of differences: one explanation for a whole instrument, or a cause for each difference."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from tearsheet.app.reconcile.explanations import (
    AccountComparison,
    Cause,
    NumberKey,
    ValueTransform,
    explained_by_fees,
)
from tearsheet.app.reconcile.our_sums import ADDITIVE, DayRange
from tearsheet.trade.amount import ZERO, to_plain_string

_FEES = ("fees", "paid")
_UNKNOWN = Cause("unknown", "no explanation found")


def classify(sides: AccountComparison) -> dict[NumberKey, Cause]:
    """Return the cause of every number that differs."""
    found: dict[NumberKey, Cause] = {}
    for group in sides.groups.values():
        gaps = [key for key in group if not sides.matches(key)]
        if not gaps:
            continue
        theory = sides.find_explanation(group)
        if theory is not None:
            found |= {key: sides.explain(theory, key) for key in gaps}
        else:
            found |= _SingleCauses(sides, group, gaps).causes()
    return found


class _SingleCauses:
    """Separate causes for the differences of an instrument that no single explanation covers."""

    def __init__(
        self, sides: AccountComparison, group: Sequence[NumberKey], gaps: Sequence[NumberKey]
    ) -> None:
        self._comparison, self._group = sides, group
        self._gaps = {key: sides.broker_numbers[key] - sides.ledger_value(key) for key in gaps}
        self._books = max(
            sides.distinct_books, key=lambda n: (sum(self._reproduces(n, key) for key in group), -n)
        )
        self._gap_change_days = self._position_gap_changes()

    def causes(self) -> dict[NumberKey, Cause]:
        """Return the cause of each difference; fees last, because they depend on the others."""
        found = {key: self._cause(key) for key in self._gaps if key[0] not in _FEES}
        loose = any(one.kind in ("unknown", "missing fill") for one in found.values())
        for key in self._gaps:
            if key[0] in _FEES:
                found[key] = self._from_fills_or_neighbor(key) or self._fee(key, is_loose=loose)
        return found

    def _cause(self, key: NumberKey) -> Cause:
        what, span = key
        if what == "position":
            return self._position(key)
        if shown := self._from_fills_or_neighbor(key):
            return shown
        if self._position_differs(span):
            return Cause("missing fill", f"the position has differed since {self._differs_since(span)}")
        if what in ("net", "balance"):
            fees = [self._gaps.get((name, span)) for name in ("fees", "paid")]
            if -self._gaps[key] in fees:
                return Cause("fee", "equal to the difference in fees")
        if what in ADDITIVE and (nothing := self._one_side_empty(span)):
            return nothing
        return self._scaling_or_rounding(key) or _UNKNOWN

    def _from_fills_or_neighbor(self, key: NumberKey) -> Cause | None:
        """Return a cause if the statement's fills, a nearby day or the cost method explains the number."""
        sides = self._comparison
        if self._books and self._reproduces(self._books, key):
            is_filled = self._reproduces(1, key) or self._books == 1
            return sides.explained_by_missing_fills(key) if is_filled else explained_by_fees()
        if other := self._offsetting_day(key):
            return Cause("day boundary", f"{other} differs by the same amount in the opposite direction")
        for finish in sides.transforms(sides.ledger_numbers(), [key]):
            is_other = finish.method != sides.method and finish.ratio is None
            if is_other and not self._position_differs(key[1]) and self._explains_all(key, finish):
                return Cause("method", f"by {finish.method} our own fills give exactly theirs")
        return None

    def _explains_all(self, key: NumberKey, finish: ValueTransform) -> bool:
        """Return whether a transform gives all numbers of this kind: the method is the same on every day."""
        ours = self._comparison.ledger_numbers()
        return all(self._comparison.reproduces(ours, k, finish) for k in self._group if k[0] == key[0])

    def _scaling_or_rounding(self, key: NumberKey) -> Cause | None:
        """Return a multiplier or rounding that gives the broker's value and contradicts no other day."""
        sides, ours = self._comparison, self._comparison.ledger_numbers()
        same = [other for other in self._group if other[0] == key[0] and sides.matches(other)]
        for finish in sides.transforms(ours, [key]):
            is_own = finish.method == sides.method and finish != sides.default_transform(key[0])
            if not (is_own and sides.reproduces(ours, key, finish)):
                continue
            if any(not sides.reproduces(ours, other, finish) for other in same):
                continue  # another day matches only without it
            if finish.ratio is not None:
                return Cause("multiplier", f"theirs is {to_plain_string(finish.ratio)} times ours")
            if finish.rounding is not None:
                return Cause("rounding", f"{finish.rounding.description} gives exactly theirs")
        return None

    def _fee(self, key: NumberKey, *, is_loose: bool) -> Cause:
        span = key[1]
        if span in self._comparison.unpriced:
            return Cause("missing fill", "the fee of a missing fill is not listed separately")
        if any(turn == span.day for turn in self._gap_change_days):
            return Cause("missing fill", "the position differs from that day on")
        if nothing := self._one_side_empty(span):
            return nothing
        if rounded := self._scaling_or_rounding(key):
            return rounded
        if is_loose and not self._gap_change_days:
            return Cause("unknown", "P&L differs too; a fill may be missing")
        return Cause("fee", "P&L matches, fees do not")

    def _position(self, key: NumberKey) -> Cause:
        gap = self._gaps[key]
        if self._books and self._reproduces(self._books, key):
            return Cause("missing fill", "adding the statement's fills gives the broker's position")
        side = "bought" if gap > 0 else "sold"
        return Cause("missing fill", f"by the end of the day {to_plain_string(abs(gap))} more were {side}")

    def _one_side_empty(self, span: DayRange) -> Cause | None:
        """Return a missing-fill cause if the ledger or the statement is empty for these days."""
        if not any(True for _ in self._comparison.ledger_numbers().effects_in(span)):
            return Cause("missing fill", "the ledger has no fills on that day")
        stated = [
            self._comparison.broker_numbers[w, s] for w, s in self._group if s == span and w in ADDITIVE
        ]
        if not any(stated):
            return Cause("missing fill", "the statement has no entries on that day")
        return None

    def _reproduces(self, books: int, key: NumberKey) -> bool:
        return self._comparison.reproduces(
            self._comparison.ledger_numbers(books), key, self._comparison.default_transform(key[0])
        )

    def _offsetting_day(self, key: NumberKey) -> str:
        """Return the day with the opposite difference, if fills at the day boundary explain it."""
        what, span = key
        if what not in ADDITIVE or span.since != span.day or self._position_differs(span):
            return ""
        gap = self._gaps[key]
        for off in (1, -1, 2, -2, 3, -3):
            day = span.day + timedelta(days=off)
            other = DayRange(day, day, span.symbol, span.currency)
            if self._gaps.get((what, other)) == -gap:
                early, late = (span, other) if off > 0 else (other, span)
                if self._comparison.ledger_numbers().is_boundary_shift(
                    what, early, late, gap if off > 0 else -gap
                ):
                    return day.isoformat()
        return ""

    def _position_gap_changes(self) -> list[date]:
        """Return the days on which the position difference changes."""
        turns: list[date] = []
        before = ZERO
        stated = sorted((key for key in self._group if key[0] == "position"), key=lambda k: k[1].day)
        for key in stated:
            gap: Decimal = self._gaps.get(key, ZERO)
            if gap != before:
                turns.append(key[1].day)
            before = gap
        return turns

    def _differs_since(self, span: DayRange) -> date:
        return max((t for t in self._gap_change_days if t <= span.day), default=span.day)

    def _position_differs(self, span: DayRange) -> bool:
        """Return whether positions differ at the end of the period, or the difference changes within it."""
        stands = [key for key in self._gaps if key[0] == "position" and key[1].day <= span.day]
        if any(span.since <= turn <= span.day for turn in self._gap_change_days):
            return True
        last = max(
            (key[1].day for key in self._group if key[0] == "position" and key[1].day <= span.day),
            default=None,
        )
        return last is not None and any(key[1].day == last for key in stands)
