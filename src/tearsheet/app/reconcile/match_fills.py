"""Fill matching between a broker statement and the ledger: missing fills, fee and time differences."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.sources.reports.reported import ReportedFill, Role
from tearsheet.trade.amount import ZERO
from tearsheet.trade.fill import Fill, Side

FillDifferenceKind = Literal["books", "report", "fee", "instant"]
#: Tolerance for times, because statements truncate or round to the second.
_NEAR = timedelta(seconds=2)
#: Maximum time between an order and its partial fills.
_ORDER = timedelta(days=1)
#: Maximum number of consecutive fills that are tried as one order.
_LONGEST_RUN = 200
#: Time zone offsets: multiples of the first, at most the second.
_QUARTER, _FURTHEST = timedelta(minutes=15), timedelta(hours=26)
#: Maximum number of candidate pairs; more mean another cause, such as a wrong time zone or account.
_MOST_TRIED = 100_000


class FillDifference(Struct, frozen=True):
    """Fill missing in the ledger (`books`) or the statement (`report`), or with another `fee` or `instant`.

    `line` is the line of the statement, `fee` the broker's fee minus the ledger's, and `late` the
    seconds by which the ledger's time is later (negative: earlier).
    """

    lacking: FillDifferenceKind
    account: str
    symbol: str
    role: Role
    side: str
    quantity: Decimal
    price: Decimal
    at: datetime
    fill_id: str | None
    line: int | None
    fee: Decimal
    late: int = 0

    @property
    def description(self) -> str:
        """Return the difference as text."""
        where = f"line {self.line}: " if self.line else ""
        what = {
            "books": f"our books lack the {self.role + ' ' if self.role else ''}fill",
            "report": "missing in the statement: fill",
            "fee": f"the fee is {self.fee:+f} of ours for the fill",
            "instant": f"our fill is {timedelta(seconds=abs(self.late))} h "
            f"{'later' if self.late > 0 else 'earlier'} than theirs (is a time zone wrong?):",
        }[self.lacking]
        name = f", id {self.fill_id}" if self.fill_id else ""
        return (
            f"{where}{what} {self.account} {self.side} {self.quantity:f} {self.symbol} "
            f"@ {self.price:f} at {self.at.isoformat()}{name}"
        )


class FillMatch(Struct):
    """Match result of one instrument: the differences, and the ledger's fills adjusted to the statement."""

    differences: list[FillDifference]
    with_fills: list[Fill]
    with_fees: list[Fill]


class _BrokerFill:
    __slots__ = ("left", "match", "one")

    def __init__(self, one: ReportedFill) -> None:
        self.one, self.left = one, one.fill.quantity
        self.match: _LedgerFill | None = None


class _LedgerFill:
    __slots__ = ("fee", "fill", "late", "left")

    def __init__(self, fill: Fill) -> None:
        self.fill, self.left, self.fee = fill, fill.quantity, fill.commission
        self.late = timedelta(0)


def match_fills(
    theirs: Iterable[ReportedFill],
    ours: Sequence[Fill],
    window: tuple[datetime, datetime] | None,
    *,
    pairs: bool,
    ids_known: bool,
) -> FillMatch:
    """Match the fills of one instrument; ledger fills outside `window` need no counterpart.

    With `pairs` the statement has only closed round trips, so fills of open positions need no
    counterpart either.
    """
    left, right = [_BrokerFill(one) for one in theirs], [_LedgerFill(fill) for fill in ours]
    _match_ids(left, right)
    alone = [one for one in left if one.left and not (one.one.fill.fill_id and ids_known)]
    _match_content(alone, right)
    _match_time_zone(alone, right)
    _match_orders(alone, right)
    surplus = [o for o in right if o.left and window and window[0] <= o.fill.time <= window[1]]
    if pairs:
        _ignore_open_fills(right, surplus)
    differences = [_missing_in_ledger(t) for t in left if t.left]
    differences += [_missing_in_statement(o) for o in surplus if o.left]
    differences += [_fee_difference(t, o) for t, o in _fee_pairs(left)]
    differences += [_time_difference(t, o) for t, o in _time_shifted_pairs(left)]
    unmatched = {id(o): o.left for o in surplus if o.left}
    added = [replace(t.one.fill, quantity=t.left) for t in left if t.left]
    return FillMatch(
        differences,
        _adjusted_fills(right, added, unmatched, with_fees=False),
        _adjusted_fills(right, added, unmatched, with_fees=True),
    )


