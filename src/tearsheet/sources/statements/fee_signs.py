"""How the fees of a file are signed: a rebate read as a cost, or a cost as a rebate, is found before it counts."""

from pathlib import Path

from msgspec import structs

from tearsheet.errors import FormatError
from tearsheet.sources.layouts.layout import Fees
from tearsheet.sources.layouts.mapping import FeeSign
from tearsheet.sources.statements.detect import DetectedFile
from tearsheet.sources.statements.table import TableReader


def with_fee_sign(found: DetectedFile, sign: FeeSign | None) -> DetectedFile:
    """A recognised file with the sign of its fees as the user says it."""
    if sign is None or found.layout.fees.cost == sign or found.is_json_lines:
        return found
    fees = structs.replace(found.layout.fees, cost=sign)
    return structs.replace(found, layout=structs.replace(found.layout, fees=fees))


def check_fee_signs(path: Path, fees: Fees, reader: TableReader, *, is_said: bool) -> None:
    """Raises FormatError where the signs of a file leave open what costs and what pays."""
    if is_said or fees.cost not in ("unknown", "negative"):
        return
    signs = {reader.number_format.sign_of(text) for text in reader.fees()}
    if fees.cost == "unknown" and -1 in signs:
        raise FormatError(
            f"{path}: it has fees below 0, and nothing tells whether these are costs or rebates",
            "say --fee-sign negative if they are costs, or --fee-sign positive if costs are above 0",
        )
    if fees.cost == "negative" and 1 in signs and -1 not in signs:
        raise FormatError(
            f"{path}: fees of its format are below 0, but all of its fees are above 0",
            "say --fee-sign positive if they are costs, or --fee-sign negative if they are rebates",
        )
