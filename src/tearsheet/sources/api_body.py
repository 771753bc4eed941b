"""Request bodies with fills and marks: JSON with exact numbers.

A table of fields is the source of both the checks and the JSON Schema in the API document.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from tearsheet.errors import FormatError, InputError
from tearsheet.sources.layouts.catalogue import layouts
from tearsheet.sources.layouts.layout import FIELDS
from tearsheet.sources.statements.fill_rows import FillParser
from tearsheet.sources.statements.raw_fill import TextCache, raw_fill_of
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.lines import truncate
from tearsheet.sources.text.problem import RowError, RowProblem
from tearsheet.sources.text.times import TimeFormatError, TimeParser
from tearsheet.trade.amount import EXACT
from tearsheet.trade.fill import Fill, Rejection, Side
from tearsheet.trade.instrument import ASSET_CLASSES, Instruments, UnknownInstrument
from tearsheet.trade.session import DATE_PATTERN
from tearsheet.trade.value_rule import COIN_CODE, COIN_PATTERN, CURRENCY_CODE, any_case, matching

#: Characters of a name; names have no space at either end.
_SIGNS = "!-~\u00a1-\u167f\u1700-\u1fff\u3040-\ud7a3"
_NAME = rf"^[{_SIGNS}]([ {_SIGNS}]{{0,98}}[{_SIGNS}])?$"
_AMOUNT = r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$"
_TIME = (
    rf"^{DATE_PATTERN}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,6}})?"
    r"(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])$"
)
#: A JSON number with more decimals is a rounding artifact of a float.
_MOST_DECIMALS = 12
_MOST_CHARACTERS = 100


class _RawNumber(str):
    """A JSON number as text, with all its digits."""

    __slots__ = ()


_NAME_RULE = matching(_NAME, "a printable text of 1 to 100 characters")
_TIME_RULE = matching(_TIME, "ISO 8601 with an offset, such as 2026-11-20T14:30:00Z")


class JsonField(Struct, frozen=True):
    """A field of a posted object: its JSON Schema, and a function that checks its value."""

    description: str
    schema: Mapping[str, Any]
    parse: Callable[[Any], str]
    required: bool = True


def _identity(value: Any) -> str:
    name = _NAME_RULE.parse(value)
    if name == "0":
        raise ValueError("0 is not a valid execution ID")
    return name


def _amount(value: Any) -> str:
    if type(value) is str and re.fullmatch(_AMOUNT, value):
        return value
    if not isinstance(value, _RawNumber):
        raise ValueError("allowed is a number, or a text such as -1234.50")
    if len(value) > _MOST_CHARACTERS:
        raise ValueError(f"a number has at most {_MOST_CHARACTERS} characters")
    try:
        number = Decimal(value)
        bare = EXACT.normalize(number)
    except ArithmeticError:  # an exponent that no number in the books can have
        raise ValueError("allowed is a number below 10^18") from None
    if bare and bare.adjusted() >= 18:
        raise ValueError("allowed is a number below 10^18")
    if bare and -int(bare.as_tuple().exponent) > _MOST_DECIMALS:
        raise ValueError(
            f"a JSON number has at most {_MOST_DECIMALS} decimals; send longer values as strings"
        )
    return format(number, "f")


def _quantity(value: Any) -> str:
    text = _amount(value)
    if Decimal(text) <= 0:
        raise ValueError("must be positive; the side determines the sign")
    return text


def _positive(value: Any) -> str:
    text = _amount(value)
    if Decimal(text) <= 0:
        raise ValueError("must be positive")
    return text


_NAME_SCHEMA = {"type": "string", "pattern": _NAME}
_ID_SCHEMA = _NAME_SCHEMA | {"not": {"const": "0"}}
_LIMIT = 10**18
_AMOUNT_SCHEMA = {
    "anyOf": [
        {"type": "integer", "exclusiveMinimum": -_LIMIT, "exclusiveMaximum": _LIMIT},
        {"type": "number", "exclusiveMinimum": -_LIMIT, "exclusiveMaximum": _LIMIT, "multipleOf": 1e-12},
        {"type": "string", "pattern": _AMOUNT},
    ]
}
_QUANTITY_SCHEMA = {
    "anyOf": [
        {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": _LIMIT},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": _LIMIT, "multipleOf": 1e-12},
        {"type": "string", "pattern": _AMOUNT.replace("-?", ""), "not": {"pattern": r"^[0.]*$"}},
    ]
}
_TIME_SCHEMA = {"type": "string", "format": "date-time", "pattern": _TIME}
_SIDES = any_case("BUY", "SELL")
_STATUSES = any_case("fill", "correction", "bust")
_ASSET_CLASSES = any_case(*ASSET_CLASSES)


def _word_schema(*words: str) -> dict[str, Any]:
    """Return the JSON Schema of one of several words in any case."""
    spelled = ("".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in word) for word in words)
    return {"type": "string", "pattern": f"^({'|'.join(spelled)})$"}


FILL_FIELDS = {
    "account": JsonField("Whose fill it is.", _NAME_SCHEMA, _NAME_RULE.parse),
    "symbol": JsonField("Instrument; a futures contract with its month, such as ES 12-26 or ESZ6.", _NAME_SCHEMA, _NAME_RULE.parse),
    "time": JsonField("When it was executed.", _TIME_SCHEMA, _TIME_RULE.parse),
    "side": JsonField("BUY or SELL.", _word_schema("BUY", "SELL"), _SIDES.parse),
    "quantity": JsonField("How much; positive.", _QUANTITY_SCHEMA, _quantity),
    "price": JsonField("At which price; may be zero or negative.", _AMOUNT_SCHEMA, _amount),
    "fill_id": JsonField("The broker's execution id, unique within the account.", _ID_SCHEMA, _identity),
    "commission": JsonField("All fees; a cost is positive, a rebate negative.", _AMOUNT_SCHEMA, _amount, False),
    "order_id": JsonField("The order it belongs to.", _NAME_SCHEMA, _NAME_RULE.parse, False),
    "strategy": JsonField("The strategy that traded.", _NAME_SCHEMA, _NAME_RULE.parse, False),
    "stop_loss": JsonField("The initial stop, as a price.", _AMOUNT_SCHEMA, _amount, False),
    "target": JsonField("The initial target, as a price.", _AMOUNT_SCHEMA, _amount, False),
    "currency": JsonField("Money of the fill.", {"type": "string", "pattern": "^[A-Z]{3,5}$"}, CURRENCY_CODE.parse, False),
    "asset_class": JsonField("What kind of instrument it is.", _word_schema(*ASSET_CLASSES), _ASSET_CLASSES.parse, False),
    "status": JsonField("A correction takes the place of what its fill_id said before, a bust takes it back.", _word_schema("fill", "correction", "bust"), _STATUSES.parse, False),
}  # fmt: skip

MARK_FIELDS = {
    "symbol": JsonField("Instrument, spelled as in its fills.", _NAME_SCHEMA, _NAME_RULE.parse),
    "price": JsonField("The last known price.", _AMOUNT_SCHEMA, _amount),
    "time": JsonField("When it was known.", _TIME_SCHEMA, _TIME_RULE.parse),
}


_CODE_SCHEMA = {"type": "string", "pattern": f"^{COIN_PATTERN}$"}
_DAY_SCHEMA = {"type": "string", "format": "date", "pattern": f"^{DATE_PATTERN}$"}
RATE_FIELDS = {
    "date": JsonField(
        "The day it holds for.", _DAY_SCHEMA, matching(DATE_PATTERN, "a date, YYYY-MM-DD").parse
    ),
    "from": JsonField("The currency one unit of which is priced.", _CODE_SCHEMA, COIN_CODE.parse),
    "to": JsonField("The currency of its price.", _CODE_SCHEMA, COIN_CODE.parse),
    "rate": JsonField("The price; positive.", _QUANTITY_SCHEMA, _positive),
    "source": JsonField("Who states it.", _NAME_SCHEMA, _NAME_RULE.parse, False),
}

#: Schema and check of the values that several bodies have.
FIELD_RULES: dict[str, tuple[Mapping[str, Any], Callable[[Any], str]]] = {
    "name": (_NAME_SCHEMA, _NAME_RULE.parse),
    "id": (_ID_SCHEMA, _identity),
    "amount": (_AMOUNT_SCHEMA, _amount),
    "time": (_TIME_SCHEMA, _TIME_RULE.parse),
    "day": (_DAY_SCHEMA, RATE_FIELDS["date"].parse),
    "currency": (_CODE_SCHEMA, COIN_CODE.parse),
}


class MarkInput(Struct, frozen=True):
    """A posted mark price; the symbol is canonical."""

    symbol: str
    price: Decimal
    time: datetime


def object_schema(fields: Mapping[str, JsonField]) -> dict[str, Any]:
    """Return the JSON Schema of an object with these fields."""
    return {
        "type": "object",
        "properties": {name: _nullable(f) | {"description": f.description} for name, f in fields.items()},
        "required": [name for name, f in fields.items() if f.required],
        "additionalProperties": False,
    }


def parse_objects(body: bytes, key: str) -> list[dict[str, Any]]:
    """Parse a body with one object, a list of objects, or `{key: [...]}`.

    Raises FormatError for other bodies, InputError for one that is nested too deeply.
    """
    shapes = f'send one object, a list of objects, or {{"{key}": [...]}}'
    try:
        content = json.loads(
            body.decode("utf-8"),
            parse_float=_RawNumber,
            parse_int=_RawNumber,
            parse_constant=_reject_nan,
            object_pairs_hook=_reject_duplicate_keys,
        )
    except UnicodeDecodeError as error:
        raise FormatError(f"the body is not UTF-8: {error}", "send UTF-8") from None
    except RecursionError:
        raise InputError("the body is nested too deeply", shapes) from None
    except ValueError as error:
        raise FormatError(f"the body is no JSON: {error}", shapes) from None
    if isinstance(content, dict) and content.keys() == {key}:
        content = content[key]
    objects = content if isinstance(content, list) else [content]
    if not objects or not all(isinstance(one, dict) for one in objects):
        raise FormatError(f"the body holds no {key}", shapes)
    return objects


#: A row of a request, by its line from 1; a conversion is two events of one line.
PostedRow = tuple[int, Fill | Rejection]


def posted_rows(name: str, instruments: Instruments) -> FillParser:
    """Return the parser of a request's rows, whose times state their offsets."""
    return FillParser(
        file=name,
        instruments=instruments,
        times=TimeParser(None, None, ascending=False),
        account=None,
        newest_first=False,
        sides=layouts()["generic_fills"].side_words(Side.BUY, Side.SELL),
    )


