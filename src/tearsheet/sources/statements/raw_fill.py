"""`RawFill` and `RawEvent`, the typed form of a fill or event between the rules of a layout and the ledger's value."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from tearsheet.sources.files.csv_rows import extra_columns_problem
from tearsheet.sources.layouts.layout import FIELDS, Action, Layout
from tearsheet.sources.text.contracts import is_fraction
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.problem import RowError, RowProblem
from tearsheet.trade.amount import EXACT, ONE, ZERO
from tearsheet.trade.event import NO_TERMS, EventKind, EventTerms
from tearsheet.trade.fill import Side

#: The fields that are numbers; the first five are in a file's own number format.
NUMBERS = (
    "quantity",
    "price",
    "commission",
    "stop_loss",
    "target",
    "multiplier",
    "amount",
    "cash",
    "fee_worth",
)
#: The numbers by which the number format of a file is detected.
_PLAIN_NUMBERS = ("quantity", "price", "commission", "stop_loss", "target")
_NUMBER_HINT = "allowed is a finite decimal number below 10^18"
_CACHE_SIZE = 10_000
_Value = TypeVar("_Value")


class RawFill(Struct, gc=False):
    """One fill as its file states it: numbers are parsed, the rest is text, "" for an absent field.

    The fields are those of `FIELDS`, in that order. `FillParser` raises `bad_number` once it knows
    account and time, so that the rejection has them. `leg`: a side of a round trip, which
    has its time or its day only. `fraction`: a price as written that may be in 32nds or have thousands; the
    tick of the instrument tells, and `price` is the latter reading. `swap` is below 0 where it was paid.
    `fee_worth` is the value of one of the fee's currency in that of the trade; without one, a fee in a third currency
    becomes `foreign_fee`: cost and currency.
    """

    account: str = ""
    symbol: str = ""
    time: str = ""
    side: str = ""
    quantity: Decimal | None = None
    price: Decimal | None = None
    commission: Decimal | None = None
    fill_id: str = ""
    order_id: str = ""
    strategy: str = ""
    stop_loss: Decimal | None = None
    target: Decimal | None = None
    currency: str = ""
    asset_class: str = ""
    multiplier: Decimal | None = None
    amount: Decimal | None = None
    cash: Decimal | None = None
    fee_currency: str = ""
    base: str = ""
    status: str = ""
    effect: str = ""
    realized: str = ""
    trade_day: str = ""
    position_side: str = ""
    fee_worth: Decimal | None = None
    bad_number: RowProblem | None = None
    leg: Literal["", "time", "day"] = ""
    accrued: Decimal | None = None
    fraction: str = ""
    swap: Decimal | None = None
    swap_currency: str = ""
    foreign_fee: tuple[Decimal, str] | None = None
    is_end: bool = False

    def accrued_interest(self, side: Side) -> "RawEvent | None":
        """Return the accrued interest of a bond: paid with a purchase, received with a sale."""
        if not self.accrued:
            return None
        amount = self.accrued.copy_abs()
        return RawEvent(
            kind="accrued_interest",
            amount=amount if side is Side.SELL else EXACT.minus(amount),
            account=self.account,
            symbol=self.symbol,
            time=self.time,
            currency=self.currency,
            asset_class=self.asset_class,
            event_id=self.fill_id,
        )

    def swap_event(self) -> "RawEvent | None":
        """Return the swap that the row of the fill states, as an event at its time."""
        if not self.swap:
            return None
        return RawEvent(
            kind="swap",
            amount=self.swap,
            account=self.account,
            symbol=self.symbol,
            time=self.time,
            currency=self.swap_currency or self.currency,
            asset_class=self.asset_class,
            event_id=self.fill_id.partition(":")[0],
            multiplier=self.multiplier,
        )


class RawEvent(Struct, gc=False):
    """One event as its file states it; `amount` is signed, below 0 was paid. Names and times are text."""

    kind: EventKind
    amount: Decimal | None
    quantity: Decimal = ZERO
    commission: Decimal = ZERO
    terms: EventTerms = NO_TERMS
    account: str = ""
    symbol: str = ""
    time: str = ""
    currency: str = ""
    asset_class: str = ""
    event_id: str = ""
    position_side: str = ""
    held_on: str = ""
    multiplier: Decimal | None = None
    #: what a cancellation moved, where no column states its fee
    cash: Decimal | None = None
    #: amount and currency that a conversion came to
    received: tuple[Decimal, str] | None = None

    def second_leg(self) -> "RawEvent | None":
        """Return the receiving leg of a conversion as an event."""
        if self.received is None:
            return None
        amount, currency = self.received
        identity = f"{self.event_id}:{currency}" if self.event_id else ""
        return replace(self, amount=amount, currency=currency, event_id=identity, received=None)


class InvalidRow(Struct, frozen=True):
    """A row that the rules reject, and its account if it states one."""

    problem: RowProblem
    account: str | None = None


class RoundTripRow(Struct, frozen=True):
    """Both fills of a round trip, and its result in `currency` if the row states one.

    The first is the entry; of a row that states what was bought and what was sold, the earlier one is.
    """

    entry: RawFill
    exit: RawFill
    result: Decimal | None
    currency: str
    gross: Decimal | None = None


class PickedRow(Struct, frozen=True):
    """The texts of a row by field, and those of its fee columns; with an event, a position ends by it.

    `kind` is that of an event with money, `action` the corporate action of its shares.
    """

    values: dict[str, str]
    fees: Sequence[str] = ()
    exit_fees: Sequence[str] = ()
    kind: EventKind | None = None
    action: Action | None = None


class ProblemMapper:
    """Mapper that rejects every row, for rows with invalid text."""

    def __init__(self, problem: RowProblem) -> None:
        self._row = InvalidRow(problem)

    def read(self, cells: list[str]) -> InvalidRow:
        """Return the row as rejected."""
        return self._row

    def numbers(self, cells: list[str]) -> Iterator[str]:
        """Yield nothing."""
        return iter(())

    def times(self, cells: list[str]) -> Iterator[str]:
        """Yield nothing."""
        return iter(())

    def fee(self, cells: list[str]) -> str:
        """Return no fee."""
        return ""


class TextCache(dict[str, _Value]):
    """Cache of parsed texts: prices, quantities and fees repeat, and parsing one takes 1 µs."""

    def __init__(self, parse: Callable[[str], _Value]) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, text: str) -> _Value:
        value = self._parse(text)
        if len(self) >= _CACHE_SIZE:
            self.clear()
        self[text] = value
        return value


class PlainMapper:
    """Mapper of a layout without rules: cells are fields without conversion."""

    def __init__(self, layout: Layout, header: Sequence[str], form: NumberFormat) -> None:
        self._width = len(header)
        places = layout.match_header(header) or {}
        self._pick = itemgetter(*(places.get(field, self._width) for field in FIELDS))
        #: The cell of the fields that the file does not have.
        self._absent = [""] if len(places) < len(FIELDS) else []
        self._samples = [places[field] for field in _PLAIN_NUMBERS if field in places]
        self._time = places["time"]
        self._price = places.get("price")
        #: Prices that may be fractions, which few files have.
        self._fractions: set[str] = set()
        self._form = form
        self._cache = TextCache(self._parse)

    def read(self, cells: list[str]) -> RawFill | InvalidRow:
        """Map one row; short rows are padded to the width of the header."""
        if len(cells) != self._width and (problem := self._fit(cells)):
            return InvalidRow(problem)
        cells += self._absent
        raw = raw_fill_of(self._pick(cells), self._cache)
        if self._fractions and self._price is not None and cells[self._price] in self._fractions:
            raw.fraction = cells[self._price]
        return raw

    def _parse(self, text: str) -> Decimal | None:
        if not is_fraction(text):
            return self._form.parse(text)
        self._fractions.add(text)
        try:
            return self._form.parse(text)
        except ValueError:
            return None

    def numbers(self, cells: list[str]) -> Iterator[str]:
        """Yield the texts that show the number format of the file."""
        if not self._fit(cells):
            yield from (cells[place] for place in self._samples)

    def times(self, cells: list[str]) -> Iterator[str]:
        """Yield the time of the row as written."""
        if not self._fit(cells):
            yield cells[self._time]

    def fee(self, cells: list[str]) -> str:
        """Return nothing: the fees of a layout without rules are costs."""
        return ""

    def _fit(self, cells: list[str]) -> RowProblem | None:
        """Pad a short row; return the problem of a long one."""
        problem = extra_columns_problem(cells, self._width)
        if problem is None:
            cells[self._width :] = [""] * (self._width - len(cells))
        return problem


def raw_fill_of(texts: Sequence[str], numbers: Mapping[str, Decimal | None]) -> RawFill:
    """Return the raw fill of texts in the order of `FIELDS`; `numbers` parses those that are numbers."""
    (
        account,
        symbol,
        time,
        side,
        quantity,
        price,
        commission,
        fill_id,
        order_id,
        strategy,
        stop_loss,
        target,
        currency,
        asset_class,
        multiplier,
        amount,
        cash,
        fee_currency,
        base,
        status,
        effect,
        realized,
        trade_day,
        position_side,
        fee_worth,
    ) = texts
    try:
        return RawFill(
            account,
            symbol,
            time,
            side,
            numbers[quantity],
            numbers[price],
            numbers[commission],
            fill_id,
            order_id,
            strategy,
            numbers[stop_loss] if stop_loss else None,
            numbers[target] if target else None,
            currency,
            asset_class,
            numbers[multiplier] if multiplier else None,
            numbers[amount] if amount else None,
            numbers[cash] if cash else None,
            fee_currency,
            base,
            status,
            effect,
            realized,
            trade_day,
            position_side,
            numbers[fee_worth] if fee_worth else None,
        )
    except ValueError:
        return _with_bad_number(dict(zip(FIELDS, texts, strict=True)), numbers)


def bad_number(field: str, error: ValueError) -> RowError:
    """Return the error of a field whose text is no number."""
    return RowError("bad_number", f"{field} {error}", _NUMBER_HINT)


def canonical(number: Decimal) -> Decimal:
    """Return an equal number without exponent or trailing zeros."""
    number = EXACT.normalize(number) if number else ZERO
    return EXACT.quantize(number, ONE) if number == EXACT.to_integral_value(number) else number


def _with_bad_number(texts: Mapping[str, str], numbers: Mapping[str, Decimal | None]) -> RawFill:
    raw = RawFill()
    for field, text in texts.items():
        if field not in NUMBERS:
            setattr(raw, field, text)
            continue
        try:
            numbers[text]
        except ValueError as error:
            raw.bad_number = raw.bad_number or bad_number(field, error).problem
    return raw
