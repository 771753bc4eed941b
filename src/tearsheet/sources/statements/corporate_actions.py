"""Corporate actions and transfers: rows of shares received or delivered, grouped into events.

A reverse split or a merger has a row for the shares that went and one for those that came; a cash merger may have its
cash in a row of its own. Rows belong together by the id of the action, else by day, kind and symbol.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct, structs

from tearsheet.sources.layouts.layout import Action
from tearsheet.sources.statements.raw_fill import RawEvent
from tearsheet.sources.text.problem import RowError, RowProblem
from tearsheet.trade.amount import EXACT, ZERO, to_plain_string
from tearsheet.trade.event import EventTerms, Ratio

#: An identifier in place of a symbol, for shares that have none any more.
_CUSIP = re.compile(r"^[0-9][0-9A-Z]{8}$")
_RETIRED = ".OLD"
_STATE_IT = "state it as an event in the generic format, see docs/data-formats.md"
_SPLITS = ("split", "reverse_split")
#: Actions that replace shares by others, whose two sides may have two symbols.
_REPLACES = ("reverse_split", "merger", "rename")
#: Actions whose cash may have a row of its own, on another day.
_PAID = ("merger", "redemption")
_Number = Callable[[str, str], tuple[Decimal | None, str]]


class ShareMove(Struct):
    """Row of a corporate action: shares received (above 0) or delivered, cash, and the terms in its text.

    `parent` is the company whose action it is, `to` the symbol that it goes on under, `ratio` new for old.
    """

    kind: Action
    raw: RawEvent
    quantity: Decimal
    parent: str = ""
    to: str = ""
    ratio: Ratio | None = None
    group: str = ""
    line: int = 0
    cells: Sequence[str] = ()


def share_move(
    kind: Action, raw: RawEvent, values: Mapping[str, str], number: _Number, sells: Container[str]
) -> ShareMove:
    """Return the row of an action; the shares of a sale went. Raises RowError for an invalid number."""
    if values.get("side", "").casefold() in sells or kind == "transfer_out":
        raw.quantity = EXACT.minus(raw.quantity.copy_abs()) or ZERO
    kind = "transfer" if kind in ("transfer_in", "transfer_out") else kind
    pair = [number(field, values.get(field, ""))[0] for field in ("new", "old")]
    ratio = (pair[0], pair[1]) if pair[0] and pair[1] else None
    return ShareMove(
        kind,
        raw,
        raw.quantity,
        _symbol(values.get("parent", "")),
        _symbol(values.get("to_symbol", "")),
        ratio,
        values.get("action_id", ""),
    )


def action_events(moves: Sequence[ShareMove]) -> Iterator[tuple[ShareMove, RawEvent | RowProblem | None]]:
    """Yield an event with one of its rows; a problem for rows that state no event, None for rows without effect."""
    for group in _groups(moves):
        try:
            events = _EVENTS[group[0].kind](group)
        except RowError as bad:
            yield from ((move, bad.problem) for move in group)
            continue
        yield from ((group[0], event) for event in events)
        yield from ((move, None) for move in group[len(events) :])


def _groups(moves: Sequence[ShareMove]) -> Iterator[list[ShareMove]]:
    groups: dict[tuple[str, ...], list[ShareMove]] = defaultdict(list)
    for move in moves:
        account = "" if move.kind == "transfer" else move.raw.account
        when = _instant(move) if move.kind == "rename" else _day(move)
        name = move.group or f"{when} {_symbol(move.raw.symbol) or move.parent}"
        groups[account, move.kind, "id" if move.group else "", name].append(move)
    return _joined(_with_cash(list(groups.values())))


def _with_cash(groups: list[list[ShareMove]]) -> list[list[ShareMove]]:
    """Return the groups; merge the cash of a merger into its share delivery of another day if each is unique."""
    apart: dict[tuple[str, str, str], list[list[ShareMove]]] = defaultdict(list)
    for group in groups:
        first = group[0]
        if first.kind in _PAID and not first.group:
            apart[first.raw.account, first.kind, _symbol(first.raw.symbol)].append(group)
    for own in apart.values():
        paid = [group for group in own if not any(move.quantity for move in group)]
        went = [group for group in own if _is_went(group)]
        if len(own) == 2 and len(paid) == len(went) == 1:
            groups = [group for group in groups if group not in own]
            groups.append([*paid[0], *went[0]])
    return groups


def _joined(groups: list[list[ShareMove]]) -> Iterator[list[ShareMove]]:
    """Yield groups, where two of a day are the two sides of one action, or its shares and its cash, together."""
    loose: list[list[ShareMove]] = []
    for group in groups:
        first = group[0]
        if first.group or first.kind not in _REPLACES or not (_is_went(group) or _is_came(group)):
            yield group
        else:
            loose.append(group)
    for when in (_instant, _day):
        pairs: dict[tuple[str, str, str], list[list[ShareMove]]] = defaultdict(list)
        for group in loose:
            pairs[group[0].raw.account, group[0].kind, when(group[0])].append(group)
        loose = []
        for sides in pairs.values():
            went, came = [g for g in sides if _is_went(g)], [g for g in sides if not _is_went(g)]
            if len(went) == len(came) == 1:
                yield [*went[0], *came[0]]
            else:
                loose += sides
    yield from loose


def _is_went(group: Sequence[ShareMove]) -> bool:
    is_bare = group[0].kind == "rename" or not _cash(group)  # the worth of what is renamed is no cash
    return is_bare and all(move.quantity < ZERO for move in group)


def _is_came(group: Sequence[ShareMove]) -> bool:
    return all(move.quantity > ZERO for move in group)


def _instant(move: ShareMove) -> str:
    return move.raw.time


def _day(move: ShareMove) -> str:
    return re.split(r"[ ;T,]", move.raw.time, maxsplit=1)[0]


def _symbol(text: str) -> str:
    return " ".join(text.upper().split()).removesuffix(_RETIRED).strip("-")


def _cash(group: Sequence[ShareMove]) -> Decimal:
    total = ZERO
    for move in group:
        total = EXACT.add(total, move.raw.amount or ZERO)
    return total


class _Sides(Struct):
    """Delivered and received symbol and quantity of an action; None if the rows state none."""

    old: str | None
    old_quantity: Decimal
    new: str | None
    new_quantity: Decimal


def _sides(group: Sequence[ShareMove]) -> _Sides:
    """Return both sides of an action. Raises RowError for more than two symbols."""
    moved: dict[tuple[str, bool], Decimal] = defaultdict(Decimal)
    for move in group:
        if move.quantity:
            key = (_symbol(move.raw.symbol), move.quantity > ZERO)
            moved[key] = EXACT.add(moved[key], move.quantity)
    went, came = ([(name, q) for (name, up), q in moved.items() if up is is_up] for is_up in (False, True))
    if len(went) > 1 or len(came) > 1:
        raise _refused(group, "its rows are of several securities", _STATE_IT)
    retired = any(move.quantity > ZERO and move.raw.symbol.upper().endswith(_RETIRED) for move in group)
    parent = next((move.parent for move in group if move.parent), "")
    if went and came and (retired or (parent == came[0][0] != went[0][0])):
        went, came = came, went  # of a short position
    old, new = (side[0] if side else None for side in (went, came))
    name = old[0] if old else None
    if name is not None and new and group[0].kind in _SPLITS and (not name or _CUSIP.match(name)):
        name = new[0]
    if "" in (name, new[0] if new else None):
        raise _refused(group, "one of its rows has no symbol", _STATE_IT)
    return _Sides(
        name, old[1].copy_abs() if old else ZERO, new[0] if new else None, new[1].copy_abs() if new else ZERO
    )


def _refused(group: Sequence[ShareMove], why: str, hint: str) -> RowError:
    names = ", ".join(dict.fromkeys(filter(None, (move.raw.symbol for move in group)))) or "no symbol"
    return RowError("unknown_row", f"a {group[0].kind.replace('_', ' ')} of {names}: {why}", hint)


def _split(group: Sequence[ShareMove]) -> list[RawEvent]:
    sides, first = _sides(group), group[0]
    ratio = next((move.ratio for move in group if move.ratio), None)
    if sides.old is not None and sides.new is not None:
        return _exchange(group)
    name, moved = (sides.new, sides.new_quantity) if sides.old is None else (sides.old, -sides.old_quantity)
    is_reverse = first.kind == "reverse_split" or (ratio is not None and ratio[0] < ratio[1])
    is_whole = is_reverse and moved > ZERO
    if not moved or is_whole:
        if not moved and ratio is None and _cash(group):
            return [_event(group, "dividend", _symbol(first.raw.symbol), amount=_cash(group))]
        if ratio is None:
            raise _refused(
                group,
                "neither the shares that went nor a ratio is stated",
                f"export a period that holds both of its rows, or {_STATE_IT}",
            )
        return [
            _event(group, "split", _symbol(first.raw.symbol), terms=EventTerms(ratio=ratio)),
            *_in_lieu(group),
        ]
    assert name is not None
    return [_event(group, "split", name, quantity=moved, terms=EventTerms(delta=moved)), *_in_lieu(group)]


def _in_lieu(group: Sequence[ShareMove], name: str = "") -> list[RawEvent]:
    """Return the cash for a fraction, as money of the position."""
    cash = _cash(group)
    return (
        [_event(group, "cash_settlement", name or _symbol(group[0].raw.symbol), amount=cash)] if cash else []
    )


def _exchange(group: Sequence[ShareMove]) -> list[RawEvent]:
    """Return the event by which shares are replaced by others of the same or another symbol."""
    sides = _sides(group)
    assert sides.old is not None
    assert sides.new is not None
    terms = EventTerms(ratio=(sides.new_quantity, sides.old_quantity))
    if sides.old == sides.new:
        return [_event(group, "split", sides.old, terms=terms), *_in_lieu(group)]
    terms = structs.replace(terms, to=sides.new)
    if group[0].kind == "rename" and sides.old_quantity == sides.new_quantity:
        terms = EventTerms(to=sides.new)
        return [_event(group, "rename", sides.old, quantity=sides.old_quantity, terms=terms)]
    cash = _cash(group) or None
    return [_event(group, "merger", sides.old, quantity=sides.old_quantity, amount=cash, terms=terms)]


def _merger(group: Sequence[ShareMove]) -> list[RawEvent]:
    sides, cash = _sides(group), _cash(group)
    if sides.old is not None and sides.new is not None:
        return _exchange(group)
    if sides.old is not None and cash > ZERO:
        return [_ended(group, sides.old, sides.old_quantity, cash, "merger")]
    if sides.new is not None and cash < ZERO:  # of a short position
        return [_ended(group, sides.new, sides.new_quantity, cash, "merger")]
    missing = "the cash or the shares that came" if sides.old is not None else "the shares that went"
    raise _refused(
        group,
        f"{missing} have no row in the file{_cash_words(cash)}",
        f"export a period that holds all of its rows, or {_STATE_IT}",
    )


def _cash_words(cash: Decimal) -> str:
    return f"; it pays {to_plain_string(cash)}" if cash else ""


def _redemption(group: Sequence[ShareMove]) -> list[RawEvent]:
    sides = _sides(group)
    if sides.old is None or not _cash(group):
        raise _refused(group, "what was redeemed or its cash is not stated", _STATE_IT)
    return [_ended(group, sides.old, sides.old_quantity, _cash(group), "redemption")]


def _worthless(group: Sequence[ShareMove]) -> list[RawEvent]:
    sides = _sides(group)
    name, quantity = (sides.old, sides.old_quantity) if sides.old else (sides.new, sides.new_quantity)
    if not name or (sides.old and sides.new):
        raise _refused(group, "the shares that went are not stated", _STATE_IT)
    return [_ended(group, name, quantity, _cash(group), "delisting")]


def _ended(group: Sequence[ShareMove], name: str, quantity: Decimal, cash: Decimal, how: str) -> RawEvent:
    return _event(group, "settle", name, quantity=quantity, amount=cash, terms=EventTerms(how=how))


def _rename(group: Sequence[ShareMove]) -> list[RawEvent]:
    sides, first = _sides(group), group[0]
    if sides.old is not None and sides.new is not None:
        same = sides.old == sides.new and sides.old_quantity == sides.new_quantity
        return [] if same else _exchange(group)  # another identifier only
    own = _symbol(first.raw.symbol)
    old, new = first.parent or own, first.to or own
    if not old or not new:
        raise _refused(group, "the old or the new symbol is not stated", _STATE_IT)
    if old == new:
        if first.quantity:
            why = "the other of its two rows is not in the file, unless it is a spin-off or stock dividend"
            raise _refused(group, why, _STATE_IT)
        return []
    return [_event(group, "rename", old, terms=EventTerms(to=new))]


def _spin_off(group: Sequence[ShareMove]) -> list[RawEvent]:
    sides, parent = _sides(group), next((move.parent for move in group if move.parent), "")
    child = sides.new or sides.old
    if group[0].kind == "stock_dividend" and parent in ("", child):
        return _split([structs.replace(move, kind="split", ratio=None) for move in group])
    if not child or not parent or parent == child:
        raise _refused(group, "the company that it came from is not stated", _STATE_IT)
    quantity = EXACT.subtract(sides.new_quantity, sides.old_quantity)
    terms = EventTerms(to=child)
    return [_event(group, "spin_off", parent, quantity=quantity, terms=terms), *_in_lieu(group, child)]


def _transfer(group: Sequence[ShareMove]) -> list[RawEvent]:
    """Return the transfer of shares; between two accounts of the file it carries the cost."""
    moved: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for move in group:
        key = (move.raw.account, _symbol(move.raw.symbol))
        moved[key] = EXACT.add(moved[key], move.quantity)
    events = []
    changed = {key: quantity for key, quantity in moved.items() if quantity}
    accounts = [account for account, _ in changed]
    if len(changed) == 2 and accounts[0] != accounts[1] and sum(changed.values()) == ZERO:
        (there, _), (here, name) = sorted(changed, key=changed.__getitem__, reverse=True)
        own = next(move.raw for move in group if move.raw.account == here)
        quantity = -changed[here, name]
        event = structs.replace(own, kind="transfer_out", amount=None, symbol=name, quantity=quantity)
        event.terms = EventTerms(to_account=there)
        events.append(event)
    else:
        for (account, name), quantity in changed.items():
            own = next(m.raw for m in group if m.raw.account == account and _symbol(m.raw.symbol) == name)
            kind = "transfer_in" if quantity > ZERO else "transfer_out"
            size = quantity if kind == "transfer_in" else -quantity
            terms = EventTerms(cost=own.terms.cost)
            events.append(
                structs.replace(own, kind=kind, amount=None, symbol=name, quantity=size, terms=terms)
            )
    cash = _cash([move for move in group if not move.quantity])
    return [*events, *([_event(group, "transfer", "", amount=cash)] if cash else [])]


def _event(
    group: Sequence[ShareMove],
    kind: str,
    symbol: str,
    *,
    quantity: Decimal = ZERO,
    amount: Decimal | None = None,
    terms: EventTerms | None = None,
) -> RawEvent:
    raw = structs.replace(group[0].raw, kind=kind, symbol=symbol, quantity=quantity, amount=amount)
    raw.terms = terms or EventTerms()
    return raw


_EVENTS: dict[Action, Callable[[Sequence[ShareMove]], list[RawEvent]]] = {
    "split": _split,
    "reverse_split": _split,
    "merger": _merger,
    "rename": _rename,
    "spin_off": _spin_off,
    "stock_dividend": _spin_off,
    "worthless": _worthless,
    "redemption": _redemption,
    "transfer": _transfer,
}