def parse_fills(objects: Iterable[dict[str, Any]], name: str, instruments: Instruments) -> list[PostedRow]:
    """Parse the fills of a request, or reject them."""
    rows = posted_rows(name, instruments)
    numbers = TextCache(NumberFormat(".").parse)
    made: list[PostedRow] = []
    for line, content in enumerate(objects, 1):
        text = [json.dumps(content)]
        try:
            fill = rows.parse(raw_fill_of(field_texts(content, FILL_FIELDS, FIELDS), numbers), line, text)
        except RowError as bad:
            fill = rows.reject(line, text, bad.problem)
        made.append((line, fill or rows.reject(line, text, _TWICE)))
    return made


def parse_marks(
    objects: Iterable[dict[str, Any]], name: str, instruments: Instruments
) -> list[MarkInput | Rejection]:
    """Parse the marks of a request, or reject them; `line` counts from 1."""
    times = TimeParser(None, None, ascending=False)
    made: list[MarkInput | Rejection] = []
    for line, content in enumerate(objects, 1):
        try:
            made.append(_mark(field_texts(content, MARK_FIELDS, tuple(MARK_FIELDS)), times, instruments))
        except RowError as bad:
            made.append(rejection_of(bad, content, name, line))
    return made


def rejection_of(bad: RowError, content: object, name: str, line: int) -> Rejection:
    """Return the rejection of an object of a request."""
    return bad.problem.rejection(name, line, json.dumps(content))


