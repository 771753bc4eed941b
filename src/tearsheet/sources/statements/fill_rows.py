"""Parser of raw fills and events into fills, events and rejections; duplicates are dropped."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from operator import lt
from typing import Literal, TypeVar

from msgspec import json, structs

from tearsheet.columns.fill_columns import StatedFills
from tearsheet.sources.files.duplicates import ExecutionIndex, OccurrenceCounter
from tearsheet.sources.statements.raw_fill import RawEvent, RawFill
from tearsheet.sources.statements.settlement import (
    AS_WRITTEN,
    Settlement,
    TradeTerms,
    currency_code,
    fit_to_result,
)
from tearsheet.sources.text.contracts import price_by_tick
from tearsheet.sources.text.lines import truncate
from tearsheet.sources.text.problem import LONGEST_NAME, NAME_HINT, RowError, RowProblem
from tearsheet.sources.text.times import TimeFormatError, TimeParser
from tearsheet.trade.amount import EXACT, ONE, ZERO, to_plain_string
from tearsheet.trade.event import CASH, NO_TERMS, Event, event_content_key, event_key
from tearsheet.trade.fill import (
    NO_FEE,
    Fill,
    FillRevision,
    Rejection,
    Side,
    content_key,
    execution_key,
    leg_key,
)
from tearsheet.trade.instrument import ASSET_CLASSES, AssetClass, Instrument, Instruments, UnknownInstrument
from tearsheet.trade.session import from_micros, to_micros

#: Access to an enum member takes 0.1 µs in Python 3.11.
_BUY = Side.BUY
_NO_ID = ("", "0")
_Kind = Literal["correction", "bust"]
_SHOWN = 500
_CACHE_SIZE = 10_000
_DAY = timedelta(days=1)
#: Units that exchanges state money in: their coin, and what of it one is.
_SCALED = {
    "XBt": ("BTC", Decimal("0.00000001")),
    "USDt": ("USDT", Decimal("0.000001")),
    "Gwei": ("ETH", Decimal("0.000000001")),
}
#: Currencies that are a hundredth of another: prices in them are in the other, with a multiplier of 0.01.
_MINOR = {
    "GBX": "GBP",
    "GBp": "GBP",
    "GBPENCE": "GBP",
    "ZAc": "ZAR",
    "ZAC": "ZAR",
    "ILA": "ILS",
    "ILa": "ILS",
}
_HUNDREDTH = Decimal("0.01")
#: Units of fees: what each is of, and how much of it.
_FEE_UNITS = {**{unit: (money, _HUNDREDTH) for unit, money in _MINOR.items()}, **_SCALED}
_ONLY_CLOCK = re.compile(r"\d{1,2}:\d\d[\d:., aApPmM]*")
_SAY_THE_DAY = "a time without a day: say of which day with --date YYYY-MM-DD, or name the column of the day"
R = TypeVar("R", RawFill, RawEvent)
T = TypeVar("T")
_InstrumentKey = tuple[str, str, str, Decimal | None, date]


class FillParser:
    """Turns raw fills into fills or rejections, and keeps what identity and order of a file need."""

    def __init__(
        self,
        *,
        file: str,
        instruments: Instruments,
        times: TimeParser,
        sides: Mapping[str, Side],
        account: str | None,
        newest_first: bool,
        row_text: Callable[[Sequence[str]], str] = "".join,
        settlement: Settlement = AS_WRITTEN,
    ) -> None:
        self._file = file
        self._settlement = settlement
        self._row_text = row_text
        self._instruments = instruments
        self._times = times
        self._known: dict[_InstrumentKey, Instrument] = {}
        self._sides = dict(sides)
        self._known_sides: dict[str, Side] = {}
        #: account of rows that state none
        self.account = account
        self._step = -1 if newest_first else 1
        self._ranks: dict[tuple[str, str], tuple[datetime, int]] = {}
        self._occurrences = OccurrenceCounter()
        #: Multipliers that round trips show, by symbol.
        self._lots: dict[str, Decimal] = {}
        self._executions = ExecutionIndex()
        #: Whether some rows are read as columns, so that contents are compared by texts.
        self.reads_columns = False
        #: The raw fill parsed last.
        self.last = RawFill()

    @property
    def is_newest_first(self) -> bool:
        """Return whether of two rows with the same time the lower one is the earlier one."""
        return self._step < 0

    def parse(self, raw: RawFill, line: int, cells: Sequence[str]) -> Fill | Rejection | None:
        """Return the fill, or None if an earlier row has the same execution."""
        self.last = raw
        return self._parse(raw, line, cells, self._fill)

    def side_of(self, text: str) -> Side:
        """Return the side that a text names. Raises RowError."""
        return self._known_sides.get(text) or self._side(text)

    def instrument_of(
        self, symbol: str, currency: str, asset_class: str, multiplier: Decimal | None, day: date
    ) -> Instrument:
        """Return the instrument that the texts of a row name. Raises RowError."""
        named = (symbol, currency, asset_class, multiplier, day)
        return self._known.get(named) or self._instrument(*named)

    def note_executions(self, fills: StatedFills, contents: Sequence[int]) -> int:
        """Record the executions of fills; return the number of fills before the first duplicate."""
        ids = [fill_id or "" for fill_id in fills.fill_ids]
        return self._executions.add_all(fills.columns.account, ids, contents, fills.lines)

    def next_ranks(
        self, accounts: Sequence[str], symbols: Sequence[str], times_us: Sequence[int]
    ) -> list[int]:
        """Return the ranks of the next fills among those of their instrument and instant."""
        streams = list(zip(accounts, symbols, strict=True))
        first = dict(zip(reversed(streams), reversed(times_us), strict=True))
        before = {
            one: (to_micros(self._ranks[one][0]), self._ranks[one][1]) for one in first if one in self._ranks
        }
        rises = all(map(lt, times_us, times_us[1:]))
        if rises and all(at != first[stream] for stream, (at, _) in before.items()):
            ranks = [0] * len(streams)
        else:
            ranks = []
            for stream, at in zip(streams, times_us, strict=True):
                last = before.get(stream)
                ranks.append(last[1] + self._step if last is not None and last[0] == at else 0)
                before[stream] = (at, ranks[-1])
        ended = dict(zip(streams, zip(times_us, ranks, strict=True), strict=True))
        self._ranks |= {stream: (from_micros(at), rank) for stream, (at, rank) in ended.items()}
        return ranks

    def find_root(self, entry: RawFill, leaving: RawFill, result: Decimal) -> None:
        """Resolve an ambiguous symbol, a stock or a futures root: the root if the result has its multiplier."""
        if not (entry.price and leaving.price and entry.quantity) or entry.multiplier is not None:
            return
        known = self._instruments.resolve(entry.symbol.strip(), self._times.day, None, None)
        if not isinstance(known, UnknownInstrument) or known.code != "ambiguous_instrument":
            return
        root = self._instruments.resolve(entry.symbol.strip(), self._times.day, "future", None)
        if not isinstance(root, UnknownInstrument):
            points = EXACT.multiply(EXACT.subtract(leaving.price, entry.price), entry.quantity)
            made = EXACT.multiply(points, root.multiplier)
            if points and abs(EXACT.subtract(made.copy_abs(), result.copy_abs())) <= _HUNDREDTH:
                entry.asset_class = leaving.asset_class = "future"

    def fit_to_result(self, entry: RawFill, leaving: RawFill, gross: Decimal) -> None:
        """Find the multiplier of a round trip by its result before fees, which is in the account's currency."""
        name = " ".join(entry.symbol.upper().split())
        override = self._instruments.overrides.get(name)
        is_long = (self._known_sides.get(entry.side) or self._side(entry.side)) is _BUY
        gain = gross if is_long else EXACT.minus(gross)
        size = fit_to_result(entry, leaving, gain, override, self._lots.get(name))
        if size is None:
            return
        if entry.asset_class == "crypto" and entry.quantity is not None:  # contracts of coins: as many coins
            self._lots[name] = size
            entry.quantity = leaving.quantity = EXACT.multiply(entry.quantity, size)
            return
        self._lots[name] = entry.multiplier = leaving.multiplier = size
        if entry.asset_class == "" and override is None:
            entry.asset_class = leaving.asset_class = "future"

    def parse_event(self, raw: RawEvent, line: int, cells: Sequence[str]) -> Event | Rejection | None:
        """Return the event, or None if an earlier row has the same one."""
        return self._parse(raw, line, cells, self._event)

    def _parse(
        self, raw: R, line: int, cells: Sequence[str], make: Callable[[R, str, datetime, int], T | None]
    ) -> T | Rejection | None:
        """Find the account and the time of a row and make its value; a row without them is rejected."""
        account, at = None, None
        try:
            account = raw.account.strip() or self.account
            if not account:
                raise RowError("missing_field", "account is empty", "set it with --account")
            at = self._times.parse(raw.time.strip() or _required(raw.time, "time"))
            return make(raw, account, at, line)
        except TimeFormatError as bad:
            problem = _bad_time(raw.time, bad)
        except RowError as bad:
            problem = bad.problem
        return self.reject(line, cells, problem, account, at)

    def _event(self, raw: RawEvent, account: str, at: datetime, line: int) -> Event | None:
        if (scale := _SCALED.get(raw.currency.strip())) and raw.amount is not None:
            raw.amount, raw.currency = EXACT.multiply(raw.amount, scale[1]), scale[0]
        symbol, multiplier, currency = "", ONE, currency_code(raw.currency)
        if raw.kind in CASH:
            symbol = " ".join(raw.symbol.upper().split())
        elif raw.symbol:
            instrument = self._instrument(
                raw.symbol, raw.currency, raw.asset_class, raw.multiplier, self._times.day
            )
            symbol, multiplier = instrument.symbol, instrument.multiplier
            currency = currency or instrument.currency
        if raw.cash is not None and raw.terms.price is not None:
            worth = EXACT.multiply(EXACT.multiply(raw.quantity, raw.terms.price), multiplier)
            raw.commission = EXACT.minus(EXACT.add(worth, raw.cash))
        held_at = self._times.start_of_day(raw.held_on.strip()) if raw.held_on.strip() else None
        event_id = raw.event_id.strip()
        if len(account) + len(symbol) + len(event_id) > LONGEST_NAME:
            _check_names(account=account, symbol=symbol, event_id=event_id)
        if event_id in _NO_ID:
            event_id = ""
            first = event_content_key(
                account=account,
                symbol=symbol,
                time=at,
                kind=raw.kind,
                amount=_event_content(raw),
                occurrence=0,
            )
            number = self._occurrences.next_number(int(first[2:-2], 16), at)
            key = f"{first[:-1]}{number}"
        else:
            content = hash((symbol, at, _event_content(raw)))
            if self._executions.is_duplicate(account, f"{raw.kind}:{event_id}", content, line):
                return None
            key = event_key(event_id, raw.kind)
        return Event(
            account=account,
            symbol=symbol,
            time=at,
            side=Side.SELL if raw.quantity < ZERO else _BUY,
            quantity=raw.quantity.copy_abs(),
            price=ZERO,
            commission=raw.commission,
            multiplier=multiplier,
            currency=currency or self._instruments.default_currency,
            key=key,
            rank=self._next_rank(account, symbol, at),
            fill_id=event_id or None,
            position_side=_position_side(raw.position_side),
            kind=raw.kind,
            amount=raw.amount,
            terms=raw.terms if held_at is None else structs.replace(raw.terms, held_at=held_at),
        )

    def foreign_fee(self, fill: Fill, raw: RawFill) -> Event | None:
        """Return the fee of a fill as an event of its own, if it is in a third currency and has no rate."""
        if raw.foreign_fee is None:
            return None
        fee, money = raw.foreign_fee
        return Event(
            account=fill.account,
            symbol=fill.symbol,
            time=fill.time,
            side=_BUY,
            quantity=ZERO,
            price=ZERO,
            commission=ZERO,
            multiplier=fill.multiplier,
            currency=money,
            key=event_key(fill.key, "foreign_fee"),
            rank=fill.rank,
            fill_id=fill.fill_id,
            position_side=fill.position_side,
            kind="foreign_fee",
            amount=EXACT.minus(fee),
        )

    def reject(
        self,
        line: int,
        cells: Sequence[str],
        problem: RowProblem,
        account: str | None = None,
        at: datetime | None = None,
    ) -> Rejection:
        """Return the rejection of a row, with the account and time if they could be read."""
        rejection = problem.rejection(self._file, line, self._row_text(cells))
        return structs.replace(rejection, account=account, since=at, until=at)

    def _fill(self, raw: RawFill, account: str, at: datetime, line: int) -> Fill | None:
        side = self._known_sides.get(raw.side) or self._side(raw.side)
        quantity, price = raw.quantity, raw.price
        if self._settlement.deal_prices:
            price = self._settlement.deal_prices.get(raw.fill_id, price)
        commission = NO_FEE if raw.commission is None else raw.commission or ZERO
        if raw.bad_number is not None:
            raise RowError(*structs.astuple(raw.bad_number))
        if raw.fee_currency and (unit := _FEE_UNITS.get(raw.fee_currency.strip())):
            commission, raw.fee_currency = EXACT.multiply(commission, unit[1]), unit[0]
        if quantity is None or quantity <= ZERO:
            raise _missing_quantity(quantity)
        named = (raw.symbol, raw.currency, raw.asset_class, raw.multiplier, self._times.day)
        if price is None and not raw.fraction:
            raise RowError("missing_field", "price is empty", "use 0 if the price is zero")
        instrument = self._known.get(named) or self._instrument(*named)
        if raw.fraction:
            price = price_by_tick(raw.fraction, price, instrument)
        assert price is not None
        if instrument.multiplier < ZERO and price <= ZERO:
            raise RowError(
                "bad_number", f"price is {price}, and a coin-margined contract has none", "check it"
            )
        if raw.fee_currency or raw.amount is not None or raw.cash is not None:
            terms = TradeTerms(side, quantity, price, commission)
            quantity, commission = self._settlement.resolve_fee(terms, instrument, raw)
        symbol, fill_id = instrument.symbol, raw.fill_id.strip()
        if len(account) + len(symbol) + len(fill_id) > LONGEST_NAME:
            _check_names(account=account, symbol=symbol, fill_id=fill_id)
        kind = _status(raw.status, fill_id) if raw.status else None
        if fill_id in _NO_ID:
            fill_id = ""
            key = self._content_key(account, symbol, at, side, quantity, price, commission)
            name = key[2:]
        else:
            content = self._content(symbol, at, side, (quantity, price, commission))
            if kind is None and self._executions.is_duplicate(account, fill_id, content, line):
                return None
            key, name = execution_key(fill_id), fill_id
        if raw.leg:
            key = leg_key(name, has_day_only=raw.leg == "day")
        fill = Fill(
            account,
            symbol,
            at,
            side,
            quantity,
            price,
            commission,
            instrument.multiplier,
            instrument.currency,
            key,
            self._next_rank(account, symbol, at),
            fill_id or None,
            raw.order_id.strip() or None,
            raw.strategy.strip() or None,
            raw.stop_loss,
            raw.target,
            None,
            _position_side(raw.position_side) if raw.position_side else None,
        )
        return fill if kind is None else FillRevision(**structs.asdict(fill), kind=kind)

    def _content(self, symbol: str, at: datetime, side: Side, amounts: tuple[Decimal, ...]) -> int:
        """Return a hash of what an execution is, by texts where some rows are read as columns."""
        if self.reads_columns:
            return hash((symbol, to_micros(at), side.value, *map(to_plain_string, amounts)))
        return hash((symbol, at, side is _BUY, amounts))

    def _side(self, text: str) -> Side:
        bare = text.strip() or _required(text, "side")
        side = self._sides.get(bare.casefold())
        if side is None:
            raise RowError("bad_side", f"unknown side {bare!r}", f"allowed is {', '.join(self._sides)}")
        self._known_sides[text] = side
        return side

    def _instrument(
        self, symbol: str, currency: str, asset_class: str, multiplier: Decimal | None, day: date
    ) -> Instrument:
        minor = _MINOR.get(currency.strip(), "")
        kind, money = asset_class_of(asset_class), minor or currency_code(currency)
        text = _required(symbol, "symbol").strip()
        resolved = self._instruments.resolve(text, _contract_day(day), kind, money)
        is_ambiguous = isinstance(resolved, UnknownInstrument) and resolved.code == "ambiguous_instrument"
        if is_ambiguous and self._settlement.is_root_equity:
            resolved = self._instruments.resolve(text, _contract_day(day), "equity", money)
        instrument = self._settlement.with_multiplier(
            resolved, text, kind, money, multiplier, self._instruments
        )
        if isinstance(instrument, UnknownInstrument):
            raise RowError(instrument.code, instrument.reason, instrument.hint)
        if money and self._settlement.is_account_money and instrument.root is None:
            instrument = structs.replace(instrument, currency=money)
        override = self._instruments.overrides.get(" ".join(text.upper().split()))
        if minor and instrument.root is None and (override is None or override.multiplier is None):
            instrument = structs.replace(
                instrument, multiplier=EXACT.multiply(instrument.multiplier, _HUNDREDTH)
            )
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()
        self._known[symbol, currency, asset_class, multiplier, day] = instrument
        return instrument

    def _content_key(
        self,
        account: str,
        symbol: str,
        at: datetime,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        commission: Decimal,
    ) -> str:
        """The content's key with the number of equal ones before: `c:<digest>:<number>`."""
        first = content_key(
            account=account,
            symbol=symbol,
            time=at,
            side=side,
            quantity=quantity,
            price=price,
            commission=commission,
            occurrence=0,
        )
        number = self._occurrences.next_number(int(first[2:-2], 16), at)
        return f"{first[:-1]}{number}" if number else first

    def _next_rank(self, account: str, symbol: str, at: datetime) -> int:
        stream = (account, symbol)
        before = self._ranks.get(stream)
        rank = before[1] + self._step if before is not None and before[0] == at else 0
        self._ranks[stream] = (at, rank)
        return rank


