"""Sample account of several currencies: deposits, a conversion, funding, a dividend with its tax, interest, a fee."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

CURRENCIES_ACCOUNT = "MIX-1"
_FILLS = """account,time,symbol,side,quantity,price,commission,currency,multiplier,fill_id
MIX-1,{0}T08:15:00Z,SAP,buy,40,180.00,4.90,EUR,1,M1
MIX-1,{1}T09:00:00Z,BTCUSDT,buy,0.05,60000,1.2,USDT,1,M2
MIX-1,{3}T09:30:00Z,BTCUSDT,sell,0.05,61200,1.224,USDT,1,M3
MIX-1,{8}T13:40:00Z,SAP,sell,40,186.50,4.90,EUR,1,M4
"""
_CASH = """account,time,kind,symbol,currency,amount,ex_date,to_currency,to_amount,id
MIX-1,{0}T07:00:00Z,deposit,,EUR,10000,,,,C1
MIX-1,{0}T16:00:00Z,conversion,,EUR,-2160,,USDT,2500,C2
MIX-1,{1}T16:00:00Z,funding,BTCUSDT,USDT,-0.9,,,,C3
MIX-1,{2}T00:00:00Z,funding,BTCUSDT,USDT,0.3,,,,C4
MIX-1,{2}T16:00:00Z,funding,BTCUSDT,USDT,-0.75,,,,C5
MIX-1,{7}T10:00:00Z,dividend,SAP,EUR,94,{5},,,C6
MIX-1,{7}T10:00:00Z,withholding_tax,SAP,EUR,-24.79,,,,C7
MIX-1,{7}T11:00:00Z,credit_interest,,EUR,3.2,,,,C8
MIX-1,{8}T07:00:00Z,data_fee,,EUR,-15,,,,C9
MIX-1,{8}T15:00:00Z,withdrawal,,EUR,-500,,,,C10
"""
_ACCOUNTS = """# What each account began with, by whose day it is kept, and the currency of the whole.
accounts:
  FUT-1: {starting_balance: 15000}
  EQ-1: {starting_balance: 10000}
  MIX-1: {starting_balance: {EUR: 0, USDT: 0}, currency: EUR, timezone: Europe/Berlin, day_starts_at: "00:00"}
base: {currency: USD, rates: config/rates.csv, pegs: {USDT: USD}}
"""
_FIRST_RATE, _STEP = Decimal("1.0800"), Decimal("0.0002")
_DAYS = 9
#: The balances of the broker's last statement.
_CLOSING = {"EUR": Decimal("7647.61"), "USDT": Decimal("2556.226")}


class CurrenciesSample(Struct, frozen=True):
    """Files of the account, its first and last day, and the balances that its broker states at the end."""

    fills: Path
    cash: Path
    accounts: Path
    first_day: date
    last_day: date
    closing: dict[str, Decimal]


def write_currencies(folder: Path, *, before: date, until: date) -> CurrenciesSample:
    """Write the account's files, whose days end some weeks before a day, and rates up to another.

    The same days give the same bytes.
    """
    days = _weekdays_before(before - timedelta(days=14))
    statements, config = folder / "statements", folder / "config"
    for place in (statements, config):
        place.mkdir(parents=True, exist_ok=True)
    fills, cash, accounts = statements / "mix-1.csv", statements / "mix-1-cash.csv", config / "accounts.yaml"
    fills.write_text(_FILLS.format(*days), "utf-8")
    cash.write_text(_CASH.format(*days), "utf-8")
    accounts.write_text(_ACCOUNTS, "utf-8")
    rated = (days[0] + timedelta(days=n) for n in range((until - days[0]).days + 1))
    rates = (f"{day},EUR,USD,{_FIRST_RATE + _STEP * n},sample" for n, day in enumerate(rated))
    (config / "rates.csv").write_text("\n".join(["date,from,to,rate,source", *rates]) + "\n", "utf-8")
    return CurrenciesSample(fills, cash, accounts, days[0], days[-1], dict(_CLOSING))


def _weekdays_before(end: date) -> list[date]:
    """Return weekdays without a gap but weekends, the last of them before a day."""
    found: list[date] = []
    day = end
    while len(found) < _DAYS:
        day -= timedelta(days=1)
        if day.weekday() < 5:
            found.append(day)
    return found[::-1]
