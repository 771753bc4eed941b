"""One row of a statement, as texts in the order of `FIELDS`, made a fill or a rejection."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import structs

from tearsheet.sources.layouts.layout import FIELDS
from tearsheet.sources.statements.duplicates import ExecutionIndex, OccurrenceCounter
from tearsheet.sources.statements.settlement import AS_WRITTEN, Settlement, TradeTerms
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.lines import truncate
from tearsheet.sources.text.problem import LONGEST_NAME, NAME_HINT, RowError, RowProblem
from tearsheet.sources.text.times import TimeFormatError, TimeParser
from tearsheet.trade.amount import ZERO
from tearsheet.trade.fill import Fill, FillRevision, Rejection, Side, content_key, execution_key
from tearsheet.trade.instrument import ASSET_CLASSES, AssetClass, Instrument, Instruments, UnknownInstrument

#: The fields that are numbers, and where they stand in a row.
NUMBER_PLACES = {
    field: FIELDS.index(field) for field in ("quantity", "price", "commission", "stop_loss", "target")
}
_EFFECT, _RESULT, _TRADE_DAY = map(FIELDS.index, ("effect", "realized", "trade_day"))
_Amounts = tuple[Decimal, Decimal, Decimal, Decimal | None, Decimal | None]
_NO_ID = ("", "0")
_Kind = Literal["correction", "bust"]
_SHOWN = 500
_REMEMBERED = 10_000
_DAY = timedelta(days=1)
_NUMBER_HINT = "allowed is a finite decimal number below 10^18"


class _NumberCache(dict[str, Decimal | None]):
    """Numbers by their texts: prices, quantities and fees come again and again."""

    def __init__(self, form: NumberFormat) -> None:
        super().__init__()
        self._number_format = form

    def __missing__(self, text: str) -> Decimal | None:
        number = self._number_format.parse(text)
        if len(self) >= _REMEMBERED:
            self.clear()
        self[text] = number
        return number


class FillParser:
    """Makes fills of a file's rows; it remembers what identity and order need, and no more."""

    def __init__(
        self,
        *,
        file: str,
        instruments: Instruments,
        times: TimeParser,
        numbers: NumberFormat,
        sides: Mapping[str, Side],
        account: str | None,
        newest_first: bool,
        separator: str = "",
        settlement: Settlement = AS_WRITTEN,
    ) -> None:
        self._file = file
        self._settlement = settlement
        self._separator = separator
        self._instruments = instruments
        self._times = times
        self._numbers = _NumberCache(numbers)
        self._known: dict[tuple[str, str, str, str, date], Instrument] = {}
        self._sides = dict(sides)
        self._known_sides: dict[str, Side] = {}
        self._account = account
        self._step = -1 if newest_first else 1
        self._ranks: dict[tuple[str, str], tuple[datetime, int]] = {}
        self._occurrences = OccurrenceCounter()
        self._executions = ExecutionIndex()
        #: what the row read last says of its effect on a position, its result and its day, as written
        self.effect = self.result = self.trade_day = ""

    def parse(self, row: Sequence[str], line: int, cells: Sequence[str]) -> Fill | Rejection | None:
        """The fill of a row; None where the same execution stood in the file before."""
        account, at = None, None
        self.effect, self.result, self.trade_day = row[_EFFECT], row[_RESULT], row[_TRADE_DAY]
        try:
            account = row[0].strip() or self._account
            if not account:
                raise RowError("missing_field", "account is empty", "say whose fills with --account")
            at = self._times.parse(row[2].strip() or _required(row[2], "time"))
            return self._fill(row, account, at, line)
        except TimeFormatError as bad:
            problem = RowProblem("bad_time", bad.reason, bad.hint)
        except RowError as bad:
            problem = bad.problem
        return self.reject(line, cells, problem, account, at)

    def reject(
        self,
        line: int,
        cells: Sequence[str],
        problem: RowProblem,
        account: str | None = None,
        at: datetime | None = None,
    ) -> Rejection:
        """A row that cannot be used, with what could be read of it."""
        return Rejection(
            file=self._file,
            line=line,
            text=truncate(self._separator.join(cells), _SHOWN),
            code=problem.code,
            reason=problem.reason,
            hint=problem.hint,
            account=account,
            since=at,
            until=at,
        )

    def _fill(self, row: Sequence[str], account: str, at: datetime, line: int) -> Fill | None:
        (
            _,
            symbol,
            _,
            side_text,
            _,
            _,
            _,
            fill_id,
            order_id,
            strategy,
            _,
            _,
            currency,
            asset_class,
            multiplier,
            amount,
            cash,
            fee_currency,
            base,
            status,
            _,
            _,
            _,
        ) = row
        side = self._known_sides.get(side_text) or self._side(side_text)
        quantity, price, commission, stop_loss, target = self._amounts(row)
        named = (symbol, currency, asset_class, multiplier, self._times.day)
        instrument = self._known.get(named) or self._instrument(*named)
        if amount or cash or fee_currency:
            terms = TradeTerms(side, quantity, price, commission)
            money = (amount, cash, fee_currency, base)
            quantity, commission = self._settlement.resolve_fee(terms, instrument, *money)
        symbol, fill_id = instrument.symbol, fill_id.strip()
        if len(account) + len(symbol) + len(fill_id) > LONGEST_NAME:
            _check_names(account=account, symbol=symbol, fill_id=fill_id)
        kind = _STATUSES[status] if status in _STATUSES else _status(status, fill_id)
        if fill_id in _NO_ID:
            fill_id = ""
            key = self._content_key(account, symbol, at, side, quantity, price, commission)
        else:
            content = hash((symbol, at, side is Side.BUY, quantity, price, commission))
            if kind is None and self._executions.is_duplicate(account, fill_id, content, line):
                return None
            key = execution_key(fill_id)
        fill = Fill(
            account=account,
            symbol=symbol,
            time=at,
            side=side,
            quantity=quantity,
            price=price,
            commission=commission,
            multiplier=instrument.multiplier,
            currency=instrument.currency,
            key=key,
            rank=self._next_rank(account, symbol, at),
            fill_id=fill_id or None,
            order_id=order_id.strip() or None,
            strategy=strategy.strip() or None,
            stop_loss=stop_loss,
            target=target,
        )
        return fill if kind is None else FillRevision(**structs.asdict(fill), kind=kind)

    def _amounts(self, row: Sequence[str]) -> _Amounts:
        """Quantity, price, commission, stop loss and target."""
        numbers = self._numbers
        try:
            quantity, price, commission = numbers[row[4]], numbers[row[5]], numbers[row[6]]
            stop_loss, target = numbers[row[10]], numbers[row[11]]
        except ValueError:
            raise self._bad_number(row) from None
        if quantity is None or quantity <= ZERO:
            raise _missing_quantity(quantity)
        if price is None:
            raise RowError("missing_field", "price is empty", "0 is a price, nothing is none")
        return quantity, price, commission or ZERO, stop_loss, target

    def _side(self, text: str) -> Side:
        bare = text.strip() or _required(text, "side")
        side = self._sides.get(bare.casefold())
        if side is None:
            raise RowError(
                "bad_side",
                f"side is neither a buy nor a sell, was {bare!r}",
                f"allowed is {', '.join(self._sides)}",
            )
        self._known_sides[text] = side
        return side

    def _bad_number(self, row: Sequence[str]) -> RowError:
        """Which number it is, asked only once there is a bad one."""
        for field, place in NUMBER_PLACES.items():
            try:
                self._numbers[row[place]]
            except ValueError as error:
                return RowError("bad_number", f"{field} {error}", _NUMBER_HINT)
        raise AssertionError("no number of the row is bad")

    def _instrument(
        self, symbol: str, currency: str, asset_class: str, multiplier: str, day: date
    ) -> Instrument:
        kind, money = asset_class_of(asset_class), _currency(currency)
        text = _required(symbol, "symbol").strip()
        resolved = self._instruments.resolve(text, _contract_day(day), kind, money)
        found = self._settlement.with_multiplier(resolved, text, kind, money, multiplier, self._instruments)
        if isinstance(found, UnknownInstrument):
            raise RowError(found.code, found.reason, found.hint)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[symbol, currency, asset_class, multiplier, day] = found
        return found

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