def parse_rates(objects: Iterable[dict[str, Any]], name: str) -> Iterator[tuple[int, list[str]] | Rejection]:
    """Yield the exchange rates of a request as texts with their places from 1, or reject them."""
    for line, content in enumerate(objects, 1):
        try:
            yield line, field_texts(content, RATE_FIELDS, tuple(RATE_FIELDS))
        except RowError as bad:
            yield rejection_of(bad, content, name, line)


_TWICE = RowProblem("conflicting_id", "the same execution stands twice in this request", "send it once")


def _mark(texts: Sequence[str], times: TimeParser, instruments: Instruments) -> MarkInput:
    symbol, price, time = texts
    try:
        at = times.parse(time)
    except TimeFormatError as bad:
        raise RowError("bad_time", bad.reason, bad.hint) from None
    instrument = instruments.resolve(symbol, times.day)
    if isinstance(instrument, UnknownInstrument):
        raise RowError(instrument.code, instrument.reason, instrument.hint)
    return MarkInput(instrument.symbol, Decimal(price), at)


def field_texts(content: dict[str, Any], fields: Mapping[str, JsonField], order: Sequence[str]) -> list[str]:
    """Return the fields as texts in an order, "" for missing ones. Raises RowError."""
    for key in content:
        if key not in fields:
            raise RowError(
                "bad_value", f"{truncate(key, 60)!r} is no field", f"allowed are {', '.join(fields)}"
            )
    return [_text(name, fields[name], content.get(name)) if name in fields else "" for name in order]


def _text(name: str, field: JsonField, value: Any) -> str:
    if value is None:
        if field.required:
            raise RowError("missing_field", f"{name} is missing", field.description)
        return ""
    try:
        return field.parse(value)
    except ValueError as error:
        shown = truncate(json.dumps(value), 100)
        raise RowError(_CODES.get(name, "bad_value"), f"{name} is {shown}", str(error)) from None


_CODES = {
    "time": "bad_time",
    "date": "bad_time",
    "side": "bad_side",
    "quantity": "bad_quantity",
} | dict.fromkeys(("price", "commission", "stop_loss", "target", "rate"), "bad_number")


def _nullable(field: JsonField) -> dict[str, Any]:
    return dict(field.schema) if field.required else {"anyOf": [field.schema, {"type": "null"}]}


def _reject_nan(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return content
