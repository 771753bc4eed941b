"""Rules of a layout applied to the cells of a row, which gives its raw fills."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Protocol

from msgspec import Struct, structs

from tearsheet.sources.layouts.layout import ExtractPattern, Layout, header_places, normalize_name
from tearsheet.sources.statements.csv_rows import extra_columns_problem
from tearsheet.sources.statements.raw_fill import InvalidRow, RawFill, TextCache, bad_number, canonical
from tearsheet.sources.statements.row_kinds import RowClassifier, SkippedRow, normalize_word
from tearsheet.sources.text.contracts import coin_pair, fraction_price, option_symbol
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.lines import truncate
from tearsheet.sources.text.problem import RowError
from tearsheet.trade.amount import EXACT, ZERO, is_valid_amount, to_plain_string
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
)
_UNIT = re.compile(
    r"^(?P<number>[-+(]?[\d.,' \u00a0]*\d(?:[eE][-+]?\d+)?\)?)\s*(?P<unit>[A-Z][A-Z0-9]{1,9})$"
)
#: The times of a row, each with the field of its clock where that is a column of its own.
_TIMES = {"time": "clock", "exit_time": "exit_clock", "bought": "", "sold": ""}
_EPOCH_UNITS = {10: 1, 13: 10**3, 16: 10**6, 19: 10**9}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Longer texts are not matched, for some patterns take quadratic time.
_LONGEST_TEXT = 300


class RoundTripRow(Struct, frozen=True):
    """Both fills of a round trip, and its result in `currency` if the row states one.

    The first is the entry; of a row that states what was bought and what was sold, the earlier one is.
    """

    entry: RawFill
    exit: RawFill
    result: Decimal | None
    currency: str


class PickedRow(Struct, frozen=True):
    """The texts of a row by field, and those of its fee columns; with an event, a position ends by it."""

    values: dict[str, str]
    fees: Sequence[str] = ()
    exit_fees: Sequence[str] = ()


MappedRow = RawFill | RoundTripRow | PickedRow | SkippedRow | InvalidRow


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
        self._layout = layout
        self._width = len(header)
        self._fields = tuple(places)
        # The first cell comes last again, for itemgetter returns a tuple of two places and more only.
        self._pick_cells: Callable[[Sequence[str]], Sequence[str]] = itemgetter(*places.values(), 0)
        self._classifier = RowClassifier(layout.rows, names)
        self._fallbacks = _fallback_columns(layout, names)
        self._constants = (*preamble.items(), *layout.constants.items())
        self._carried: dict[str, str] = {}
        self._parts = [
            (part, names[normalize_name(part.column)], [re.compile(p) for p in part.patterns])
            for part in layout.parts
            if normalize_name(part.column) in names
        ]
        self._fee_places = _fee_places(layout.fees.columns, names)
        self._exit_fee_places = _fee_places(layout.fees.exit, names)
        self._sides = layout.side_words(Side.BUY, Side.SELL)
        self._asset_classes: dict[str, str] = {}
        for word, kind in layout.asset_classes.items():
            self._asset_classes.setdefault(word.casefold(), kind)
        self._is_fraction = layout.prices == "fractions"
        self._cache = TextCache(partial(_parse_with_unit, form))

    def read(self, cells: list[str]) -> MappedRow:
        """Map one row; short rows are padded to the width of the header."""
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
            return self._map(row)
        except RowError as bad:
            return InvalidRow(bad.problem, row.values.get("account"))

    def numbers(self, cells: list[str]) -> Iterator[str]:
        """Yield the texts that show the number format of the file."""
        row = self._sample(cells)
        for field in _NUMBERS:
            if field in row.values and not (field.endswith("price") and self._is_fraction):
                yield _split_unit(row.values[field])[0]
        for text in (*row.fees, *row.exit_fees):
            if text:
                yield _split_unit(text)[0]

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
        """Pick the texts of a trade; none of a row that is rejected or skipped."""
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
            values[field] = next((text for place in places if (text := cells[place].strip())), "")
        if kind is not None:
            values["event"] = kind.event
        for part, place, patterns in self._parts:
            values |= self._groups(part, patterns, cells[place].strip())
        for field in self._layout.carried:
            values[field] = self._carried[field] = values.get(field) or self._carried.get(field, "")
        for field, constant in self._constants:
            values[field] = values.get(field) or constant
        fees, exit_fees = (
            [cells[place].strip() if place is not None else "" for place in places]
            for places in (self._fee_places, self._exit_fee_places)
        )
        return PickedRow(values, fees, exit_fees)

    def _groups(self, part: ExtractPattern, patterns: Sequence[re.Pattern[str]], text: str) -> dict[str, str]:
        """Return the fields that the first matching pattern takes out of a text. Raises RowError."""
        fitting = patterns if len(text) <= _LONGEST_TEXT else []
        match = next((m for p in fitting if (m := p.fullmatch(text))), None)
        if match is not None:
            return {name: value for name, value in match.groupdict().items() if value}
        if part.optional:
            return {}
        raise RowError(
            "unknown_row",
            f"{part.column} is not understood, was {truncate(text, _LONGEST_TEXT)!r}",
            self._layout.notes or "write the fill in the generic format instead",
        )

    def _map(self, row: PickedRow) -> RawFill | RoundTripRow:
        values = row.values
        if "bought" in values:
            values |= {"time": values["bought"], "price": values["buy_price"], "side": "BUY"}
            values |= {"exit_time": values["sold"], "exit_price": values["sell_price"]}
            ids = (values.get("buy_id", ""), values.get("sell_id", ""))
            values["fill_id"] = values.get("fill_id") or "-".join(filter(None, ids))
        entry = self.raw_fill(row)
        if "exit_time" not in values:
            return entry
        leaving = self._exit(entry, row)
        result, unit = self._number("result", values.get("result", ""))
        return RoundTripRow(entry, leaving, result, unit or values.get("fee_currency", ""))

    def _exit(self, entry: RawFill, row: PickedRow) -> RawFill:
        """Return the second fill of a round trip; fees of both sides count at the first."""
        values = row.values
        leaving = structs.replace(
            entry,
            time=self._time(values, "exit_time", "exit_clock"),
            price=self._price("exit_price", values.get("exit_price", "")),
            side=self._side(entry.side).opposite.value,
            commission=ZERO,
            amount=None,
            is_leg=True,
        )
        entry.is_leg = True
        if row.exit_fees:
            self._set_cost(leaving, *self._total_fee(row.exit_fees))
        leaving.order_id = values.get("exit_order_id", "")
        if trip := entry.fill_id:
            sides = ("buy", "sell") if "bought" in values else ("in", "out")
            entry.fill_id, leaving.fill_id = (f"{trip}:{side}" for side in sides)
        return leaving

    def raw_fill(self, row: PickedRow, quantity: Decimal | None = None) -> RawFill:
        """Return the raw fill of a row, with its quantity if that is known. Raises RowError."""
        values, fees = row.values, self._layout.fees
        get = values.get
        symbol, asset_class, base, currency = self._instrument(values)
        coin = ""
        if quantity is None:
            quantity, coin = self._number("quantity", get("quantity", ""))
        price = self._price("price", get("price", ""))
        stop_loss, _ = self._number("stop_loss", get("stop_loss", ""))
        target, _ = self._number("target", get("target", ""))
        multiplier, _ = self._number("multiplier", get("multiplier", ""))
        amount, unit = self._number("amount", get("amount", ""))
        currency = _check_unit(currency, unit, "amount", symbol)
        cash, unit = self._number("cash", get("cash", ""))
        currency = _check_unit(currency, unit, "cash", symbol)
        side = self._signed_side(get("side", ""), quantity)
        if fees.in_kind or coin:
            base = _check_unit(base or coin_pair(symbol, ())[0], coin, "quantity", symbol)
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
            multiplier=multiplier,
            amount=amount,
            cash=cash,
            fee_currency=get("fee_currency", ""),
            base=base,
            status=get("status", ""),
            effect=get("effect", ""),
            realized=get("realized", ""),
            trade_day=get("trade_day", ""),
        )
        self._set_fee(raw, row)
        if not fees.in_kind:
            raw.base = ""
        return raw

    def _instrument(self, values: Mapping[str, str]) -> tuple[str, str, str, str]:
        """Return symbol, asset class, base and currency. Raises RowError."""
        layout, symbol = self._layout, values.get("symbol", "")
        base, currency = values.get("base", ""), values.get("currency", "")
        named, asset_class = symbol, self._asset_class(values.get("asset_class", ""))
        if values.get("right"):
            named, asset_class = option_symbol(values, layout.expiries), "option"
        elif not symbol:
            named = f"{base}/{currency}" if base and currency else values.get("underlying", "")
        if layout.quotes:
            base, currency = coin_pair(named, layout.quotes)
            if not base:
                raise RowError(
                    "unknown_instrument",
                    f"{symbol!r} is no pair of coins that is known here",
                    f"pairs end in one of {', '.join(layout.quotes)}",
                )
            base, currency = (layout.coin_names.get(coin, coin) for coin in (base, currency))
            named = f"{base}/{currency}"
        return named, asset_class, base, layout.coin_names.get(currency, currency)

    def _asset_class(self, word: str) -> str:
        if not self._asset_classes:
            return word
        kind = self._asset_classes.get(word.casefold())
        if kind is None:
            raise RowError(
                "unknown_row",
                f"the kind of instrument is not known, was {truncate(word, _LONGEST_TEXT)!r}",
                f"known are {', '.join(self._layout.asset_classes)}",
            )
        return kind

    def _number(self, field: str, text: str) -> tuple[Decimal | None, str]:
        """Return a number and the currency or coin behind it. Raises RowError."""
        try:
            return self._cache[text]
        except ValueError as error:
            raise bad_number(field, error) from None

    def _price(self, field: str, text: str) -> Decimal | None:
        if self._is_fraction and (fraction := fraction_price(text)) is not None:
            return _checked(field, fraction)
        return self._number(field, text)[0]

    def _signed_side(self, word: str, quantity: Decimal | None) -> str:
        """Return the word for the side; sign and word must not contradict each other."""
        if quantity is None or (self._layout.quantity == "unsigned" and quantity >= ZERO):
            return word
        if self._layout.quantity == "unsigned":
            raise RowError(
                "bad_quantity",
                f"quantity must be positive, was {to_plain_string(quantity)}",
                "the side gives the sign",
            )
        if not word:
            return "SELL" if quantity < ZERO else "BUY"
        if quantity < ZERO and self._sides.get(word.casefold()) is Side.BUY:
            raise RowError(
                "contradiction",
                f"side is {word!r}, but quantity is {to_plain_string(quantity)}",
                "check the row with the broker",
            )
        return word

    def _side(self, word: str) -> Side:
        side = self._sides.get(word.casefold()) or (Side(word) if word in ("BUY", "SELL") else None)
        if side is None:
            raise RowError(
                "bad_side",
                f"side is neither a buy nor a sell, was {truncate(word, _LONGEST_TEXT)!r}",
                f"allowed is {', '.join(self._sides)}",
            )
        return side

    def _set_fee(self, raw: RawFill, row: PickedRow) -> None:
        """Set commission, a cost being positive, and its currency. Raises RowError."""
        fees = self._layout.fees
        if not fees.columns:
            number, unit = self._number("commission", row.values.get("commission", ""))
            if number is None and fees.required:
                raise RowError("missing_field", "commission is empty", "0 is a fee, nothing is none")
        else:
            number, unit = self._total_fee(row.fees)
        if number is not None:
            self._set_cost(raw, number, unit)

    def _set_cost(self, raw: RawFill, number: Decimal, unit: str) -> None:
        """Set a fee by its number as written. Raises RowError."""
        fees = self._layout.fees
        cost = number.copy_abs() if fees.cost == "unsigned" else number
        cost = EXACT.minus(number) if fees.cost == "negative" else cost
        if fees.per == "unit" and raw.quantity is not None:
            cost = EXACT.multiply(cost, raw.quantity)
        currency = unit or raw.fee_currency
        if fees.unit == "received" and not currency:
            currency = raw.base if self._side(raw.side) is Side.BUY else raw.currency
        if cost and not currency and fees.unit == "stated":
            raise RowError(
                "foreign_fee",
                f"the file does not say in which currency the fee {to_plain_string(cost)} is",
                "write the fill in the generic format, with the fee in the currency of the trade",
            )
        raw.commission, raw.fee_currency = _checked("commission", cost), currency if cost else ""

    def _total_fee(self, texts: Sequence[str]) -> tuple[Decimal, str]:
        """Return the sum of the fee columns and their currency. Raises RowError."""
        total, units = ZERO, set()
        for text in texts:
            number, unit = self._number("commission", text)
            if number:
                units.add(unit)
                total = EXACT.add(total, number)
        if len(units) > 1:
            raise RowError(
                "foreign_fee",
                f"its fees are in several currencies: {', '.join(sorted(units))}",
                "write the fill in the generic format, with one fee",
            )
        return total, units.pop() if units else ""

    def _time(self, values: Mapping[str, str], field: str, clock: str) -> str:
        text = values.get(field, "")
        if text and values.get(clock) and ":" not in text:
            text = f"{text} {values[clock]}"
        if self._layout.short_years:
            text = text.replace("-", "/", 2)  # behind hyphens the year may come first, here it does not
        return _epoch_time(text) if self._layout.epoch and text else text


def _fee_places(columns: Sequence[Sequence[str]], names: Mapping[str, int]) -> list[int | None]:
    """Return the index of each fee column, None for one that the file does not have."""
    return [
        next((names[normalize_name(name)] for name in options if normalize_name(name) in names), None)
        for options in columns
    ]


def _fallback_columns(layout: Layout, names: Mapping[str, int]) -> list[tuple[str, list[int]]]:
    """The fields for which a file has several columns: of a row, the first that is not empty counts."""
    found = []
    for field, options in (*layout.columns.items(), *layout.optional.items()):
        places = [names[normalize_name(option)] for option in options if normalize_name(option) in names]
        if len(places) > 1:
            found.append((field, places))
    return found


def _split_unit(text: str) -> tuple[str, str]:
    if len(text) > _LONGEST_TEXT:
        return text, ""
    found = _UNIT.match(text) if text[-1:].isalnum() and not text[-1:].isdigit() else None
    return (found["number"].strip(), found["unit"]) if found else (text, "")


def _parse_with_unit(form: NumberFormat, text: str) -> tuple[Decimal | None, str]:
    text, unit = _split_unit(text)
    number = form.parse(text)
    return None if number is None else canonical(number), unit


def _checked(field: str, number: Decimal) -> Decimal:
    """Return a computed number in canonical form. Raises RowError if it is out of range."""
    if not is_valid_amount(number):
        raise bad_number(field, ValueError(f"is not a usable number, was {to_plain_string(number)!r}"))
    return canonical(number)


def _check_unit(code: str, unit: str, where: str, symbol: str) -> str:
    """Return the code of the row, or the unit behind a number if it has none. Raises RowError."""
    if not unit:
        return code
    known = code.upper()
    if known and known != unit:
        raise RowError(
            "contradiction",
            f"{where} is in {unit}, but the trade is of {symbol} in {known}",
            "check the row with the broker",
        )
    return known or unit


def _epoch_time(text: str) -> str:
    """The time of seconds, milli-, micro- or nanoseconds since 1970, by their number of digits."""
    whole, _, fraction = text.partition(".")
    scale = _EPOCH_UNITS.get(len(whole))
    if scale is None or not (whole.isascii() and whole.isdigit() and (fraction or "0").isdigit()):
        return text
    micros = int(whole) * 10**6 // scale
    if scale == 1 and fraction:
        micros += int(fraction.ljust(6, "0")[:6])
    try:
        return (_EPOCH + timedelta(microseconds=micros)).isoformat()
    except OverflowError:
        return text