_STATUSES: dict[str, _Kind | None] = {"": None, "fill": None}


def _status(text: str, fill_id: str) -> _Kind | None:
    """Whether a row is a later word on an execution. Raises RowError."""
    bare = text.strip().casefold()
    if bare in _STATUSES:
        return _STATUSES[bare]
    if bare not in ("correction", "bust"):
        raise RowError(
            "bad_value",
            f"status is not known, was {truncate(text.strip(), _SHOWN)!r}",
            "allowed is fill, correction, bust",
        )
    if fill_id in _NO_ID:
        raise RowError(
            "missing_field", f"a {bare} has no fill_id", "it names the execution that it speaks of"
        )
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
        return RowError("missing_field", "quantity is empty", "the side gives the sign")
    return RowError("bad_quantity", f"quantity must be positive, was {quantity}", "the side gives the sign")


def _contract_day(day: date) -> date:
    """The date that settles one-digit years: in UTC, New Year begins before American markets close."""
    return day - _DAY if (day.month, day.day) == (1, 1) else day


def asset_class_of(text: str) -> AssetClass | None:
    """The kind of instrument that a word names, None for none. Raises RowError."""
    bare = text.strip()
    for known in ASSET_CLASSES:
        if bare.lower() == known:
            return known
    if not bare:
        return None
    raise RowError(
        "bad_value", f"asset_class is not known, was {bare!r}", f"allowed is {', '.join(ASSET_CLASSES)}"
    )


def _currency(text: str) -> str | None:
    code = text.strip().upper()
    if code and not (code.isascii() and code.isalnum() and 2 <= len(code) <= 10):
        raise RowError("bad_value", f"currency is no code, was {text!r}", "allowed is a code such as USD")
    return code or None
