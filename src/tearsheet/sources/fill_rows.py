"""One row of a statement, as named texts, made a fill or a rejection."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from tearsheet.sources.text import NumberForm
from tearsheet.sources.times import TimeReader, TimeTextError
from tearsheet.trade.amount import ZERO
from tearsheet.trade.fill import Fill, Rejection, Side, content_key, execution_key
from tearsheet.trade.instrument import ASSET_CLASSES, AssetClass, Instruments, UnknownInstrument

_NO_ID = ("", "0")
_SHOWN = 500
_NUMBER_HINT = "allowed is a finite decimal number below 10^18"


class _RowError(Exception):
    """A row that cannot be used: code, reason, hint."""

    def __init__(self, code: str, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.code, self.reason, self.hint = code, reason, hint


class FillRows:
    """Makes fills of a file's rows; it remembers what identity and order need, and no more."""

    def __init__(
        self,
        *,
        file: str,
        instruments: Instruments,
        times: TimeReader,
        numbers: NumberForm,
        sides: Mapping[str, Side],
        account: str | None,
        newest_first: bool,
    ) -> None:
        self._file = file
        self._instruments = instruments
        self._times = times
        self._numbers = numbers
        self._sides = dict(sides)
        self._account = account
        self._step = -1 if newest_first else 1
        self._ranks: dict[tuple[str, str], tuple[datetime, int]] = {}
        self._same: Counter[str] = Counter()
        self._ids: dict[tuple[str, str], tuple[int, int]] = {}

    def make(self, row: Mapping[str, str], line: int, text: str) -> Fill | Rejection | None:
        """The fill of a row; None where the same execution stood in the file before."""
        at: datetime | None = None
        account = None
        try:
            account = row.get("account") or self._account
            if not account:
                raise _RowError(
                    "missing_field", "account is empty", "say whose fills with --account"
                )
            at = self._times.read(_needed(row, "time"))
            return self._fill(row, account, at, line)
        except TimeTextError as bad:
            return self._reject(line, text, "bad_time", bad.reason, bad.hint, account, at)
        except _RowError as bad:
            return self._reject(line, text, bad.code, bad.reason, bad.hint, account, at)

    def reject(self, line: int, text: str, code: str, reason: str, hint: str) -> Rejection:
        """A row that is no row at all."""
        return self._reject(line, text, code, reason, hint, None, None)

    def _fill(self, row: Mapping[str, str], account: str, at: datetime, line: int) -> Fill | None:
        symbol = _needed(row, "symbol")
        side = self._side(_needed(row, "side"))
        quantity = self._number(row, "quantity")
        if quantity is None or quantity <= ZERO:
            reason = (
                "quantity is empty"
                if quantity is None
                else f"quantity must be positive, was {quantity}"
            )
            raise _RowError(
                "missing_field" if quantity is None else "bad_quantity",
                reason,
                "the side gives the sign",
            )
        price = self._number(row, "price")
        if price is None:
            raise _RowError("missing_field", "price is empty", "0 is a price, nothing is none")
        commission = self._number(row, "commission") or ZERO
        instrument = self._instruments.resolve(
            symbol, at.date(), self._asset_class(row), (row.get("currency") or "").upper() or None
        )
        if isinstance(instrument, UnknownInstrument):
            raise _RowError(instrument.code, instrument.reason, instrument.hint)
        fill_id = row.get("fill_id", "")
        canonical = instrument.symbol
        if fill_id in _NO_ID:
            fill_id, key = (
                "",
                self._content_key(account, canonical, at, side, quantity, price, commission),
            )
        else:
            key = execution_key(fill_id)
            content = hash((canonical, at, side, quantity, price, commission))
            if self._is_known(account, fill_id, content, line):
                return None
        return Fill(
            account=account, symbol=canonical, time=at, side=side, quantity=quantity, price=price,
            commission=commission, multiplier=instrument.multiplier, currency=instrument.currency,
            key=key, rank=self._rank(account, canonical, at), fill_id=fill_id or None,
            order_id=row.get("order_id") or None, strategy=row.get("strategy") or None,
            stop_loss=self._number(row, "stop_loss"), target=self._number(row, "target"),
        )  # fmt: skip

    def _side(self, text: str) -> Side:
        side = self._sides.get(text) or self._sides.get(text.casefold())
        if side is None:
            allowed = ", ".join(self._sides)
            raise _RowError(
                "bad_side",
                f"side is neither a buy nor a sell, was {text!r}",
                f"allowed is {allowed}",
            )
        return side

    def _number(self, row: Mapping[str, str], field: str) -> Decimal | None:
        text = row.get(field)
        if not text:
            return None
        try:
            return self._numbers.parse(text)
        except ValueError as error:
            raise _RowError("bad_number", f"{field} {error}", _NUMBER_HINT) from None

    def _asset_class(self, row: Mapping[str, str]) -> AssetClass | None:
        text = row.get("asset_class")
        if not text:
            return None
        for known in ASSET_CLASSES:
            if text.lower() == known:
                return known
        allowed = ", ".join(ASSET_CLASSES)
        raise _RowError(
            "bad_value", f"asset_class is not known, was {text!r}", f"allowed is {allowed}"
        )

    def _content_key(
        self, account: str, symbol: str, at: datetime, side: Side,
        quantity: Decimal, price: Decimal, commission: Decimal,
    ) -> str:  # fmt: skip
        bare = content_key(
            account=account, symbol=symbol, time=at, side=side, quantity=quantity, price=price,
            commission=commission, occurrence=0,
        )  # fmt: skip
        content = bare.removesuffix(":0")
        number = self._same[content]
        self._same[content] += 1
        return f"{content}:{number}"

    def _is_known(self, account: str, fill_id: str, content: int, line: int) -> bool:
        """Whether the execution stood in the file before; with other content it is a conflict."""
        seen = self._ids.setdefault((account, fill_id), (content, line))
        if seen[1] == line:
            return False
        if seen[0] == content:
            return True
        raise _RowError(
            "conflicting_id",
            f"execution {fill_id} of account {account} stands in line {seen[1]} with other content",
            "the first one is kept; check which is right with the broker",
        )

    def _rank(self, account: str, symbol: str, at: datetime) -> int:
        before = self._ranks.get((account, symbol))
        rank = before[1] + self._step if before is not None and before[0] == at else 0
        self._ranks[account, symbol] = (at, rank)
        return rank

    def _reject(
        self, line: int, text: str, code: str, reason: str, hint: str,
        account: str | None, at: datetime | None,
    ) -> Rejection:  # fmt: skip
        return Rejection(
            file=self._file, line=line, text=text[:_SHOWN], code=code, reason=reason, hint=hint,
            account=account, since=at, until=at,
        )  # fmt: skip


def _needed(row: Mapping[str, str], field: str) -> str:
    text = row.get(field, "").strip()
    if not text:
        raise _RowError("missing_field", f"{field} is empty", "every fill has one")
    return text