def _bad_time(text: str, error: TimeFormatError) -> RowProblem:
    hint = _SAY_THE_DAY if _ONLY_CLOCK.fullmatch(text.strip()) else error.hint
    return RowProblem("bad_time", error.reason, hint)


def _position_side(text: str) -> str | None:
    """Return long or short for an account in hedge mode, None otherwise. Raises RowError."""
    bare = text.strip().casefold()
    if bare not in _POSITION_SIDES:
        raise RowError(
            "bad_value",
            f"position_side is not known, was {truncate(text.strip(), _SHOWN)!r}",
            "allowed is long, short, or both for an account that holds one side",
        )
    return _POSITION_SIDES[bare]


def _event_content(raw: RawEvent) -> str:
    """Return money, quantity and terms of an event as one text: its identity among the events of an instant."""
    amount = "" if raw.amount is None else to_plain_string(raw.amount)
    if not raw.quantity and raw.terms == NO_TERMS:
        return amount
    return f"{amount} {to_plain_string(raw.quantity)} {json.encode(raw.terms).decode()}"


#: Words of exchanges for the position of a fill in hedge mode; Bybit's are numbers.
_POSITION_SIDES: dict[str, str | None] = {
    "": None,
    "both": None,
    "net": None,
    "0": None,
    "long": "long",
    "1": "long",
    "short": "short",
    "2": "short",
}
_STATUSES: dict[str, _Kind | None] = {"": None, "fill": None}