def _match_ids(left: Sequence[_BrokerFill], right: Sequence[_LedgerFill]) -> None:
    known = {one.fill.key: one for one in right}
    for t in left:
        o, fill = known.get(t.one.fill.key), t.one.fill
        if o is not None and (o.fill.side, o.fill.price) == (fill.side, fill.price):
            _pair(t, o)


def _match_content(left: Sequence[_BrokerFill], right: Sequence[_LedgerFill]) -> None:
    """Match by side, price and time, nearest first; whole fills before partial ones."""
    places: dict[tuple[Side, Decimal], list[_LedgerFill]] = {}
    for o in right:
        places.setdefault((o.fill.side, o.fill.price), []).append(o)
    for is_whole in (True, False):
        for t in left:
            fill = t.one.fill
            near = [
                o
                for o in places.get((fill.side, fill.price), ())
                if o.left and abs(o.fill.time - fill.time) < _NEAR and (not is_whole or o.left == t.left)
            ]
            near.sort(key=lambda o: abs(o.fill.time - fill.time))
            for o in near:
                if t.left:
                    _pair(t, o)


def _match_time_zone(left: Sequence[_BrokerFill], right: Sequence[_LedgerFill]) -> None:
    """Match all remaining fills at one or two time zone offsets (standard and daylight time).

    Makes no match unless every remaining statement fill has a counterpart, and there are at least two.
    """
    waiting = [t for t in left if t.left]
    free = [o for o in right if o.left]
    pairs: list[tuple[_BrokerFill, _LedgerFill]] = []
    for _ in range(2):
        if not waiting:
            break
        offs = {_time_shift(waiting[0], o) for o in free if _is_same(waiting[0], o)} - {timedelta(0)}
        tried = (_shifted_matches(waiting, free, off) for off in sorted(offs, key=abs))
        best = max(tried, key=len, default=[])
        pairs += best
        matched = {id(one) for pair in best for one in pair}
        waiting = [t for t in waiting if id(t) not in matched]
        free = [o for o in free if id(o) not in matched]
    if len(pairs) > 1 and not waiting:
        for t, o in pairs:
            _pair(t, o)


def _shifted_matches(
    left: Sequence[_BrokerFill], right: Sequence[_LedgerFill], late: timedelta
) -> list[tuple[_BrokerFill, _LedgerFill]]:
    """Return the pairs that are equal except that the ledger's time is later by `late`."""
    places: dict[tuple[Side, Decimal, int], list[_LedgerFill]] = defaultdict(list)
    for o in right:
        places[o.fill.side, o.fill.price, int(o.fill.time.timestamp())].append(o)
    pairs = []
    for t in left:
        fill = t.one.fill
        second = int((fill.time + late).timestamp())
        for near in (second, second - 1, second + 1):
            candidates = places.get((fill.side, fill.price, near), [])
            if same := [o for o in candidates if o.left == t.left]:
                candidates.remove(same[0])
                pairs.append((t, same[0]))
                break
    return pairs


def _is_same(t: _BrokerFill, o: _LedgerFill) -> bool:
    fill = t.one.fill
    return (o.fill.side, o.fill.price, o.left) == (fill.side, fill.price, t.left)


def _time_shift(t: _BrokerFill, o: _LedgerFill) -> timedelta:
    """Return how much later the ledger's time is, if that is a possible time zone offset; else 0."""
    off = o.fill.time - t.one.fill.time
    whole = round(off / _QUARTER) * _QUARTER
    return whole if abs(off - whole) < _NEAR and abs(whole) <= _FURTHEST else timedelta(0)


def _time_shifted_pairs(left: Sequence[_BrokerFill]) -> list[tuple[_BrokerFill, _LedgerFill]]:
    """Return pairs that differ only in time, by time zone offsets.

    Empty for fewer than two, or if any difference is not a time zone offset: the statement then has no
    exact times.
    """
    pairs = [(t, t.match) for t in left if t.match is not None]
    apart = [(t, o) for t, o in pairs if abs(o.fill.time - t.one.fill.time) >= _NEAR]
    if len(apart) < 2 or not all(_time_shift(t, o) for t, o in apart):
        return []
    for t, o in apart:
        o.late = _time_shift(t, o)
    return apart


