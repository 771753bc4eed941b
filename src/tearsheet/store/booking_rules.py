"""Rules by which books are made; their module is light, as every command reads them."""

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from tearsheet.trade.fee_schedule import FeeSchedule
from tearsheet.trade.instrument import Instruments
from tearsheet.trade.session import TradingCalendar

#: How a trade log is read: by its accounts and symbols, as trades, or as executions.
TradeLogMode = Literal["auto", "trades", "fills"]


class BookingRules(Struct, frozen=True):
    """Rules that the books depend on besides the facts; changing them rebuilds the books."""

    calendar: TradingCalendar
    instruments: Instruments
    fees: FeeSchedule
    trade_log_mode: TradeLogMode
    breakeven_band: Decimal
    breakeven_breaks_streak: bool
    fingerprint: str
    #: what the ledger keeps of the instruments file
    kept_instruments: str