def _status(text: str, fill_id: str) -> _Kind | None:
    """Return whether a row is a correction or a bust, None for a fill. Raises RowError."""
    bare = text.strip().casefold()
    if bare in _STATUSES:
        return _STATUSES[bare]
    if bare not in ("correction", "bust"):
        raise RowError(
            "bad_value",
            f"unknown status {truncate(text.strip(), _SHOWN)!r}",
            "allowed is fill, correction, bust",
        )
    if fill_id in _NO_ID:
        raise RowError("missing_field", f"a {bare} has no fill_id", "set it to the execution ID it refers to")
    return "correction" if bare == "correction" else "bust"


def _check_names(**names: str) -> None:
    for field, name in names.items():
        if len(name) > LONGEST_NAME:
            raise RowError("bad_value", f"{field} has {len(name):,} characters", NAME_HINT)


def _required(text: str, field: str) -> str:
    if not text.strip():
        raise RowError("missing_field", f"{field} is empty", "every fill has one")
    return text


def _missing_quantity(quantity: Decimal | None) -> RowError:
    if quantity is None:
        return RowError("missing_field", "quantity is empty", "the side determines the sign")
    return RowError(
        "bad_quantity", f"quantity must be positive, was {quantity}", "the side determines the sign"
    )


def _contract_day(day: date) -> date:
    """Return the date that decides one-digit years; New Year in UTC begins before American markets close."""
    return day - _DAY if (day.month, day.day) == (1, 1) else day


def asset_class_of(text: str) -> AssetClass | None:
    """Return the asset class of a word; None if it is empty. Raises RowError."""
    bare = text.strip()
    for known in ASSET_CLASSES:
        if bare.lower() == known:
            return known
    if not bare:
        return None
    raise RowError("bad_value", f"unknown asset_class {bare!r}", f"allowed is {', '.join(ASSET_CLASSES)}")
