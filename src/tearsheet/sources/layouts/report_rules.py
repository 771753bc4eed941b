"""What a layout says of a report's own results: the columns of its round trips, and parts that state sums."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

ColumnNames = Annotated[list[str], Meta(min_length=1)]
#: How a broker pairs closings with openings; nothing where it does not say.
Method = Literal["fifo", "average", ""]
#: What a part of a statement may say of an account, an instrument or a day.
StatedQuantity = Literal["realized", "net", "fees", "paid", "position", "price", "balance", "deposit", "cash"]


class RoundTripRules(Struct, frozen=True, forbid_unknown_fields=True):
    """Columns of a report of round trips. `pairs`: each row is two fills, or parts of two; else its
    prices are means, and fills cannot be looked for. `day` is the broker's own trading day."""

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
    """A part of a statement that states sums. `part` is the first cell of its rows, or its element.

    `of` says of when: a row with a time, the end of the period, or the whole period. `columns` name
    fields; `words` are cells of the column `word` that say what the `amount` of the row is, and count
    towards all the fields named. `only` are the rows that count, by the words in a column, `never` those
    that do not. `negative` are fields that stand with the other sign than here; `adds` columns that
    are added up to a field.
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
    """What a statement says of itself: a cell that names an account, a currency or the period."""

    part: str
    columns: dict[str, ColumnNames]
    only: dict[str, list[str]] = {}


class ReportRules(Struct, frozen=True, forbid_unknown_fields=True):
    """A statement with results of its own. `result` says what the result of a trade is: before fees, or
    after those of both sides of what was closed. `sections`: rows begin with the name of their part and
    Header or Data. `whole`: it lists all fills of its period."""

    method: Method = ""
    result: Literal["realized", "net"] = "realized"
    sections: bool = False
    whole: bool = True
    about: list[HeaderFact] = []
    stated: list[SectionRule] = []