def _match_orders(left: Sequence[_BrokerFill], right: Sequence[_LedgerFill]) -> None:
    """Match orders at average prices on one side with their partial fills on the other."""
    left, right = [t for t in left if t.left], [o for o in right if o.left]
    if len(left) * len(right) > _MOST_TRIED:
        return
    for t in left:
        free = [o for o in right if o.left and o.fill.side is t.one.fill.side]
        for run in _find_parts(t.one.fill, t.left, [(o.fill, o.left) for o in free]):
            _pair(t, free[run])
    for o in right:
        if o.left:
            waiting = [t for t in left if t.left and t.one.fill.side is o.fill.side]
            for run in _find_parts(o.fill, o.left, [(t.one.fill, t.left) for t in waiting]):
                _pair(waiting[run], o)


def _find_parts(order: Fill, quantity: Decimal, parts: Sequence[tuple[Fill, Decimal]]) -> Sequence[int]:
    """Return the consecutive fills that add up to the quantity and average price of an order."""
    if not quantity:
        return ()
    places = max(0, -int(order.price.as_tuple().exponent))
    slack = quantity / 2 * Decimal(10) ** -places
    for first in range(len(parts)):
        if abs(parts[first][0].time - order.time) > _ORDER:
            continue
        total = value = ZERO
        for last in range(first, min(len(parts), first + _LONGEST_RUN)):
            fill, left = parts[last]
            total += left
            value += left * fill.price
            if total >= quantity:
                break
        if total == quantity and last > first and abs(value - quantity * order.price) <= slack:
            return range(first, last + 1)
    return ()


def _pair(t: _BrokerFill, o: _LedgerFill) -> None:
    quantity = min(t.left, o.left)
    t.left -= quantity
    o.left -= quantity
    if not (t.left or o.left) and quantity == t.one.fill.quantity == o.fill.quantity:
        t.match = o


def _ignore_open_fills(right: Sequence[_LedgerFill], surplus: Sequence[_LedgerFill]) -> None:
    """Exclude the fills of the open position: the latest fills on its side."""
    held = sum((o.fill.quantity if o.fill.side is Side.BUY else -o.fill.quantity for o in right), ZERO)
    side, left = (Side.BUY if held > 0 else Side.SELL), abs(held)
    for o in reversed(surplus):
        if left and o.fill.side is side:
            quantity = min(left, o.left)
            o.left -= quantity
            left -= quantity


def _fee_pairs(left: Sequence[_BrokerFill]) -> Iterable[tuple[_BrokerFill, _LedgerFill]]:
    """Yield pairs that differ only in the fee."""
    for t in left:
        o = t.match
        if o is not None and t.one.has_fee and o.fill.commission != t.one.fill.commission:
            o.fee = t.one.fill.commission
            yield t, o


def _missing_in_ledger(t: _BrokerFill) -> FillDifference:
    return _difference("books", t.one.fill, t.left, t.one.role, t.one.line, t.one.fill.commission)


def _missing_in_statement(o: _LedgerFill) -> FillDifference:
    return _difference("report", o.fill, o.left, "", None, -o.fill.commission)


def _fee_difference(t: _BrokerFill, o: _LedgerFill) -> FillDifference:
    fee = t.one.fill.commission - o.fill.commission
    return _difference("fee", o.fill, o.fill.quantity, t.one.role, t.one.line, fee)


def _time_difference(t: _BrokerFill, o: _LedgerFill) -> FillDifference:
    one = _difference("instant", o.fill, o.fill.quantity, t.one.role, t.one.line, ZERO)
    return replace(one, late=int(o.late.total_seconds()))


def _difference(
    lacking: FillDifferenceKind, fill: Fill, quantity: Decimal, role: Role, line: int | None, fee: Decimal
) -> FillDifference:
    return FillDifference(
        lacking,
        fill.account,
        fill.symbol,
        role,
        fill.side.value,
        quantity,
        fill.price,
        fill.time,
        fill.fill_id,
        line,
        fee,
    )


def _adjusted_fills(
    right: Sequence[_LedgerFill], added: Sequence[Fill], unmatched: Mapping[int, Decimal], *, with_fees: bool
) -> list[Fill]:
    """Return the ledger's fills plus the statement's extra fills, minus those not in the statement."""
    adjusted = []
    for o in right:
        quantity = o.fill.quantity - unmatched.get(id(o), ZERO)
        if quantity:
            fee = o.fee if with_fees else o.fill.commission
            at = o.fill.time - o.late
            adjusted.append(replace(o.fill, quantity=quantity, commission=fee, time=at))
    return sorted([*adjusted, *added], key=lambda fill: fill.order)
