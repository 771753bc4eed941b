"""Layouts: data that describes a broker's columns, rows, sides and fees.

`docs/add-a-broker.md` explains every key with an example.
"""

import re
import tomllib
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal, TypeVar, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from tearsheet.errors import FormatError
from tearsheet.sources.layouts.header import HeaderPlaces, header_places
from tearsheet.sources.layouts.report_rules import ReportRules, RoundTripRules
from tearsheet.sources.text.encoding import DecimalMark
from tearsheet.sources.text.times import DateOrder
from tearsheet.trade.event import EventKind
from tearsheet.trade.fill import Side
from tearsheet.trade.instrument import ASSET_CLASSES

#: Fields of a fill. Rows are lists of texts in this order, with "" for a field that the file lacks.
FIELDS = (
    "account",
    "symbol",
    "time",
    "side",
    "quantity",
    "price",
    "commission",
    "fill_id",
    "order_id",
    "strategy",
    "stop_loss",
    "target",
    "currency",
    "asset_class",
    "multiplier",
    "amount",
    "cash",
    "fee_currency",
    "base",
    "status",
    "effect",
    "realized",
    "trade_day",
    "position_side",
    "fee_worth",
)
#: Parts that a layout may also name; they are combined into the fields above.
PIECES = (
    "clock",
    "zone",
    "underlying",
    "expiry",
    "strike",
    "right",
    "exit_time",
    "exit_clock",
    "exit_price",
    "exit_order_id",
    "fee_rate",
    "moved_unit",
    "accrued",
    "category",
    "bought",
    "sold",
    "buy_price",
    "sell_price",
    "buy_id",
    "sell_id",
    "result",
    "bought_at",
    "sold_at",
    "price_currency",
    "rate",
    "event_amount",
    "event_id",
    "ex_date",
    "day",
    "gross",
    "net",
    "swap",
    "volume",
    "series",
    "ratio",
    "to_symbol",
    "to_account",
    "to_quantity",
    "cash_in_lieu",
    "delta",
    "cost",
    "cost_share",
    "how",
    "base_rate",
    "to_amount",
    "to_currency",
    "note",
    "refund",
    "unit",
    "action_id",
    "parent",
    "new",
    "old",
)
_EVERY_FILL_HAS = ("symbol", "time", "side", "quantity", "price")
_MADE_OF = {
    "symbol": ("underlying", "base"),
    "time": ("bought",),
    "side": ("bought",),
    "quantity": (),
    "price": ("buy_price", "bought_at", "amount", "cash"),
}
#: A row with one of these has all of them: a round trip as a purchase and a sale.
_BOTH_SIDES = ("bought", "sold", "buy_price", "sell_price")
#: JSON Lines format whose keys are the fields of `generic_fills`.
JSON_LINES = "generic_fills_jsonl"
Kind = Literal["csv", "html", "xlsx", "json", "xml", "sqlite"]
Effect = Literal["open", "close", ""]
#: Events that end a position without a trade; a delivery is the leg in the underlying.
Event = Literal["expiry", "assignment", "exercise", "delivery"]
#: Rows of shares that came or went without a trade; several of them may be one event.
Action = Literal[
    "split",
    "reverse_split",
    "merger",
    "rename",
    "spin_off",
    "stock_dividend",
    "worthless",
    "redemption",
    "transfer",
    "transfer_in",
    "transfer_out",
]
NonEmptyList = Annotated[list[str], Meta(min_length=1)]
_Word = TypeVar("_Word")


class DetectionColumns(Struct, frozen=True, forbid_unknown_fields=True):
    """Columns that identify the format, read or not: all of `columns` and one of `any`.

    `only`: a file has no column that the layout does not name, for those that it names are in many formats.
    """

    columns: list[str] = []
    any: list[str] = []
    only: bool = False


