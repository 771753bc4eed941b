"""Application of a layout's rules to the cells of a row; the result are raw fills."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Protocol

from msgspec import structs

from tearsheet.sources.files.csv_rows import extra_columns_problem
from tearsheet.sources.layouts.header import header_places
from tearsheet.sources.layouts.layout import ExtractPattern, Layout
from tearsheet.sources.layouts.naming import InstrumentNaming
from tearsheet.sources.layouts.sides import SideRules
from tearsheet.sources.statements.corporate_actions import ShareMove, share_move
from tearsheet.sources.statements.raw_fill import (
    InvalidRow,
    PickedRow,
    RawEvent,
    RawFill,
    RoundTripRow,
    TextCache,
    bad_number,
)
from tearsheet.sources.statements.row_kinds import (
    ActionRow,
    EventRow,
    ExpirationRow,
    RowClassifier,
    SkippedRow,
    UnfilledRow,
    is_total,
    normalize_word,
)
from tearsheet.sources.statements.row_money import (
    RowFees,
    bond_multiplier,
    check_unit,
    checked_amount,
    entry_and_exit,
    event_time,
    fee_at_rate,
    fee_of_quote_row,
    first_text,
    mark_unpointed,
    multiplier_by_amount,
    multiplier_by_volume,
    number_legs,
    parse_with_unit,
    price_in_account_currency,
    raw_event,
    set_fees_by_net,
    set_price_by_money,
    set_swap,
    stated_result,
    unstated_coin,
)
from tearsheet.sources.text.contracts import coin_pair, fraction_price, is_fraction
from tearsheet.sources.text.encoding import NumberFormat, split_unit
from tearsheet.sources.text.lines import truncate
from tearsheet.sources.text.problem import RowError
from tearsheet.sources.text.time_formats import epoch_time
from tearsheet.trade.amount import EXACT, ZERO, to_plain_string
from tearsheet.trade.event import EventKind
from tearsheet.trade.fill import Side

_NUMBERS = (
    "quantity",
    "price",
    "exit_price",
    "buy_price",
    "sell_price",
    "commission",
    "stop_loss",
    "target",
    "multiplier",
    "amount",
    "cash",
    "result",
    "gross",
    "swap",
    "volume",
)
#: The times of a row, each with the field of its clock where that is a column of its own.
_TIMES = {"time": "clock", "exit_time": "exit_clock", "bought": "clock", "sold": "exit_clock"}
#: Longer texts are not matched, for some patterns take quadratic time.
_LONGEST_TEXT = 300


#: Name under which orders without a fill are counted.
UNFILLED = "unfilled_orders"
#: Name under which rows of sums are counted.
TOTALS = "totals"
#: Under which name rows are counted that state what a fill did to the money.
OTHER_SIDE = "money_of_trades"
_ONLY_CLOCK = re.compile(r"^\d{1,2}:\d\d")
_WRITE_IT = "import this fill in the generic format"
_SWAPPED = str.maketrans(",.", ".,")


MappedRow = RawFill | RawEvent | ShareMove | RoundTripRow | PickedRow | SkippedRow | InvalidRow


class RowMapper(Protocol):
    """A layout bound to a header of a file."""

    def read(self, cells: list[str]) -> MappedRow:
        """Map one row; short rows are padded to the width of the header."""

    def numbers(self, cells: list[str]) -> Iterator[str]:
        """Yield the texts that show the number format of the file."""

    def times(self, cells: list[str]) -> Iterator[str]:
        """Yield the times of the row as written, date and clock together."""

    def fee(self, cells: list[str]) -> str:
        """Return the first fee of the row as written."""


class RuleMapper:
    """Mapper of a layout with rules; it picks the texts of a row, then parses and checks them."""

    def __init__(
        self, layout: Layout, header: Sequence[str], preamble: Mapping[str, str], form: NumberFormat
    ) -> None:
        names = header_places(header)
        places = layout.match_header(header) or {}
        named = layout.open_parts(names)
        self._layout = layout
        self._width = len(header)
        self._time_place = places.get("time", places.get("bought"))
        self._fields = tuple(places)
        # The first cell comes last again, for itemgetter returns a tuple of two places and more only.
        self._pick_cells: Callable[[Sequence[str]], Sequence[str]] = itemgetter(*places.values(), 0)
        self._classifier = RowClassifier(layout.rows, names)
        self._fallbacks = layout.fallbacks(names)
        self._constants = (
            *preamble.items(),
            *(one for one in named.items() if one[0] == "currency"),
            *layout.constants.items(),
        )
        self._carried: dict[str, str] = {}
        self._parts = [
            (part, place, [re.compile(p) for p in part.patterns])
            for part in layout.parts
            if (place := names.place(part.column)) is not None
        ]
        self._fees = RowFees(layout.fees.columns_of(names), layout.fees.currency, names)
        self._exit_fees = RowFees(layout.fees.exit, layout.fees.currency, names)
        self._marked = {
            field
            for part in layout.parts
            if part.mark
            for field in re.findall(r"\(\?P<(\w+)>", "".join(part.patterns))
            if field in _NUMBERS
        }
        self._is_point = form.decimal_mark == "."
        self._sides = SideRules(layout)
        self._sells = {word.casefold() for word in layout.sides.sell}
        self._naming = InstrumentNaming(layout)
        self._is_fraction = layout.prices == "fractions"
        self._cache = TextCache(partial(parse_with_unit, form))

    def read(self, cells: list[str]) -> MappedRow:
        """Map one row; short rows are padded to the width of the header."""
        if self._time_place is not None and is_total(cells, self._time_place):
            return SkippedRow(TOTALS)
        try:
            row = self._pick(cells)
        except RowError as bad:
            return InvalidRow(bad.problem)
        if isinstance(row, SkippedRow):
            return row
        if problem := extra_columns_problem(cells, self._width):
            return InvalidRow(problem)
        cells += [""] * (self._width - len(cells))
        if "event" in row.values:
            return row
        try:
            if row.action is not None:
                raw = self._raw_event(row, "settle")
                return share_move(row.action, raw, row.values, self._number, self._sells)
            return self._map(row) if row.kind is None else self._raw_event(row, row.kind)
        except RowError as bad:
            return InvalidRow(bad.problem, row.values.get("account"))

    def numbers(self, cells: list[str]) -> Iterator[str]:
        """Yield the texts that show the number format of the file."""
        row = self._sample(cells)
        for field in _NUMBERS:
            is_price = field.endswith("price") and self._is_fraction
            if field in row.values and not is_price and field not in self._marked:
                yield split_unit(row.values[field])[0]
        for text in (*row.fees, *row.exit_fees):
            if text:
                yield split_unit(text)[0]

    def times(self, cells: list[str]) -> Iterator[str]:
        """Yield the times of the row as written, date and clock together."""
        values = self._sample(cells).values
        for field, clock in _TIMES.items():
            if field in values:
                yield self._time(values, field, clock)

    def fee(self, cells: list[str]) -> str:
        """Return the first fee of the row as written."""
        row = self._sample(cells)
        return row.fees[0] if row.fees else row.values.get("commission", "")

    def _sample(self, cells: list[str]) -> PickedRow:
        """Return the texts of a trade; empty for a rejected or skipped row."""
        try:
            row = self._pick(cells)
        except RowError:
            return PickedRow({})
        is_trade = isinstance(row, PickedRow) and not extra_columns_problem(cells, self._width)
        return row if isinstance(row, PickedRow) and is_trade else PickedRow({})

    def _pick(self, cells: Sequence[str]) -> PickedRow | SkippedRow:
        """Pick the texts of each field, as written. Raises RowError for an unknown row."""
        if len(cells) < self._width:
            cells = [*cells, *[""] * (self._width - len(cells))]
        if '="' in "".join(cells):
            cells = [*map(normalize_word, cells)]
        kind = self._classifier.classify(cells)
        if isinstance(kind, SkippedRow):
            return kind
        values = dict(zip(self._fields, map(str.strip, self._pick_cells(cells)), strict=False))
        for field, places in self._fallbacks:
            values[field] = first_text(field, [text for place in places if (text := cells[place].strip())])
        if isinstance(kind, ExpirationRow):
            values["event"] = kind.event
        for part, place, patterns in self._parts:
            is_optional = part.optional or isinstance(kind, EventRow | ActionRow)
            found = self._groups(part, patterns, cells[place].strip(), is_optional=is_optional)
            values |= {name: text for name, text in found.items() if not (part.gaps and values.get(name))}
        for field in self._layout.carried:
            values[field] = self._carried[field] = values.get(field) or self._carried.get(field, "")
        for field, constant in self._constants:
            values[field] = values.get(field) or constant
        if isinstance(kind, UnfilledRow) and not self._is_number(values.get("quantity", "")):
            return SkippedRow(UNFILLED)
        fees = self._fees.texts(cells)
        event_kind = kind.kind if isinstance(kind, EventRow) else None
        action = kind.action if isinstance(kind, ActionRow) else None
        if event_kind is None and action is None and self._lacks(values, fees):
            action = self._layout.otherwise or None
        return PickedRow(values, fees, self._exit_fees.texts(cells), event_kind, action)

    def _lacks(self, values: Mapping[str, str], fees: Sequence[str]) -> bool:
        """Return whether the row lacks fields that a trade has. Raises RowError where no action has none."""
        for fields, reason in self._layout.requires.items():
            stated = [values.get(field) for field in fields.split(" or ")]
            if not any(stated) and not ("commission" in fields and any(map(self._is_number, fees))):
                if self._layout.otherwise:
                    return True
                raise RowError("unknown_row", reason, self._layout.notes or _WRITE_IT)
        return False

    def _is_number(self, text: str) -> bool:
        """Return whether a text is no empty cell and not 0."""
        try:
            return bool(self._number("quantity", text)[0])
        except RowError:
            return True

    def _groups(
        self, part: ExtractPattern, patterns: Sequence[re.Pattern[str]], text: str, *, is_optional: bool
    ) -> dict[str, str]:
        """Return the fields that the first matching pattern captures. Raises RowError."""
        fitting = patterns if len(text) <= _LONGEST_TEXT else []
        match = next((m for p in fitting if (m := p.fullmatch(text))), None)
        if match is not None:
            found = {name: value for name, value in match.groupdict().items() if value}
            if part.mark and not self._is_point:
                found |= {name: found[name].translate(_SWAPPED) for name in found if name in self._marked}
            return found
        if is_optional:
            return {}
        raise RowError(
            "unknown_row",
            f"cannot read {part.column}: {truncate(text, _LONGEST_TEXT)!r}",
            self._layout.notes or _WRITE_IT,
        )

    def _map(self, row: PickedRow) -> MappedRow:
        values = row.values
        values |= entry_and_exit(values)
        entry = self.raw_fill(row)
        if "moved_unit" in values and (fee := fee_of_quote_row(entry, values["moved_unit"])) is not None:
            return fee if fee.amount else SkippedRow(OTHER_SIDE)
        if "exit_time" not in values:
            set_swap(entry, values, self._layout.fees, self._number)
            return entry
        leaving = self._exit(entry, row)
        set_swap(leaving, values, self._layout.fees, self._number)
        set_fees_by_net(entry, leaving, self._number("net", values.get("net", ""))[0])
        stated, gross, currency = stated_result(entry, leaving, values, self._number)
        return RoundTripRow(entry, leaving, stated, currency, gross)

    def _raw_event(self, row: PickedRow, kind: EventKind) -> RawEvent:
        """Return the event of a row. Raises RowError."""
        values = row.values
        is_named = any(values.get(field) for field in ("symbol", "underlying", "base"))
        named = self._naming.instrument(values) if is_named else ("", "", "", values.get("currency", ""))
        event = raw_event(kind, values, row.fees, self._layout, self._number)
        stated = event.currency or values.get(self._layout.events.currency, "")
        if self._layout.inverse.get(named[3]):
            stated = stated or self._naming.coin(named[2])
        event.symbol, event.asset_class, event.currency = named[0], named[1], stated or named[3]
        event.time = event_time(kind, self._time(values, "time", "clock"))
        event.multiplier = self._number("multiplier", values.get("multiplier", ""))[0] if is_named else None
        terms = self._naming.contract(values, named[3], named[2]) if is_named else None
        if terms is not None and terms.multiplier < ZERO:
            event.multiplier, event.asset_class = terms.multiplier, "future"
            event.symbol = values.get("symbol", "")  # as its fills are named
        return event

    def _exit(self, entry: RawFill, row: PickedRow) -> RawFill:
        """Return the second fill of a round trip; fees of both sides count at the first."""
        values = row.values
        side = self._sides.side(entry.side)
        leaving = structs.replace(
            entry,
            time=self._time(values, "exit_time", "exit_clock"),
            side=side.opposite.value,
            commission=None if entry.commission is None else ZERO,
            amount=None,
        )
        # in a layout that names the side that closes, the word for a buy is Sell
        entry.side = side.value
        leaving.price, leaving.fraction = self._price("exit_price", values.get("exit_price", ""))
        is_timed = "clock" not in self._layout.constants and ":" in entry.time and ":" in leaving.time
        entry.leg = leaving.leg = "time" if is_timed else "day"
        if row.exit_fees:
            self._set_cost(
                leaving, *self._exit_fees.total(row.exit_fees, leaving.currency, values, self._number)
            )
        leaving.order_id = values.get("exit_order_id", "")
        number_legs(entry, leaving, ("buy", "sell") if "bought" in values else ("in", "out"))
        return leaving

    def raw_fill(self, row: PickedRow, quantity: Decimal | None = None) -> RawFill:
        """Return the raw fill of a row, with its quantity if that is known. Raises RowError."""
        values, fees = row.values, self._layout.fees
        get = values.get
        symbol, asset_class, base, currency = self._naming.instrument(values)
        coin = ""
        if quantity is None:
            quantity, coin = self._number("quantity", get("quantity", ""))
        side = self._sides.order_side(values, quantity)
        price, fraction = self._price("price", get("price", "") or self._sides.price(values, side))
        volume = self._number("volume", get("volume", ""))[0]
        if volume and asset_class == "crypto" and not self._layout.inverse.get(currency):
            quantity, volume = volume, None  # of contracts, which are so many coins
        stop_loss, _ = self._number("stop_loss", get("stop_loss", ""))
        target, _ = self._number("target", get("target", ""))
        multiplier, _ = self._number("multiplier", get("multiplier", ""))
        terms = self._naming.contract(values, currency, base)
        if terms is not None:
            multiplier, asset_class = terms.multiplier, "future"
        if worth := terms is not None and terms.multiplier < ZERO:
            currency, symbol, base = terms.currency, get("symbol", ""), ""
        # The amount of an inverse contract may be in either money.
        amount, unit = self._number("amount", "" if worth else get("amount", ""))
        currency = check_unit(currency, unit, "amount", symbol)
        cash, unit = self._number("cash", get("cash", ""))
        currency = check_unit(currency, unit, "cash", symbol)
        if fees.in_kind or coin:
            base = check_unit(base or coin_pair(symbol, ())[0], coin, "quantity", symbol)
        raw = RawFill(
            account=get("account", ""),
            symbol=symbol,
            time=self._time(values, "time", "clock"),
            side=side,
            quantity=None if quantity is None else quantity.copy_abs() or ZERO,
            price=price,
            fill_id=get("fill_id", ""),
            order_id=get("order_id", ""),
            strategy=get("strategy", ""),
            stop_loss=stop_loss,
            target=target,
            currency=currency,
            asset_class=asset_class,
            multiplier=multiplier or multiplier_by_volume(volume, quantity),
            amount=amount,
            cash=cash,
            fee_currency=get("fee_currency", ""),
            base=base,
            status=get("status", ""),
            effect=get("effect", ""),
            realized=get("realized", ""),
            trade_day=get("trade_day", ""),
            accrued=self._number("accrued", get("accrued", ""))[0],
            fraction=fraction,
            position_side=get("position_side", ""),
            fee_worth=self._number("fee_worth", get("fee_worth", ""))[0],
        )
        self._set_fee(raw, row)
        self._set_by_money(raw, values)
        mark_unpointed(raw, self._layout)
        if not fees.in_kind:
            raw.base = ""
        return raw

    def _number(self, field: str, text: str) -> tuple[Decimal | None, str]:
        """Return a number and the currency or coin behind it. Raises RowError."""
        try:
            return self._cache[text]
        except ValueError as error:
            raise bad_number(field, error) from None

    def _price(self, field: str, text: str) -> tuple[Decimal | None, str]:
        """Return a price, with its text if only the instrument's tick resolves it. Raises RowError."""
        if not is_fraction(text):
            return self._number(field, text)[0], ""
        if self._is_fraction and (price := fraction_price(text)) is not None:
            return checked_amount(field, price), ""
        try:
            return self._cache[text][0], text
        except ValueError:
            return None, text

    def _set_fee(self, raw: RawFill, row: PickedRow) -> None:
        """Set commission, a cost being positive, and its currency. Raises RowError."""
        fees = self._layout.fees
        if not (fees.columns or fees.after):
            number, unit = self._number("commission", row.values.get("commission", ""))
            if number is None and fees.required:
                raise RowError("missing_field", "commission is empty", "use 0 if there is none")
        elif fees.after or any(row.fees):
            number, unit = self._fees.total(row.fees, raw.currency, row.values, self._number)
        else:
            number, unit = None, ""  # no column of fees says anything
        if fees.at_rate:
            number = fee_at_rate(raw, number, self._number("rate", row.values.get("rate", ""))[0])
        if number is not None:
            self._set_cost(raw, number, unit or unstated_coin(raw, number, fees, row.values, self._number))

    def _set_cost(self, raw: RawFill, number: Decimal, unit: str) -> None:
        """Set a fee by its number as written. Raises RowError."""
        fees = self._layout.fees
        cost = number.copy_abs() if fees.cost == "unsigned" else number
        cost = EXACT.minus(number) if fees.cost == "negative" else cost
        if fees.per == "unit" and raw.quantity is not None:
            cost = EXACT.multiply(cost, raw.quantity)
        currency = unit or raw.fee_currency
        if fees.unit == "received" and not currency:
            currency = raw.base if self._sides.side(raw.side) is Side.BUY else raw.currency
        if cost and not currency and fees.unit == "stated":
            raise RowError(
                "foreign_fee",
                f"the file does not say in which currency the fee {to_plain_string(cost)} is",
                "import this fill in the generic format with the fee in the trade's currency",
            )
        raw.commission, raw.fee_currency = checked_amount("commission", cost), currency if cost else ""

    def _set_by_money(self, raw: RawFill, values: Mapping[str, str]) -> None:
        """Set price and multiplier, where the layout finds them by the money of the row. Raises RowError."""
        layout = self._layout
        if layout.cash == "unsigned" and raw.cash is not None:
            cash = raw.cash.copy_abs()
            raw.cash = cash if self._sides.side(raw.side) is Side.SELL else EXACT.minus(cash)
        if layout.prices in ("amount", "cash"):
            set_price_by_money(raw, self._sides.side(raw.side), by_cash=layout.prices == "cash")
        if layout.prices == "account":
            price_in_account_currency(raw, self._sides.side(raw.side), values, self._number)
        if layout.multipliers == "amount" and raw.multiplier is None:
            raw.multiplier = multiplier_by_amount(raw)
        if raw.asset_class == "bond":
            raw.multiplier = bond_multiplier(raw)

    def _time(self, values: Mapping[str, str], field: str, clock: str) -> str:
        text = values.get(field, "")
        if "\n" in text:
            text = " ".join(text.split())
        if text and values.get(clock) and ":" not in text:
            text = f"{text} {values[clock]}"
        if text and (zone := values.get("zone")):
            text = f"{text} {zone}"
        if values.get("day") and _ONLY_CLOCK.match(text):
            text = f"{values['day']} {text}"
        if self._layout.short_years:
            text = text.replace("-", "/", 2)  # behind hyphens the year may come first, here it does not
        return epoch_time(text) if self._layout.epoch and text else text
