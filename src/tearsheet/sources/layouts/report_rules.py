"""Rules for a report's own results: columns of round trips, and sections that state totals."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

ColumnNames = Annotated[list[str], Meta(min_length=1)]
#: Method by which a broker matches closing with opening fills; "" if it is not stated.
Method = Literal["fifo", "average", ""]
#: Quantities that a section of a statement can state for an account, an instrument or a day.
StatedQuantity = Literal["realized", "net", "fees", "paid", "position", "price", "balance", "deposit", "cash"]


class RoundTripRules(Struct, frozen=True, forbid_unknown_fields=True):
    """Columns of a report of round trips.

    `pairs`: each row is two fills, or parts of two. Otherwise its prices are averages and cannot be
    matched with fills. `day` is the broker's own trading day.
    """

    symbol: ColumnNames
    quantity: ColumnNames
    pnl: ColumnNames
    fees: list[ColumnNames] = []
    fee_sign: Literal["positive", "negative", "unsigned"] = "positive"
    account: list[str] = []
    side: list[str] = []
    entry: list[str] = []
    exit: list[str] = []
    entered: list[str] = []
    entered_clock: list[str] = []
    left: list[str] = []
    left_clock: list[str] = []
    day: list[str] = []
    bought: list[str] = []
    sold: list[str] = []
    buy_price: list[str] = []
    sell_price: list[str] = []
    buy_id: list[str] = []
    sell_id: list[str] = []
    pairs: bool = True


class SectionRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Section of a statement that states totals.

    `part` is the first cell of its rows, or its element. `of` is the time of its values: that of the row,
    the end of the period, or the whole period. `columns` are the columns of each field. `words` maps a cell
    of the column `word` to the fields that the `amount` of the row counts toward. `only` and `never` select
    rows by the words in a column. `negative` are fields with the opposite sign. `adds` are the columns
    whose sum is a field.
    """

    columns: dict[str, ColumnNames]
    of: Literal["row", "end", "period"]
    part: str = ""
    word: str = ""
    words: dict[str, list[StatedQuantity]] = {}
    only: dict[str, list[str]] = {}
    never: dict[str, list[str]] = {}
    negative: list[StatedQuantity] = []
    adds: dict[StatedQuantity, list[str]] = {}


class HeaderFact(Struct, frozen=True, forbid_unknown_fields=True):
    """Cell of a statement that states its account, its currency or its period."""

    part: str
    columns: dict[str, ColumnNames]
    only: dict[str, list[str]] = {}


class ReportRules(Struct, frozen=True, forbid_unknown_fields=True):
    """Statement with results of its own.

    `result`: the stated result of a trade is before fees, or after the fees of both sides of the closed
    quantity. `sections`: rows begin with the name of their section and Header or Data. `whole`: the
    statement lists all fills of its period.
    """

    method: Method = ""
    result: Literal["realized", "net"] = "realized"
    sections: bool = False
    whole: bool = True
    about: list[HeaderFact] = []
    stated: list[SectionRule] = []
