"""Verification by the fold on columns: whether the books are what the stored fills come to.

It answers only yes or don't know. Where it does not know, `verify` rebuilds the books and names each difference.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from tearsheet.columns.exact_lane import FoldRules
from tearsheet.columns.fill_columns import BookedColumns, FoldOutput, PositionColumns, SessionTally
from tearsheet.columns.fold import Fold
from tearsheet.store.booking_rules import BookingRules
from tearsheet.store.kept_accounts import kept_calendars
from tearsheet.store.tables.columns import TallyRow
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.queries import FOLD_ORDER
from tearsheet.store.tables.tallies import decode
from tearsheet.trade.amount import to_plain_string

_BOOKING_ORDER = FOLD_ORDER.format(time="time_us", rank="rank", key="fill_key") + ", part"
_POSITION_ORDER = FOLD_ORDER.format(time="closed_us", rank="last_rank", key="last_key")
# the names come from the classes here, never from outside
# ruff: noqa: S608
_BOOKING_NAMES = (*BookedColumns._fields, "carry", "event", "cash")
_BOOKINGS = f"SELECT {', '.join(_BOOKING_NAMES)} FROM {{}} ORDER BY {_BOOKING_ORDER}"
_POSITION_NAMES = (*PositionColumns._fields, "logged", "carry", "closed_by")
_POSITIONS = f"SELECT {', '.join(_POSITION_NAMES)} FROM position"
_CLOSED = f"{_POSITIONS} WHERE closed_us IS NOT NULL ORDER BY {_POSITION_ORDER}"
_OPEN = f"{_POSITIONS} WHERE closed_us IS NULL ORDER BY id"
#: Books that depend on more than the fills in their order.
_BEYOND = ("any_event", "any_leg", "any_log_stream", "any_gap", "any_unstated_fee")

Column = list[Any]
#: Columns that are compared as numbers.
_AMOUNTS = frozenset(
    {
        *(
            "quantity",
            "price",
            "gross",
            "fees",
            "multiplier",
            "peak_quantity",
            "open_quantity",
            "entry_value",
        ),
        *("exit_value", "cost", "stop_loss", "target", "planned"),
    }
)


def books_equal_facts(ledger: Ledger, rules: BookingRules) -> dict[str, int] | None:
    """Return the number of rows of each book if all are what the fills come to; None if that is not known.

    Call it inside a snapshot of the ledger. Rows are streamed, so memory does not depend on the size of the ledger.
    """
    if (
        kept_calendars(ledger, rules.calendar).own
        or not rules.fees.is_empty
        or any(map(ledger.queries.exists, _BEYOND))
    ):
        return None
    fold = Fold(FoldRules(rules.calendar, rules.breakeven_band, rules.breakeven_breaks_streak))
    comparison = _Comparison(ledger)
    for columns in ledger.queries.fill_columns():
        folded = fold.add(columns)
        if not comparison.has_equal(folded):
            return None
    return comparison.counts if comparison.has_equal_end(fold.finish()) else None


class _Comparison:
    """Streams of the stored rows, read on by as many rows as a batch came to."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        # the union is sorted as a whole, which a ledger of large imports alone needs not
        view = "booked" if ledger.queries.exists("any_booking") else "booked_fill"
        self._bookings = ledger.connection.stream(_BOOKINGS.format(view))
        self._closed = ledger.connection.stream(_CLOSED)
        self.counts = {"position": 0, "booking": 0, "log_stream": 0, "gap": 0, "tally": 0}

    def has_equal(self, folded: FoldOutput) -> bool:
        """Return whether the next stored rows are those of a batch."""
        bookings, positions = _booking_columns(folded.bookings), _position_columns(folded.positions)
        self.counts["booking"] += len(bookings[0])
        self.counts["position"] += len(positions[0])
        is_equal = _are_equal(_BOOKING_NAMES, bookings, self._bookings)
        is_equal = is_equal and _are_equal(_POSITION_NAMES, positions, self._closed)
        return is_equal and all(map(self._has_tally, folded.tallies))

    def has_equal_end(self, folded: FoldOutput) -> bool:
        """Return whether the stored rows end with the open positions and the tallies of the last session."""
        if next(self._bookings, None) is not None or next(self._closed, None) is not None:
            return False
        self._closed = self._ledger.connection.stream(_OPEN)
        order = sorted(range(len(folded.positions.id)), key=folded.positions.id.__getitem__)
        columns: list[Column] = [[column[n] for n in order] for column in folded.positions]
        opened = PositionColumns(*columns)
        is_equal = self.has_equal(folded._replace(positions=opened)) and next(self._closed, None) is None
        return is_equal and self._ledger.queries.value("tally_count") == self.counts["tally"]

    def _has_tally(self, made: SessionTally) -> bool:
        self.counts["tally"] += 1
        parameters = (made.account, made.session.isoformat(), made.currency)
        row = self._ledger.queries.row(TallyRow, "tally", parameters)
        return row is not None and row.last_us == made.last_us and decode(row.body) == made.tally


def _booking_columns(booked: BookedColumns) -> list[Column]:
    nothing = [None] * len(booked.part)
    return [*booked, nothing, nothing, nothing]


def _position_columns(columns: PositionColumns) -> list[Column]:
    count = len(columns.id)
    nothing = [None] * count
    return [*columns, [0] * count, nothing, nothing]


def _are_equal(names: Sequence[str], made: list[Column], stored: Iterator[tuple[Any, ...]]) -> bool:
    """Return whether the next stored rows are those made; amounts may be stored with zeros at their end."""
    count = len(made[0])
    found = list(islice(stored, count))
    if len(found) < count:
        return False
    columns = zip(names, made, map(list, zip(*found, strict=True)), strict=True) if count else ()
    return all(
        own == other or (name in _AMOUNTS and own == list(map(_canonical, other)))
        for name, own, other in columns
    )


def _canonical(text: str | None) -> str | None:
    """Return the canonical text of an amount that may be stored with zeros at its end or an exponent."""
    if text is None or "E" in text:
        return None if text is None else to_plain_string(Decimal(text))
    return text.rstrip("0").rstrip(".") if "." in text else text
