"""A layout's rules at work: the cells of a row become the fields of a fill, as texts that `FillRows` reads.

Numbers are written plainly here (a point, a sign, nothing else), whatever form the file has.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter

from tearsheet.sources.layouts.layout import FIELDS, Layout, header_places, normalize_name
from tearsheet.sources.statements.row_kinds import RowClassifier, SkippedRow, normalize_word
from tearsheet.sources.text.contracts import coin_pair, fraction_price, option_symbol
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.lines import truncate
from tearsheet.sources.text.problem import RowError
from tearsheet.trade.amount import ZERO, exact, to_plain_string
from tearsheet.trade.fill import Side

NUMBERS = (
    "quantity",
    "price",
    "exit_price",
    "commission",
    "stop_loss",
    "target",
    "multiplier",
    "amount",
    "cash",
    "result",
)
_OTHER_NUMBERS = ("stop_loss", "target", "multiplier", "amount", "cash")
_UNIT = re.compile(
    r"^(?P<number>[-+(]?[\d.,' \u00a0]*\d(?:[eE][-+]?\d+)?\)?)\s*(?P<unit>[A-Z][A-Z0-9]{1,9})$"
)
_EPOCH_UNITS = {10: 1, 13: 10**3, 16: 10**6, 19: 10**9}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER_HINT = "allowed is a finite decimal number below 10^18"
_BLANK = dict.fromkeys(FIELDS, "")
_in_order: Callable[[Mapping[str, str]], tuple[str, ...]] = itemgetter(*FIELDS)
#: Patterns are not asked of longer texts: some take the square of a length.
_LONGEST_TEXT = 300


class RowMapper:
    """A layout bound to a header. `values` picks, `fills` makes canonical texts of what was picked."""

    def __init__(self, layout: Layout, header: Sequence[str], preamble: Mapping[str, str]) -> None:
        names = header_places(header)
        self._layout = layout
        self._preamble = preamble
        self._places = layout.match_header(header) or {}
        self._classifier = RowClassifier(layout.rows, names)
        self._fallbacks = _fallback_columns(layout, names)
        self._carried: dict[str, str] = {}
        self._parts = [
            (part, names[normalize_name(part.column)], [re.compile(p) for p in part.patterns])
            for part in layout.parts
            if normalize_name(part.column) in names
        ]
        self._fee_places = [
            next((names[normalize_name(name)] for name in fee if normalize_name(name) in names), None)
            for fee in layout.fees.columns
        ]
        self._sides = layout.side_words(Side.BUY, Side.SELL)

    def extract(self, cells: Sequence[str]) -> dict[str, str] | SkippedRow:
        """What the row says of each field, as written. Raises RowError for an unknown row."""
        kind = self._classifier.classify(cells)
        if isinstance(kind, SkippedRow):
            return kind
        found = {field: normalize_word(cells[place]) for field, place in self._places.items()}
        for field, places in self._fallbacks:
            found[field] = next((t for p in places if (t := normalize_word(cells[p]))), "")
        if kind is not None:
            found["event"] = kind.event
        for part, place, patterns in self._parts:
            text = normalize_word(cells[place])
            fitting = patterns if len(text) <= _LONGEST_TEXT else []
            match = next((m for p in fitting if (m := p.fullmatch(text))), None)
            if match is not None:
                found |= {name: value for name, value in match.groupdict().items() if value}
            elif not part.optional:
                raise RowError(
                    "unknown_row",
                    f"{part.column} is not understood, was {truncate(text, _LONGEST_TEXT)!r}",
                    self._layout.notes or "write the fill in the generic format instead",
                )
        for field in self._layout.carried:
            found[field] = self._carried[field] = found.get(field) or self._carried.get(field, "")
        for field, constant in (*self._preamble.items(), *self._layout.constants.items()):
            found[field] = found.get(field) or constant
        return found

    def numbers(self, values: Mapping[str, str], cells: Sequence[str]) -> Iterator[str]:
        """The texts of the row that are numbers, to tell the form of the file by."""
        for field in NUMBERS:
            if field in values and not (field.endswith("price") and self._is_fraction()):
                yield _split_unit(values[field])[0]
        for place in self._fee_places:
            if place is not None:
                yield _split_unit(normalize_word(cells[place]))[0]

    def fee_text(self, values: Mapping[str, str], cells: Sequence[str]) -> str:
        """The first of its fees, as written."""
        if self._layout.fees.columns:
            return normalize_word(cells[self._fee_places[0]]) if self._fee_places[0] is not None else ""
        return values.get("commission", "")

    def times(self, values: Mapping[str, str]) -> Iterator[str]:
        """The times of the row, date and clock together."""
        yield self._time(values, "time", "clock")
        if "exit_time" in values:
            yield self._time(values, "exit_time", "exit_clock")

    def to_fill_rows(
        self, values: Mapping[str, str], cells: Sequence[str], form: NumberFormat
    ) -> list[Sequence[str]]:
        """The canonical texts of the row's fill; of both fills for a round trip. Raises RowError."""
        with exact():
            row = self._build_row(values, cells, form)
        if "exit_time" not in values:
            return [_in_order(row)]
        both = row | {
            "time": self._time(values, "exit_time", "exit_clock"),
            "price": self._price("exit_price", values.get("exit_price", ""), form),
            "side": self._side(row).opposite.value,
            "commission": "0",
            "amount": "",
        }
        if row.get("fill_id"):
            both["fill_id"], row["fill_id"] = f"{row['fill_id']}:out", f"{row['fill_id']}:in"
        return [_in_order(row), _in_order(both)]

    def stated_result(self, values: Mapping[str, str], form: NumberFormat) -> Decimal | None:
        """What the row says that its round trip came to. Raises RowError."""
        return _number("result", values["result"], form)[0] if "result" in values else None

    def _build_row(
        self, values: Mapping[str, str], cells: Sequence[str], form: NumberFormat
    ) -> dict[str, str]:
        row = {**_BLANK, **values, "time": self._time(values, "time", "clock")}
        row |= self._instrument_fields(values)
        row["currency"] = self._layout.coin_names.get(row["currency"], row["currency"])
        quantity, coin = _number("quantity", values.get("quantity", ""), form)
        row["price"] = self._price("price", values.get("price", ""), form)
        for field in _OTHER_NUMBERS:
            if text := values.get(field, ""):
                number, unit = _number(field, text, form)
                row[field] = "" if number is None else _to_plain(number)
                _check_unit(row, "currency", unit if field in ("amount", "cash") else "", field)
        row["side"] = self._signed_side(row, quantity)
        row["quantity"] = "" if quantity is None else _to_plain(abs(quantity))
        if self._layout.fees.in_kind or coin:
            row["base"] = row.get("base") or coin_pair(row["symbol"], ())[0]
            _check_unit(row, "base", coin, "quantity")
        row |= self._total_fee(row, cells, form)
        if not self._layout.fees.in_kind:
            row["base"] = ""
        return row

    def _instrument_fields(self, values: Mapping[str, str]) -> dict[str, str]:
        """Symbol, asset class, base and currency."""
        layout, symbol = self._layout, values.get("symbol", "")
        named = {"symbol": symbol, "asset_class": self._asset_class(values.get("asset_class", ""))}
        if values.get("right"):
            named |= {"symbol": option_symbol(values, layout.expiries), "asset_class": "option"}
        elif not symbol:
            base, quote = values.get("base", ""), values.get("currency", "")
            named["symbol"] = f"{base}/{quote}" if base and quote else values.get("underlying", "")
        if layout.quotes:
            base, quote = coin_pair(named["symbol"], layout.quotes)
            if not base:
                raise RowError(
                    "unknown_instrument",
                    f"{symbol!r} is no pair of coins that is known here",
                    f"pairs end in one of {', '.join(layout.quotes)}",
                )
            base, quote = (layout.coin_names.get(coin, coin) for coin in (base, quote))
            named |= {"symbol": f"{base}/{quote}", "base": base, "currency": quote}
        return named

    def _asset_class(self, word: str) -> str:
        if not self._layout.asset_classes:
            return word
        for known, kind in self._layout.asset_classes.items():
            if known.casefold() == word.casefold():
                return kind
        raise RowError(
            "unknown_row",
            f"the kind of instrument is not known, was {truncate(word, _LONGEST_TEXT)!r}",
            f"known are {', '.join(self._layout.asset_classes)}",
        )

    def _price(self, field: str, text: str, form: NumberFormat) -> str:
        if self._is_fraction() and (fraction := fraction_price(text)) is not None:
            return to_plain_string(fraction)
        number = _number(field, text, form)[0]
        return "" if number is None else _to_plain(number)

    def _is_fraction(self) -> bool:
        return self._layout.prices == "fractions"

    def _signed_side(self, row: Mapping[str, str], quantity: Decimal | None) -> str:
        """The word for the side; where quantities are signed, sign and word may not disagree."""
        word = row.get("side", "")
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

    def _side(self, row: Mapping[str, str]) -> Side:
        word = row.get("side", "")
        side = self._sides.get(word.casefold()) or (Side(word) if word in ("BUY", "SELL") else None)
        if side is None:
            raise RowError(
                "bad_side",
                f"side is neither a buy nor a sell, was {truncate(word, _LONGEST_TEXT)!r}",
                f"allowed is {', '.join(self._sides)}",
            )
        return side

    def _total_fee(self, row: Mapping[str, str], cells: Sequence[str], form: NumberFormat) -> dict[str, str]:
        """The cost of the fill, positive, and the money it is in."""
        fees = self._layout.fees
        if not fees.columns:
            return self._single_fee(row, form)
        total, units = ZERO, set()
        for place in self._fee_places:
            number, unit = _number(
                "commission", normalize_word(cells[place]) if place is not None else "", form
            )
            if number:
                units.add(unit)
                total += number
        if len(units) > 1:
            raise RowError(
                "foreign_fee",
                f"its fees are in several currencies: {', '.join(sorted(units))}",
                "write the fill in the generic format, with one fee",
            )
        return self._fee_fields(total, units.pop() if units else "", row)

    def _single_fee(self, row: Mapping[str, str], form: NumberFormat) -> dict[str, str]:
        text = row.get("commission", "")
        number, unit = _number("commission", text, form)
        if number is None and self._layout.fees.required:
            raise RowError("missing_field", "commission is empty", "0 is a fee, nothing is none")
        return {"commission": ""} if number is None else self._fee_fields(number, unit, row)

    def _fee_fields(self, total: Decimal, unit: str, row: Mapping[str, str]) -> dict[str, str]:
        fees = self._layout.fees
        cost = abs(total) if fees.cost == "unsigned" else total
        cost = -total if fees.cost == "negative" else cost
        if fees.per == "unit" and row["quantity"]:
            cost *= Decimal(row["quantity"])
        money = unit or row.get("fee_currency", "")
        if fees.unit == "received" and not money:
            money = row.get("base", "") if self._side(row) is Side.BUY else row.get("currency", "")
        if cost and not money and fees.unit == "stated":
            raise RowError(
                "foreign_fee",
                f"the file does not say in which currency the fee {to_plain_string(cost)} is",
                "write the fill in the generic format, with the fee in the currency of the trade",
            )
        return {"commission": _to_plain(cost), "fee_currency": money if cost else ""}

    def _time(self, values: Mapping[str, str], field: str, clock: str) -> str:
        text = values.get(field, "")
        if text and values.get(clock) and ":" not in text:
            text = f"{text} {values[clock]}"
        if self._layout.short_years:
            text = text.replace("-", "/", 2)  # behind hyphens the year may come first, here it does not
        return _epoch_time(text) if self._layout.epoch and text else text


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


def _number(field: str, text: str, form: NumberFormat) -> tuple[Decimal | None, str]:
    """A number and the code of money or coin behind it. Raises RowError."""
    try:
        return _parse_number(form, text)
    except ValueError as error:
        raise RowError("bad_number", f"{field} {error}", _NUMBER_HINT) from None


@lru_cache(maxsize=10_000)
def _parse_number(form: NumberFormat, text: str) -> tuple[Decimal | None, str]:
    number, unit = _split_unit(text)
    return form.parse(number), unit


@lru_cache(maxsize=10_000)
def _to_plain(number: Decimal) -> str:
    return to_plain_string(number)


def _check_unit(row: dict[str, str], field: str, unit: str, where: str) -> None:
    """A code behind a number has to be the one that the row has already, if it has one."""
    if not unit:
        return
    known = row.get(field, "").upper()
    if known and known != unit:
        raise RowError(
            "contradiction",
            f"{where} is in {unit}, but the trade is of {row['symbol']} in {known}",
            "check the row with the broker",
        )
    row[field] = known or unit


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