class SideWords(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of the format for buy and sell, case-insensitive."""

    buy: list[str] = []
    sell: list[str] = []


class OpenCloseWords(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of the format for opening and closing fills; any other word leaves the effect unknown.

    `split` separates several words in a cell. `sells`: short sales are impossible, so every sale closes.
    """

    opens: list[str] = []
    closes: list[str] = []
    split: str = ""
    sells: bool = False


class RowRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Column that determines the kind of a row.

    `trades` are the words for trades. `events` are the words for events, by kind. `skipped` are the words for
    rows that change nothing, by the name under which they are counted. `refused` are the words for rejected
    rows, with the reason. `ends` are the words for rows that end a position without a trade, by event. `actions`
    are the words for shares that came or went, by corporate action; its rows are one event. `splits`
    are the words for stock splits, which are rejected with a hint. A `*` within a word matches any text, and
    alone any other word; unknown words are rejected. `split` separates several words in a cell. `unfilled` are
    the words for orders that ended early: they are trades if a part was filled, and skipped if not. `certain` are
    the words for trades whatever later rules say of them. `levels`
    are levels of detail that state the same trades, the finest first: the first one that a file has is read,
    the others are skipped.
    """

    column: str
    trades: list[str] = []
    levels: list[NonEmptyList] = []
    unfilled: list[str] = []
    events: dict[EventKind, list[str]] = {}
    certain: list[str] = []
    skipped: dict[str, list[str]] = {}
    ends: dict[Event, list[str]] = {}
    actions: dict[Action, list[str]] = {}
    splits: list[str] = []
    refused: dict[str, str] = {}
    split: str = ""
    optional: bool = False


class ExtractPattern(Struct, frozen=True, forbid_unknown_fields=True):
    """Patterns that extract fields from a text; the first one that matches the whole text is used.

    `gaps`: only fields whose own cell is empty are taken. `mark`: the decimal mark of the text, if it may
    differ from that of the other columns.
    """

    column: str
    patterns: NonEmptyList
    optional: bool = False
    gaps: bool = False
    mark: Literal["point", ""] = ""


class Fees(Struct, frozen=True, forbid_unknown_fields=True):
    """Fee columns and their meaning. All columns are added; the first one is required unless they are `optional`.

    `exit`: columns of a round trip whose fees belong to its exit; those of `columns` count at the entry.

    `cost`: sign of a cost. `unsigned`: the sign has no meaning. `unknown`: a file with a fee below 0 is
    rejected until the user states the sign. `per`: with `unit` the number is a rate per contract.
    `unit`: with `stated`, a fee without a currency in a column or after the number is in the currency of
    the trade if its `category` is one of `in_quote`, else in the coin that its rate (`fee_rate`) tells,
    else it is rejected; with `received`, the fee is in the currency that the trade receives. `in_kind`: a
    fee in the traded coin is deducted from the coins, as on spot exchanges. `required`: a row without a
    fee is rejected, because the fee is unknown and not 0. `currency`: name of the column that states the
    currency of a fee column, whose name stands for `{fee}` in it. `after`, `before`: all columns between
    these are fees. `at_rate`: fees are in the currency of the account, in which a unit of the trade's is
    worth the `rate` of the row. `futures_pay_fees_only`: the `cash` of a future is its fee, because its gains
    are settled daily. `implied`: the fee of a round trip is what its result leaves.
    """

    columns: list[NonEmptyList] = []
    exit: list[NonEmptyList] = []
    optional: bool = False
    cost: Literal["positive", "negative", "unsigned", "unknown"] = "positive"
    per: Literal["fill", "unit"] = "fill"
    unit: Literal["stated", "received", ""] = ""
    in_quote: list[str] = []
    in_kind: bool = False
    after: str = ""
    before: list[str] = []
    required: bool = False
    currency: str = ""
    at_rate: bool = False
    implied: bool = False
    futures_pay_fees_only: bool = False

    def columns_of(self, places: HeaderPlaces) -> list[NonEmptyList]:
        """Return the fee columns of a header."""
        first = places.place(self.after) if self.after else None
        ends = [place for name in self.before if (place := places.place(name)) is not None]
        if first is None or not ends:
            return self.columns
        return [[name] for name, place in places.items() if first < place < min(ends)]

    @property
    def needed(self) -> list[NonEmptyList]:
        """Return the names of the column that every file has."""
        return [] if self.optional else self.columns[:1]


class EventMoney(Struct, frozen=True, forbid_unknown_fields=True):
    """Columns for the money of an event (the first non-empty one is used), sign of a payment, and currency.

    `unsigned` are kinds that were paid and whose amounts have no sign. `stated`: somebody writes the rows by hand, so
    that an amount whose sign contradicts its kind is refused.
    """

    amount: tuple[str, ...] = ("event_amount", "cash", "amount")
    paid: Literal["negative", "positive"] = "negative"
    unsigned: tuple[EventKind, ...] = ()
    stated: bool = False
    currency: str = ""


class UsualOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for files of a layout unless the file or the user states another: account, money, decimal mark."""

    account: str | None = None
    currency: str | None = None
    decimal_mark: DecimalMark | None = None


class LedgerRules(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of a ledger of coins: those with equal cells in `group` are one trade.

    `kind` is the column with the kind of a row; `trades` and `fees` are its words for what was given or got
    and for fees.
    """

    kind: str
    group: NonEmptyList
    trades: NonEmptyList
    fees: list[str] = []


class Layout(Struct, frozen=True, forbid_unknown_fields=True):
    """Format of a broker's file: the accepted column names of each field, and the rules of its rows.

    `opens` are the words for sides that open a position. If an option ends without a side, its side is
    derived from the trades that opened it. Rows with `signed` `endings` have a side or a signed quantity
    themselves, and may repeat trades of the file. Pairs in a quote of `inverse` are coin-margined contracts, each
    worth so much of the quote. `titles` is the field that a line with one
    cell above a table states. `tables` are columns by which the header of another table of the file is known,
    which has no trades.

    `prices`: with `unpointed` a large price may lack its point, which the tick shows;
    with `amount` a price is the amount of the trade divided by its quantity, with `cash` the cash
    that moved without the fees, so that both are in the currency of the account; with `account` that holds
    where the price is in another currency than that of the account. `cash`: whether the cash that moved is
    signed. `states_currency`: false if the file states no currency, so that the user has to; `states_day`:
    false if its times have no day. `usual_zone`: the zone of local times, unless the user states another; `usual`:
    other options of which that holds.
    `file_name`: a pattern whose first group in the file's name is the account, unless file or user state another.
    `multipliers`: with `amount` the multiplier is the round number by which quantity × price is the amount,
    with `result` that by which a round trip comes to its result; where none does, the prices are converted to
    the currency of the result. `pair_lot`: units of the first currency in a lot of a currency pair.
    `contract_sizes`: underlying → coins in a contract, where the `unit` of a quantity is contracts.
    `ambiguous`: a symbol that may be a stock and the root of a future is rejected, or a stock.
    `position_words` are sides, in lower case, that name the position: an order that closes it is on the opposite one.
    A field `moved_unit` is the coin that a row moved: of a pair, the row in the quote states the fee of its fill alone.
    `options`: with `spelled`, options are named by their parts, because they are not of the US. `requires`
    are fields without which a row is rejected, with the reason, or is one of the action `otherwise`; `a or b` is
    satisfied by either.
    """

    title: str
    names_zone: bool
    columns: dict[str, list[str]]
    sides: SideWords = SideWords()
    recognised_by: DetectionColumns = DetectionColumns()
    optional: dict[str, list[str]] = {}
    name: str = ""
    notes: str = ""
    kinds: tuple[Kind, ...] = ("csv",)
    zone: str | None = None
    usual_zone: str | None = None
    usual: UsualOptions = UsualOptions()
    file_name: str = ""
    zones: dict[str, str] = {}
    epoch: bool = False
    date_order: DateOrder | None = None
    usual_date_order: DateOrder | None = None
    short_years: bool = False
    newest_first: bool = False
    quantity: Literal["unsigned", "signed"] = "unsigned"
    prices: Literal["decimal", "fractions", "unpointed", "amount", "cash", "account"] = "decimal"
    cash: Literal["signed", "unsigned"] = "signed"
    position_words: list[str] = []
    states_currency: bool = True
    states_day: bool = True
    multipliers: Literal["stated", "amount", "result"] = "stated"
    pair_lot: int = 0
    contract_sizes: dict[str, str] = {}
    options: Literal["occ", "spelled"] = "occ"
    requires: dict[str, str] = {}
    otherwise: Action | Literal[""] = ""
    lots: bool = False
    ambiguous: Literal["rejected", "equity"] = "rejected"
    quotes: list[str] = []
    coin_names: dict[str, str] = {}
    inverse: dict[str, Decimal] = {}
    expiries: list[str] = []
    asset_classes: dict[str, str] = {}
    constants: dict[str, str] = {}
    preamble: dict[str, str] = {}
    rows: list[RowRule] = []
    parts: list[ExtractPattern] = []
    fees: Fees = Fees()
    events: EventMoney = EventMoney()
    table_ends: Literal["never", "blank"] = "never"
    opens: list[str] = []
    endings: Literal["opened", "signed"] = "opened"
    carried: list[str] = []
    titles: str = ""
    tables: list[NonEmptyList] = []
    refused: str = ""
    effects: OpenCloseWords = OpenCloseWords()
    round_trips: RoundTripRules | None = None
    report: ReportRules | None = None
    ledger: LedgerRules | None = None

    @property
    def is_account_money(self) -> bool:
        """Return whether prices are in the currency of the account, whatever that of the instrument is."""
        return self.prices in ("amount", "cash", "account") or self.multipliers == "result"

    @property
    def has_effect(self) -> bool:
        """Return whether a file can identify a fill as closing."""
        return bool(self.effects.closes or self.effects.sells)

    @property
    def needed(self) -> list[str]:
        """Return the required columns, each by its first name."""
        rules = [names[0] for names in self.fees.needed]
        rules += [rule.column for rule in self.rows if not rule.optional]
        rules += [part.column for part in self.parts if not part.optional]
        names = [*(names[0] for names in self.columns.values()), *self.recognised_by.columns]
        some = [" or ".join(self.recognised_by.any)] if self.recognised_by.any else []
        return list(dict.fromkeys([*names, *rules, *some]))

    def zone_of(self, header: Sequence[str]) -> str | None:
        """Return the fixed time zone of the format, or the one that a header column names."""
        places = header_places(header)
        named = (zone for column, zone in self.zones.items() if places.place(column) is not None)
        return self.zone or next(named, None) or self.open_parts(places).get("zone")

    def open_parts(self, places: HeaderPlaces) -> dict[str, str]:
        """Return what stands for the open parts of the names of columns: currency and zone."""
        found: dict[str, str] = {}
        for names in (*self.columns.values(), *self.optional.values(), *self.fees.columns):
            name = next((name for name in names if places.place(name) is not None), "")
            found |= {part: text for part, text in places.open_parts(name).items() if text}
        return found

    @property
    def only_events(self) -> bool:
        """Return whether no row is a trade."""
        return bool(self.rows) and all(rule.events and not rule.trades for rule in self.rows)

    @property
    def has_rules(self) -> bool:
        """Return whether cells have to be picked, checked or changed; else they are the fields."""
        is_ruled = any(getattr(self, key) != getattr(_PLAIN, key) for key in _RULES)
        is_open = any("{" in name for names in self.columns.values() for name in names)
        return is_ruled or is_open or not {*self.columns, *self.optional} <= {*FIELDS}

    def side_words(self, buy: _Word, sell: _Word) -> dict[str, _Word]:
        """Return the side of each word, in lower case."""
        words = {word.casefold(): buy for word in self.sides.buy}
        return words | {word.casefold(): sell for word in self.sides.sell}

    @property
    def requirements(self) -> list[tuple[str, Sequence[str]]]:
        """Return the required columns: how a message calls each, and the names that it may have."""
        columns = [(names[0], names) for names in (*self.columns.values(), *self.fees.needed)]
        rules = (rule.column for rule in self.rows if not rule.optional)
        parts = (part.column for part in self.parts if not part.optional)
        others = dict.fromkeys((*self.recognised_by.columns, *rules, *parts))
        some = self.recognised_by.any
        return [
            *columns,
            *((name, [name]) for name in others),
            *([(" or ".join(some), some)] if some else []),
        ]

    def missing(self, places: HeaderPlaces) -> list[str]:
        """Return the required columns that a header lacks."""
        lacking = [title for title, names in self.requirements if places.first(names) is None]
        if self.recognised_by.only and len({*places.values()} - {places.get("")}) > len(self._named(places)):
            lacking.append("no other column")
        is_other = any(all(places.place(name) is not None for name in names) for names in self.tables)
        return [] if is_other else lacking

    def _named(self, places: HeaderPlaces) -> set[int]:
        """Return the indices of the columns that the layout names."""
        groups = (*self.columns.values(), *self.optional.values(), *self.fees.columns)
        return {place for names in groups for name in names if (place := places.place(name)) is not None}

    def fallbacks(self, places: HeaderPlaces) -> list[tuple[str, list[int]]]:
        """Return the fields that have several columns in a file; in each row the first non-empty one is used."""
        found = []
        for field, options in (*self.columns.items(), *self.optional.items()):
            own = [place for option in options if (place := places.place(option)) is not None]
            if len(own) > 1:
                found.append((field, own))
        return found

    def effect(self, text: str, side: Side) -> Effect:
        """Return the effect of a fill on its position, by the word in its column or by its side."""
        rule = self.effects
        if not text and not rule.sells and "" not in rule.opens and "" not in rule.closes:
            return ""
        words = {word.strip() for word in (text.split(rule.split) if rule.split else [text])}
        opens, closes = not words.isdisjoint(rule.opens), not words.isdisjoint(rule.closes)
        if opens != closes:
            return "open" if opens else "close"
        if rule.sells:
            return "close" if side is Side.SELL else "open"
        return ""

    def match_header(self, header: Sequence[str]) -> dict[str, int] | None:
        """Return the column index of each field, or None if the header is not of this layout."""
        places = header_places(header)
        if self.missing(places):
            return None
        found = {}
        for field, names in (*self.columns.items(), *self.optional.items()):
            place = places.first(names)
            if place is not None:
                found[field] = place
        return found


#: A layout without rules, and the keys that are rules about cells.
_PLAIN = Layout(title="", names_zone=True, columns={})
_RULES = (
    "kinds",
    "epoch",
    "short_years",
    "quantity",
    "prices",
    "quotes",
    "coin_names",
    "expiries",
    "asset_classes",
    "constants",
    "preamble",
    "requires",
    "cash",
    "options",
    "multipliers",
    "rows",
    "parts",
    "position_words",
    "fees",
    "table_ends",
    "carried",
    "titles",
)


def parse_layout(name: str, text: str) -> Layout:
    """Parse the TOML text of a layout. Raises FormatError with the layout's name and the reason."""
    where = f"layout {name}.toml"
    try:
        layout = msgspec.convert({**tomllib.loads(text), "name": name}, Layout)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise FormatError(
            f"{where}: {error}",
            "docs/add-a-broker.md lists what a layout may say; `tearsheet formats` shows those there are",
        ) from None
    _check_fields(layout, where)
    _check_words(layout, where)
    _check_patterns(layout, where)
    return layout


def _check_fields(layout: Layout, where: str) -> None:
    known = (*FIELDS, *PIECES)
    named = (*layout.columns, *layout.optional, *layout.constants, *layout.preamble)
    titled = [layout.titles] if layout.titles else []
    required = [field for fields in layout.requires for field in fields.split(" or ")]
    for field in (*named, *required, *titled, *_groups(layout)):
        if field not in known:
            raise FormatError(f"{where}: field {field!r} is unknown", f"known are {', '.join(known)}")
    lacking = [field for field in _BOTH_SIDES if field not in layout.columns]
    if 0 < len(lacking) < len(_BOTH_SIDES):
        raise FormatError(
            f"{where}: no column is named for {lacking[0]}",
            f"a round trip told by its sides has {', '.join(_BOTH_SIDES)}",
        )
    if layout.refused or layout.only_events or layout.ledger is not None:
        return
    for field in _EVERY_FILL_HAS:
        if not (_has_column(layout, field) or any(_has_column(layout, f) for f in _MADE_OF[field])):
            raise FormatError(f"{where}: no column is named for {field}", "every fill has one")


def _has_column(layout: Layout, field: str) -> bool:
    if (field == "side" and layout.quantity == "signed") or field == layout.titles:
        return True
    return bool(layout.columns.get(field) or field in layout.constants or field in _groups(layout))


def _groups(layout: Layout) -> set[str]:
    """Return the fields that the layout's patterns extract."""
    patterns = [pattern for part in layout.parts for pattern in part.patterns]
    return {group for pattern in patterns for group in re.findall(r"\(\?P<(\w+)>", pattern)}


def _check_words(layout: Layout, where: str) -> None:
    words = layout.side_words("buy", "sell")
    is_double = len(words) < len({*layout.sides.buy}) + len({*layout.sides.sell})
    if is_double or not (words or layout.quantity == "signed" or layout.refused or layout.only_events):
        raise FormatError(f"{where}: a word stands for buy and for sell", "each means one side")
    for word, kind in layout.asset_classes.items():
        if kind not in (*ASSET_CLASSES, ""):
            raise FormatError(
                f"{where}: asset_classes.{word} is {kind!r}",
                f"allowed is {', '.join(ASSET_CLASSES)}, or nothing to leave it open",
            )
    for zone in filter(None, (layout.zone, layout.usual_zone, *layout.zones.values())):
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise FormatError(
                f"{where}: zone {zone!r} is unknown", "use an IANA name, for example UTC"
            ) from None


def _check_patterns(layout: Layout, where: str) -> None:
    patterns = [pattern for part in layout.parts for pattern in part.patterns]
    for pattern in (*patterns, *layout.preamble.values(), layout.file_name):
        try:
            re.compile(pattern)
        except re.error as error:
            raise FormatError(
                f"{where}: pattern {pattern!r}: {error}", "it is a regular expression of Python"
            ) from None


KINDS: tuple[Kind, ...] = get_args(Kind)
