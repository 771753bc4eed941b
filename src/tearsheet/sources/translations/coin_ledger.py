"""Ledgers of coins as tables of trades: the rows of one trade state what was given, what was got and the fee."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Context, Decimal

from msgspec import Struct

from tearsheet.sources.files.table_source import TableSource
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.problem import RowProblem
from tearsheet.trade.amount import ZERO, exact, to_plain_string

#: What a pair is quoted in: the later of two coins is the price of the other.
_MONEY = (
    *("BNB", "ETH", "BTC", "DAI", "TUSD", "BUSD", "FDUSD", "USDC", "USDT"),
    *("BRL", "TRY", "JPY", "CHF", "AUD", "CAD", "GBP", "EUR", "USD"),
)
_FIELDS = (
    "time",
    "base",
    "currency",
    "side",
    "quantity",
    "price",
    "commission",
    "fee_currency",
    "fill_id",
    "event_amount",
)
_PRICE = Decimal("1E-15")
_DIGITS = Context(prec=60)
_NUMBERS = NumberFormat(".")
#: Kinds of rows that this module adds to those of the ledger.
SEVERAL = "several trades at once"
UNPRICED = "coins for coins"
FEES = "fees in several coins"


class LedgerPlaces(Struct, frozen=True):
    """Columns of a ledger by their place, its words for trades and fees, and the names of its coins."""

    time: int
    coin: int
    amount: int
    kind: int
    group: tuple[int, ...]
    kind_name: str
    trades: frozenset[str]
    fees: frozenset[str]
    coins: Mapping[str, str]
    fee: int | None = None
    fill_id: int | None = None

    @property
    def all(self) -> tuple[int | None, ...]:
        """Return every place."""
        return (self.time, self.coin, self.amount, self.kind, *self.group, self.fee, self.fill_id)


class _Group(Struct):
    """Sums of a trade by coin, and the row that it begins with."""

    line: int
    cells: list[str]
    kind: str
    moved: dict[str, Decimal] = {}
    fees: dict[str, Decimal] = {}
    is_mixed: bool = False


class CoinLedger:
    """The trades of a ledger, each as one row; its other rows keep their kind, their coin and their amount."""

    def __init__(self, table: TableSource, places: LedgerPlaces, header_at: int) -> None:
        self._table = table
        self._places = places
        self._width = 1 + max(place for place in places.all if place is not None)
        self._header_at = header_at
        self.header = [*_FIELDS, places.kind_name]
        self.line = self.last_line = 0
        self.resume_after = header_at

    @property
    def bytes_read(self) -> int:
        """Number of bytes read so far."""
        return self._table.bytes_read

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """Yield the trades and the other rows below a position, in the order in which they begin."""
        for line, cells, problem in self._read(after):
            self.line = self.last_line = line
            yield cells, problem

    def _read(self, after: int) -> list[tuple[int, list[str], RowProblem | None]]:
        found: list[tuple[int, list[str], RowProblem | None] | _Group] = []
        groups: dict[tuple[str, ...], _Group] = {}
        places = self._places
        with exact():
            for cells, problem in self._table.rows(max(after, self._header_at)):
                if problem is not None or not "".join(cells).strip():
                    found.append((self._table.line, cells, problem))
                    continue
                row = [*cells, *[""] * self._width]  # a short row lacks cells that the header names
                if row[places.kind].strip() == places.kind_name:
                    continue  # the header once more
                group = self._group(row, groups)
                if group is None:
                    found.append((self._table.line, self._other(row), None))
                elif group.line == self._table.line:
                    found.append(group)
            return [(one.line, self._trade(one), None) if isinstance(one, _Group) else one for one in found]

    def _group(self, row: Sequence[str], groups: dict[tuple[str, ...], _Group]) -> _Group | None:
        """Add a row to its trade, and return that; None for a row of another kind."""
        places = self._places
        kind, coin = row[places.kind].strip().casefold(), self._coin(row)
        if kind not in places.trades and kind not in places.fees:
            return None
        key = tuple(row[place].strip() for place in places.group)
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(self._table.line, list(row), row[places.kind])
        amount, fee = (
            _amount(row[places.amount]),
            _amount(row[places.fee]) if places.fee is not None else ZERO,
        )
        if amount is None or fee is None or not coin:
            group.is_mixed = True
            return group
        if kind in places.fees:
            group.fees[coin] = group.fees.get(coin, ZERO) - amount
            return group
        group.kind = row[places.kind]
        before = group.moved.get(coin, ZERO)
        group.is_mixed = group.is_mixed or before * amount < ZERO
        group.moved[coin] = before + amount
        group.fees[coin] = group.fees.get(coin, ZERO) + fee
        return group

    def _coin(self, row: Sequence[str]) -> str:
        coin = row[self._places.coin].strip().upper()
        return self._places.coins.get(coin, coin)

    def _other(self, row: Sequence[str]) -> list[str]:
        places = self._places
        cells = dict.fromkeys(_FIELDS, "")
        cells |= {
            "time": row[places.time],
            "currency": self._coin(row),
            "quantity": row[places.amount].strip("-\u2212()"),
            "fill_id": row[places.fill_id] if places.fill_id is not None else "",
            "event_amount": self._moved(row),
        }
        return [*cells.values(), row[places.kind]]

    def _moved(self, row: Sequence[str]) -> str:
        """Return the amount that came or went, after its fee, as written if it is no number."""
        amount = _amount(row[self._places.amount])
        fee = _amount(row[self._places.fee]) if self._places.fee is not None else ZERO
        if amount is None or fee is None:
            return row[self._places.amount]
        return to_plain_string(amount - fee)

    def _trade(self, group: _Group) -> list[str]:
        places = self._places
        coins = sorted(group.moved, key=lambda coin: _MONEY.index(coin) if coin in _MONEY else -1)
        moved = [group.moved[coin] for coin in coins]
        fees = {coin: fee for coin, fee in group.fees.items() if fee}
        kind = group.kind
        if group.is_mixed or len(coins) != 2 or moved[0] * moved[1] >= ZERO:
            return self._unread(group, SEVERAL)
        if coins[1] not in _MONEY:
            return self._unread(group, UNPRICED)
        if len(fees) > 1:
            return self._unread(group, FEES)
        fee_coin, fee = next(iter(fees.items()), ("", ZERO))
        quantity, money = moved[0].copy_abs(), moved[1].copy_abs()
        price = _DIGITS.quantize(_DIGITS.divide(money, quantity), _PRICE)
        return [
            group.cells[places.time],
            *coins,
            "BUY" if moved[0] > ZERO else "SELL",
            *map(to_plain_string, (quantity, price, fee)),
            fee_coin,
            group.cells[places.fill_id] if places.fill_id is not None else "",
            "",
            kind,
        ]

    def _unread(self, group: _Group, kind: str) -> list[str]:
        told = " ".join(f"{to_plain_string(amount)} {coin}" for coin, amount in group.moved.items())
        cells = dict.fromkeys(_FIELDS, "")
        return [*(cells | {"time": group.cells[self._places.time], "base": told}).values(), kind]


def _amount(text: str) -> Decimal | None:
    try:
        return _NUMBERS.parse(text.strip() or "0")
    except ValueError:
        return None
