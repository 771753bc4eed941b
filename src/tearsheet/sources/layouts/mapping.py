"""Layouts made from the user's column mapping, and their TOML text."""

from collections.abc import Mapping
from typing import Literal

from msgspec import structs

from tearsheet.errors import UsageError
from tearsheet.sources.layouts.layout import FIELDS, PIECES, Fees, Layout

FeeSign = Literal["positive", "negative"]
_NAME = "your_mapping"
_FIELDS = ("symbol", "time", "quantity", "price")


def mapped_layout(mapping: Mapping[str, str], generic: Layout, cost: FeeSign | None) -> Layout:
    """Return the generic layout with the columns of `mapping` (column → field).

    Without a column for the side, the sign of the quantity is the side. `cost` is the sign of a fee that
    is a cost. Raises UsageError for an unknown field.
    """
    known = (*FIELDS, *PIECES)
    columns = {field: list(generic.columns[field]) for field in _FIELDS}
    others = {**generic.optional, "account": ["account"], "commission": ["commission"]}
    for column, field in mapping.items():
        if field not in known:
            raise UsageError(
                f"--map {column}={field}: there is no field {field!r}", f"known are {', '.join(known)}"
            )
        others.pop(field, None)
        columns[field] = [column]
    has_side = "side" in columns
    return structs.replace(
        generic,
        name=_NAME,
        title="Your mapping",
        columns=columns,
        optional=others if has_side else {**others, "side": list(generic.columns["side"])},
        quantity="unsigned" if has_side else "signed",
        kinds=("csv", "html", "xlsx", "json"),
        fees=Fees(cost=cost or "unknown"),
    )


def layout_text(layout: Layout, title: str) -> str:
    """Return the layout of a mapping as TOML, to be saved in a folder of layouts."""
    lines = [f"title = {_quoted(title)}", "names_zone = true"]
    if layout.quantity == "signed":
        lines.append('quantity = "signed"')
    for table, columns in (("columns", layout.columns), ("optional", layout.optional)):
        lines += ["", f"[{table}]"]
        lines += [f"{field} = [{', '.join(map(_quoted, names))}]" for field, names in columns.items()]
    lines += ["", "[sides]"]
    for side, words in (("buy", layout.sides.buy), ("sell", layout.sides.sell)):
        lines.append(f"{side} = [{', '.join(map(_quoted, words))}]")
    return "\n".join([*lines, "", "[fees]", f"cost = {_quoted(layout.fees.cost)}"]) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04X}" for c in escaped) + '"'
