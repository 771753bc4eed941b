"""Layouts made from the user's column mapping, and their TOML text."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import structs

from tearsheet.errors import UsageError
from tearsheet.sources.layouts.layout import FIELDS, PIECES, Fees, Layout, OpenCloseWords, RowRule, SideWords

FeeSign = Literal["positive", "negative"]
NAME = "your_mapping"
#: Field of a column that is left out on purpose.
IGNORED = "ignore"
_FIELDS = ("symbol", "time", "quantity", "price")
#: A round trip by what was bought and sold has no times and prices of its own.
_MADE_OF_BOTH_SIDES = ("time", "price", "side")
_SIDES = SideWords(
    buy=[
        "long",
        "l",
        "cover",
        "bto",
        "btc",
        "buy to open",
        "buy to close",
        "buy to cover",
        "open long",
        "close short",
        "kauf",
        "koop",
        "achat",
        "compra",
        "acquisto",
    ],
    sell=[
        "short",
        "ss",
        "sto",
        "stc",
        "sell to open",
        "sell to close",
        "sell short",
        "open short",
        "close long",
        "verkauf",
        "verkoop",
        "vente",
        "venta",
        "venda",
        "vendita",
    ],
)


#: Words for the position, and for what an order does with it.
_POSITION_WORDS = ["long", "short", "l"]
_OPENS = ("open", "entry", "enter", "opening", "in", "o", "bto", "sto", "buy to open", "sell to open")
_CLOSES = ("close", "exit", "leave", "closing", "out", "c", "btc", "stc", "buy to close", "sell to close")
#: Columns that say what became of an order, and words for one without a fill and for one that may have a part of it.
_STATUS = ("Status", "Order Status", "State")
_UNFILLED = ["rejected", "pending", "working", "submitted", "new", "inactive"]
_ENDED = ["canceled", "cancelled", "expired", "canceled by user", "cancelled by user"]
_ENDED_WHY = (
    "whether a part of the order was filled is not known; --map COLUMN=ignore takes its rows as fills"
)
#: Names of quantities that are those of fills.
_FILLED = ("fill", "exec", "traded", "done")
#: Fields of which a file may have a column for what was paid and one for what was received.
_TWO_COLUMNS = ("cash", "amount")


def mapped_layout(
    mapping: Mapping[str, str], generic: Layout, cost: FeeSign | None, constants: Mapping[str, str] = {}
) -> Layout:
    """Return the generic layout with the columns of `mapping` (column → field, or fields with a + between).

    Columns that are to `ignore` are left out, several columns of fees are added, and cash may have one for each
    direction. With a column of the effect, Long and Short name the position. Without a column for the side,
    the sign of the quantity is the side. `cost` is the sign of a fee that is a cost, and `constants` are fields that
    the user states. Raises UsageError for an unknown field, and for one with two columns.
    """
    stated: dict[str, list[str]] = {}
    for column, fields in mapping.items():
        for field in filter(None, map(str.strip, fields.split("+"))):
            if field == IGNORED:
                continue
            _check_field(f"--map {column}={field}", field)
            stated.setdefault(field, []).append(column)
    for field in constants:
        _check_field(f"--constant {field}", field)
    fees = [[column] for column in stated.pop("commission", [])]
    is_split = any(len(stated.get(field, ())) > 1 for field in _TWO_COLUMNS)
    _check_single(stated)
    left_out = {*constants, *(_MADE_OF_BOTH_SIDES if "bought" in stated else ())}
    columns = {field: list(generic.columns[field]) for field in _FIELDS if field not in left_out} | stated
    # a column named Status may say anything, so that it counts where it is mapped only
    others = {**generic.optional, "account": ["account"], "side": list(generic.columns["side"])}
    if not fees:
        others["commission"] = ["commission"]
    return structs.replace(
        generic,
        name=NAME,
        title="Your mapping",
        columns=columns,
        optional={field: names for field, names in others.items() if field not in (*stated, "status")},
        quantity="signed",
        kinds=("csv", "html", "xlsx", "json"),
        fees=Fees(columns=fees, cost=cost or "unknown"),
        constants=dict(constants),
        sides=SideWords(generic.sides.buy + _SIDES.buy, generic.sides.sell + _SIDES.sell),
        report=None,
        cash="unsigned" if is_split else "signed",
        position_words=_POSITION_WORDS if "effect" in stated else [],
        effects=OpenCloseWords(_spelled(_OPENS), _spelled(_CLOSES)),
        epoch=True,
        rows=_status_rules(mapping, columns["quantity"]),
    )


def _status_rules(mapping: Mapping[str, str], quantity: Sequence[str]) -> list[RowRule]:
    """Return the rules of columns that say what became of an order, unless the user maps or ignores them."""
    named = {column.casefold() for column in mapping}
    is_of_fills = any(word in name.casefold() for name in quantity for word in _FILLED)
    ended = {"unfilled": _ENDED} if is_of_fills else {"refused": dict.fromkeys(_ENDED, _ENDED_WHY)}
    return [
        structs.replace(
            RowRule(column, trades=["*"], skipped={"unfilled_orders": _UNFILLED}, optional=True), **ended
        )
        for column in _STATUS
        if column.casefold() not in named
    ]


def _spelled(words: Sequence[str]) -> list[str]:
    return [spelled for word in words for spelled in (word, word.upper(), word.title(), word.capitalize())]


def _check_field(option: str, field: str) -> None:
    known = (*FIELDS, *PIECES)
    if field not in known:
        raise UsageError(f"{option}: there is no field {field!r}", f"known are {', '.join(known)}")


def _check_single(stated: Mapping[str, list[str]]) -> None:
    double = next(
        (field for field, columns in stated.items() if len(columns) > (2 if field in _TWO_COLUMNS else 1)),
        None,
    )
    if double is None:
        return
    hints = {
        "time": "a time of day in a column of its own is the field clock",
        "quantity": "a file with a quantity for buys and one for sales is read by a layout",
    }
    raise UsageError(
        f"--map says {double} of two columns, {' and '.join(stated[double])}",
        hints.get(
            double,
            "only columns of commission are added, and cash or amount may have one for each direction; "
            "name one for any other field",
        ),
    )


def layout_text(layout: Layout, title: str) -> str:
    """Return the layout of a mapping as TOML, to be saved in a folder of layouts."""
    lines = [f"title = {_quoted(title)}", "names_zone = true"]
    if layout.quantity == "signed":
        lines.append('quantity = "signed"')
    for key, value in (("usual_zone", layout.usual_zone), ("date_order", layout.date_order)):
        lines += [f"{key} = {_quoted(value)}"] if value else []
    lines += ["epoch = true"] if layout.epoch else []
    if layout.cash == "unsigned":
        lines.append('cash = "unsigned"')
    if layout.position_words:
        lines.append(f"position_words = [{', '.join(map(_quoted, layout.position_words))}]")
    for table, columns in (("columns", layout.columns), ("optional", layout.optional)):
        lines += ["", f"[{table}]"]
        lines += [f"{field} = [{', '.join(map(_quoted, names))}]" for field, names in columns.items()]
    for rule in layout.rows:
        lines += ["", "[[rows]]", f"column = {_quoted(rule.column)}", "optional = true"]
        kinds = {"trades": rule.trades, "unfilled": rule.unfilled}
        lines += [f"{key} = [{', '.join(map(_quoted, some))}]" for key, some in kinds.items() if some]
        lines += ["", "[rows.skipped]"]
        lines += [f"{key} = [{', '.join(map(_quoted, some))}]" for key, some in rule.skipped.items()]
        lines += ["", "[rows.refused]"] if rule.refused else []
        lines += [f"{_quoted(word)} = {_quoted(why)}" for word, why in rule.refused.items()]
    lines += ["", "[sides]"]
    for side, words in (("buy", layout.sides.buy), ("sell", layout.sides.sell)):
        lines.append(f"{side} = [{', '.join(map(_quoted, words))}]")
    if layout.position_words:
        opens, closes = (
            ", ".join(map(_quoted, words)) for words in (layout.effects.opens, layout.effects.closes)
        )
        lines += ["", "[effects]", f"opens = [{opens}]", f"closes = [{closes}]"]
    if usual := {key: value for key, value in structs.asdict(layout.usual).items() if value}:
        lines += ["", "[usual]"]
        lines += [f"{key} = {_quoted(value)}" for key, value in usual.items()]
    if layout.constants:
        lines += ["", "[constants]"]
        lines += [f"{field} = {_quoted(text)}" for field, text in layout.constants.items()]
    lines += ["", "[fees]", f"cost = {_quoted(layout.fees.cost)}"]
    if layout.fees.columns:
        groups = [f"[{', '.join(map(_quoted, names))}]" for names in layout.fees.columns]
        lines.append(f"columns = [{', '.join(groups)}]")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04X}" for c in escaped) + '"'
