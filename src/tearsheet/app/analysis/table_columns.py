"""The columns of every table of the Python API and `tearsheet export`: name, type, meaning.

A column is never renamed or retyped within a major version; new ones are appended.
"""

from typing import Literal

from msgspec import Struct

TableName = Literal["fills", "trades", "positions", "bookings", "days", "returns", "equity", "rejections"]
#: `decimal` is money, a price or a quantity; `float` a ratio; `texts` a list of texts.
ColumnType = Literal["text", "texts", "decimal", "float", "count", "flag", "time", "date", "duration"]


class Column(Struct, frozen=True):
    """Column of a table; `words` say what is in it, `is_amount` that its texts are numbers."""

    name: str
    type: ColumnType
    words: str
    is_amount: bool = False

    @property
    def is_text(self) -> bool:
        """Return whether it holds texts that are no numbers."""
        return self.type in ("text", "texts") and not self.is_amount


def _columns(text: str) -> tuple[Column, ...]:
    """Read a line a column: name, type, meaning."""
    lines = (line.split(None, 2) for line in text.strip().splitlines())
    return tuple(Column(name, kind, words) for name, kind, words in lines)  # type: ignore[arg-type]


_FILLS = """
account      text     account
symbol       text     instrument, as in `tearsheet positions`
time         time     when it was executed
side         text     `BUY` or `SELL`
quantity     decimal  above 0
price        decimal  price of one unit
commission   decimal  its cost; a rebate is below 0; 0 where nobody stated any, see `fee_stated`
multiplier   decimal  money per point and unit; below 0 for an inverse contract
currency     text     of the money
fill_id      text     the broker's execution id
order_id     text     the broker's order id
strategy     text     strategy
stop_loss    decimal  planned stop
target       decimal  planned target
mode         text     `PAPER` or `LIVE`, of trade logs
session      date     trading day
key          text     permanent identity within the account
fee_stated   flag     whether the source states the commission, even if it is 0
"""
_BOOKINGS = """
trade_id     text     the position; null for an event that affects none
account      text     account
symbol       text     instrument
currency     text     of the money
time         time     of the fill or event
session      date     trading day
part         count    1 for the part of a reversing fill that opens the next position, else 0
quantity     decimal  signed
price        decimal  price of one unit
gross        decimal  result before costs
fees         decimal  cost
net          decimal  gross − fees + carry
closes       flag     whether it closes the position
key          text     identity of the fill or event
carry        decimal  what holding paid or, below 0, cost
event        text     kind of event; null for a fill
cash         decimal  money of the account that no instrument caused: interest, costs, deposits; in no net
cash_part    text     what it counts as: `income`, `costs`, `tax`, `flows`, `converted`; null in none of them
"""
_TRADES = """
trade_id             text      as in the web page and `explain`
account              text      account
symbol               text      instrument
currency             text      of the money
strategy             text      of the opening fill
mode                 text      `PAPER` or `LIVE`, of trade logs
side                 text      `long` or `short`
opened_at            time      null where the entry is unknown
closed_at            time      of the closing fill
session              date      trading day of the closing fill
held                 duration  time from entry to exit
quantity             decimal   total entered
peak_quantity        decimal   largest open quantity
average_entry        decimal   mean entry price, cut to 8 decimals
average_exit         decimal   mean exit price, cut to 8 decimals
multiplier           decimal   money per point and unit
gross                decimal   result before costs
fees                 decimal   cost
carry                decimal   what holding paid or, below 0, cost
net                  decimal   gross − fees + carry, exact
outcome              text      `win`, `loss` or `breakeven`, with the band in force
stop_loss            decimal   planned stop
target               decimal   planned target
initial_risk         decimal   what the stop would have lost
r                    float     net ÷ initial risk
planned_risk_reward  float     planned reward ÷ planned risk
fills                count     number of fills
tags                 texts     tags of its notes
position_side        text      side, in an account that holds both at once
closed_by            text      event that ended it; null for a fill
"""
_POSITIONS = """
trade_id           text      as in the web page and `explain`
account            text      account
symbol             text      instrument
currency           text      of the money
strategy           text      of the opening fill
mode               text      `PAPER` or `LIVE`, of trade logs
side               text      `long` or `short`
opened_at          time      null where the entry is unknown
last_fill_at       time      of the last booking
quantity           decimal   open now
average_entry      decimal   mean entry price of the open part, cut to 8 decimals
gross              decimal   booked so far, before costs
fees               decimal   cost so far
carry              decimal   what holding paid or, below 0, cost so far
net                decimal   booked so far: gross − fees + carry
stop_loss          decimal   planned stop
target             decimal   planned target
mark               decimal   last known price
mark_at            time      time of that price
unrealized_pnl     decimal   result before fees of closing it at that price
unrealized_reason  text      why there is no unrealized P&L
fills              count     number of fills
tags               texts     tags of its notes
position_side      text      side, in an account that holds both at once
"""
_DAYS = """
session     date     trading day
currency    text     of the money
net         decimal  gross − fees + carry
gross       decimal  result before costs
fees        decimal  cost
trades      count    positions closed
wins        count    of them winners
losses      count    of them losers
quantity    decimal  traded
breakevens  count    positions closed within the band
carry       decimal  what holding paid or, below 0, cost
fills       count    bookings
result      decimal  net + income − costs and taxes of the account
flows       decimal  deposits less withdrawals and payouts
converted   decimal  money that came from other currencies less what went to them
"""
_RETURNS = """
session         date     exchange day, or other day with a result
net             decimal  gross − fees + carry
balance_before  decimal  balance at its start
return          float    result ÷ (balance before + inflows); null where that is not above 0
idle            flag     whether nothing was booked
result          decimal  net + income − costs and taxes of the account
inflows         decimal  deposits, and money from other currencies; of all accounts without what one of them sent
"""
_EQUITY = """
session           date     trading day with a result
net               decimal  gross − fees + carry
balance           decimal  at its end; null without a starting balance
high              decimal  balance + drawdown; without a balance total + drawdown
drawdown          decimal  fall of the results from their highest so far, also within sessions, at its end
drawdown_percent  float    share of the highest balance; null without a starting balance
total             decimal  net added up
"""
_REJECTIONS = """
file     text   where the line is
line     count  its number
account  text   account; null where it is not known
code     text   see docs/errors.md
reason   text   what is wrong
hint     text   what to do
text     text   the line
"""
TABLES: dict[TableName, tuple[Column, ...]] = {
    "fills": _columns(_FILLS),
    "trades": _columns(_TRADES),
    "positions": _columns(_POSITIONS),
    "bookings": _columns(_BOOKINGS),
    "days": _columns(_DAYS),
    "returns": _columns(_RETURNS),
    "equity": _columns(_EQUITY),
    "rejections": _columns(_REJECTIONS),
}
#: What a row is, and the order of rows.
ROW_WORDS: dict[TableName, str] = {
    "fills": "an execution; by time, account, symbol, rank",
    "trades": "a closed position, flat to flat; by time of its closing, account, symbol, rank",
    "positions": "an open position, as of now; by account, symbol, side",
    "bookings": "a fill's effect on one position; by time, account, symbol, rank",
    "days": "a session with a result, and currency; by session, currency",
    "returns": "an exchange day; by session",
    "equity": "a session with a result; by session",
    "rejections": "a line that could not be used; in the order in which they were read",
}
METRIC_COLUMNS = _columns(
    """
name    text   name of the metric
value   float  nearest float; null where it is undefined, or no number
text    text   exact
unit    text   its unit
n       count  sample size
reason  text   why it is undefined
"""
)
