"""Guess of what the columns of an unknown file are, from their names and first values."""

import re
from collections.abc import Sequence

from tearsheet.sources.statements.diagnosis import ColumnSample

#: Field and the names of columns for which it is guessed, without case, spaces and signs.
_NAMES = {
    "symbol": "symbol ticker instrument contract market pair code asset product security underlying",
    "time": "time date datetime timestamp when executed filled executiontime filltime tradedate tradetime open opened "
    "opentime opendate entrytime entrydate entrydatetime boughttimestamp",
    "exit_time": "exittime exitdate exitdatetime close closed closetime closedate soldtimestamp",
    "side": "side action type direction bs buysell longshort marketpos position",
    "quantity": "quantity qty size shares amount volume contracts lots filledqty filled qtyfilled filledquantity",
    "price": "price fill fillprice avgprice averageprice avgfillprice rate execprice executionprice entryprice "
    "openprice buyprice entry",
    "exit_price": "exitprice closeprice sellprice exit",
    "commission": "commission commissions comm fee fees costs exchangefee exchangefees brokerage",
    "account": "account accountname accountid accountnumber",
    "currency": "currency ccy",
    "fill_id": "fillid execid executionid tradeid id dealid",
    "order_id": "orderid order ordernumber",
    "strategy": "strategy",
    "multiplier": "multiplier pointvalue",
    "result": "result pnl pl profit profitloss realizedpnl netpnl grosspnl",
}
_NEEDED = ("symbol", "time", "quantity", "price")
#: Fields that several columns may have.
_ADDED = ("commission",)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{8}|[A-Za-z]{3} \d|\d{1,2} [A-Za-z]{3}")
_SIDE = re.compile(r"(?i)(buy|sell|bought|sold|b|s|long|short|bot|sld|l)\b.*")
_NUMBER = re.compile(r"[-+(]?\W?[\d.,']+\)?")


def guess_mapping(columns: Sequence[ColumnSample]) -> dict[str, str]:
    """Return a field for the columns whose names and values suggest one; each field but fees is given once."""
    found: dict[str, str] = {}
    for column in columns:
        name = re.sub(r"[^a-z]", "", column.name.lower())
        field = next((field for field, names in _NAMES.items() if name in names.split()), "")
        if field and _may_be(field, column.values) and (field in _ADDED or field not in found.values()):
            found[column.name] = field
    for field, pattern in (("time", _DATE), ("side", _SIDE)):
        if field not in found.values():
            free = [one for one in columns if one.name not in found and one.values]
            match = next((one for one in free if all(map(pattern.match, one.values))), None)
            if match is not None:
                found[match.name] = field
    return found


def is_enough(mapping: dict[str, str]) -> bool:
    """Return whether a mapping has the fields without which no row is a fill."""
    return not set(_NEEDED) - set(mapping.values())


def _may_be(field: str, values: Sequence[str]) -> bool:
    """Return whether the values of a column do not contradict a field."""
    stated = [value for value in values if value]
    if field in ("time", "exit_time"):
        return all(map(_DATE.match, stated))
    if field in ("quantity", "price", "exit_price", "commission", "multiplier", "result"):
        return all(map(_NUMBER.match, stated))
    return field != "side" or all(map(_SIDE.match, stated))
