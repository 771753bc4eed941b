"""Objectives of an account: what is left to pass. They are open, met or failed, and break nothing."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from tearsheet.trade.amount import ZERO, proportional_share

ObjectiveName = Literal["profit_target", "min_trading_days", "winning_days", "consistency"]
ObjectiveState = Literal["open", "met", "failed"]
#: What a share of the best day is taken of.
ShareOf = Literal["profit", "positive_days", "target"]
DayMeasure = Literal["closed", "equity"]
Best = Literal["day", "trade"]
_HUNDRED = Decimal(100)

OBJECTIVES: dict[ObjectiveName, str] = {
    "profit_target": "Closed result since the start; met once nothing is open",
    "min_trading_days": "Days on which a position was opened",
    "winning_days": "Days that made enough",
    "consistency": "Share of the best day in the profit",
}


class Objective(Struct, frozen=True, kw_only=True):
    """One objective. `threshold` is money, days, or the largest share of the best day in percent.

    With `is_percent` it is a percentage of the starting balance. `at_least` is what a winning day makes, as
    money or, with `is_share_of_start`, as a percentage of the starting balance. Days count from `since` or from
    the last payout on, and until `by`; what is not met then has failed.
    """

    name: ObjectiveName
    threshold: Decimal
    is_percent: bool = False
    at_least: Decimal = ZERO
    is_share_of_start: bool = False
    measure: DayMeasure = "closed"
    of: ShareOf = "profit"
    is_strict: bool = False
    is_cap: bool = False
    best: Best = "day"
    since: date | None = None
    since_payout: bool = False
    by: date | None = None


class DayFacts(Struct, frozen=True):
    """A session of an account: what it made, its best trade, whether a position was opened, and how equity changed.

    `equity_change` leaves flows out, and is None where a price of what was open is not known.
    """

    session: date
    result: Decimal = ZERO
    best_trade: Decimal | None = None
    opened: bool = False
    equity_change: Decimal | None = None


class ObjectiveFacts(Struct, frozen=True):
    """What objectives are judged by: sessions in order since the start, and since the last payout on `paid_on`.

    `lacks_rate`: the sessions lack what was made in another currency, because a rate is missing.
    """

    days: tuple[DayFacts, ...]
    days_since_payout: tuple[DayFacts, ...]
    today: date
    is_flat: bool
    starting_balance: Decimal | None
    paid_on: date | None = None
    lacks_rate: bool = False


class ObjectiveView(Struct, frozen=True, kw_only=True):
    """Where an objective stands: its value beside the threshold, and what is missing.

    Of a consistency, `best` is the best day or trade, `share_percent` its share, `profit_needed` the profit with
    which it is small enough, `target` a profit target that rises with it, and `counted` the capped sum.
    """

    name: ObjectiveName
    state: ObjectiveState
    value: Decimal | None
    threshold: Decimal | None
    missing: Decimal | None
    reason: str | None = None
    best: Decimal | None = None
    share_percent: Decimal | None = None
    profit_needed: Decimal | None = None
    target: Decimal | None = None
    counted: Decimal | None = None
    since: date | None = None
    by: date | None = None


def judge_objectives(objectives: Sequence[Objective], facts: ObjectiveFacts) -> tuple[ObjectiveView, ...]:
    """Return where each objective stands; call it inside `exact()`."""
    return tuple(_Judge(objectives, facts).view(one) for one in objectives)


def _quotient(part: Decimal, whole: Decimal) -> Decimal:
    """Return part ÷ whole, cut after 12 decimals."""
    return proportional_share(part, _ONE, whole)


_ONE = Decimal(1)


class _Judge:
    """Judge of the objectives of one account, which may depend on each other: a target rises with the best day."""

    def __init__(self, objectives: Sequence[Objective], facts: ObjectiveFacts) -> None:
        self._all, self._facts = objectives, facts
        self._views: dict[ObjectiveName, Callable[[Objective], ObjectiveView]] = {
            "profit_target": self._profit_target,
            "min_trading_days": self._trading_days,
            "winning_days": self._winning_days,
            "consistency": self._consistency,
        }

    def view(self, one: Objective) -> ObjectiveView:
        if self._facts.lacks_rate and one.name != "min_trading_days":
            return self._unknown(one, None, "other_currencies")
        return self._views[one.name](one)

    def _days(self, one: Objective) -> list[DayFacts]:
        days = self._facts.days_since_payout if one.since_payout else self._facts.days
        first, last = one.since or date.min, one.by or date.max
        return [day for day in days if first <= day.session <= last]

    def _since(self, one: Objective) -> date | None:
        return self._facts.paid_on if one.since_payout else one.since

    def _money(self, amount: Decimal, *, is_percent: bool) -> Decimal | None:
        if not is_percent:
            return amount
        start = self._facts.starting_balance
        return None if start is None else start * amount.scaleb(-2)

    def _view(
        self,
        one: Objective,
        state: ObjectiveState,
        value: Decimal | None,
        threshold: Decimal | None,
        missing: Decimal | None,
        **more: Any,
    ) -> ObjectiveView:
        return ObjectiveView(
            name=one.name,
            state=state,
            value=value,
            threshold=threshold,
            missing=missing,
            since=self._since(one),
            by=one.by,
            **more,
        )

    def _state(self, one: Objective, *, met: bool) -> ObjectiveState:
        if met:
            return "met"
        return "failed" if one.by is not None and self._facts.today > one.by else "open"

    def _counted_view(
        self, one: Objective, value: Decimal, *, met: bool | None = None, reason: str | None = None
    ) -> ObjectiveView:
        reached = value >= one.threshold if met is None else met
        return self._view(
            one,
            self._state(one, met=reached),
            value,
            one.threshold,
            max(ZERO, one.threshold - value),
            reason=reason,
        )

    def _profit_target(self, one: Objective) -> ObjectiveView:
        value = sum((day.result for day in self._days(one)), ZERO)
        target = self._target(one)
        if target is None:
            return self._without_start(one, value)
        reached = value >= target
        return self._view(
            one,
            self._state(one, met=reached and self._facts.is_flat),
            value,
            target,
            max(ZERO, target - value),
            reason="open_positions" if reached and not self._facts.is_flat else None,
        )

    def _without_start(self, one: Objective, value: Decimal | None) -> ObjectiveView:
        return self._unknown(one, value, "no_starting_balance")

    def _unknown(self, one: Objective, value: Decimal | None, reason: str) -> ObjectiveView:
        """Return an objective that cannot be judged; it stays open."""
        return self._view(one, "open", value, None, None, reason=reason)

    def _target(self, target: Objective) -> Decimal | None:
        """Return the profit target in money; a consistency of it lets it rise with the best day."""
        amount = self._money(target.threshold, is_percent=target.is_percent)
        rule = next((one for one in self._all if one.name == "consistency"), None)
        if amount is None or rule is None or rule.of != "target" or rule.is_cap:
            return amount
        return max(amount, _quotient(self._best(rule) * _HUNDRED, rule.threshold))

    def _trading_days(self, one: Objective) -> ObjectiveView:
        return self._counted_view(one, Decimal(sum(day.opened for day in self._days(one))))

    def _winning_days(self, one: Objective) -> ObjectiveView:
        least = self._money(one.at_least, is_percent=one.is_share_of_start)
        if least is None:
            return self._without_start(one, None)
        days = self._days(one)
        made = [day.result if one.measure == "closed" else day.equity_change for day in days]
        if one.measure == "equity":
            # a day counts once it is over: equity at its end less equity at its start
            made = [change for day, change in zip(days, made, strict=True) if day.session < self._facts.today]
        enough = sum(value is not None and value > 0 and value >= least for value in made)
        return self._counted_view(one, Decimal(enough), reason="missing_marks" if None in made else None)

    def _best(self, one: Objective) -> Decimal:
        days = self._days(one)
        values = [day.result if one.best == "day" else day.best_trade or ZERO for day in days]
        return max([ZERO, *values])

    def _consistency(self, one: Objective) -> ObjectiveView:
        days, best = self._days(one), self._best(one)
        total = sum((day.result for day in days), ZERO)
        if one.is_cap or one.of == "target":
            return self._of_target(one, days, best, total)
        if one.of == "positive_days":
            total = sum((day.result for day in days if day.result > 0), ZERO)
        needed = _quotient(best * _HUNDRED, one.threshold)
        if total <= 0:
            return self._view(
                one,
                self._state(one, met=False),
                None,
                one.threshold,
                None,
                reason="no_profit",
                best=best,
                profit_needed=needed,
            )
        part = best * _HUNDRED
        met = part < one.threshold * total if one.is_strict else part <= one.threshold * total
        share = _quotient(part, total)
        return self._view(
            one,
            self._state(one, met=met),
            share,
            one.threshold,
            max(ZERO, needed - total),
            best=best,
            share_percent=share,
            profit_needed=needed,
        )

    def _of_target(
        self, one: Objective, days: Sequence[DayFacts], best: Decimal, total: Decimal
    ) -> ObjectiveView:
        """Return a consistency that lets the target rise, or counts of each day only its share of the target."""
        goal = next((other for other in self._all if other.name == "profit_target"), None)
        target = None if goal is None else self._target(goal)
        if target is None:
            return self._without_start(one, None)
        counted = total
        if one.is_cap:
            cap = target * one.threshold.scaleb(-2)
            counted = sum((min(day.result, cap) for day in days), ZERO)
        return self._view(
            one,
            self._state(one, met=counted >= target),
            counted,
            target,
            max(ZERO, target - counted),
            best=best,
            profit_needed=_quotient(best * _HUNDRED, one.threshold),
            target=target,
            counted=counted if one.is_cap else None,
        )
