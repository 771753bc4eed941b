"""Fills whose numbers lie where the kernel's guards decide: random ones seldom do."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from msgspec.structs import replace

from tearsheet.trade.fill import Fill, Side
from tearsheet.trade.session import from_micros
from tests.columns.random_fills import CHICAGO

_START = from_micros(1_700_000_000_000_000)


def _fills(
    random: Random,
    quantities: Sequence[str],
    prices: Sequence[str],
    count: int,
    fees: Sequence[str] = ("0.01",),
    multiplier: str = "1",
) -> list[Fill]:
    return [
        Fill(
            account="A",
            symbol="S",
            time=_START + timedelta(seconds=1000 * n),
            side=random.choice([Side.BUY, Side.SELL]),
            quantity=Decimal(random.choice(quantities)),
            price=Decimal(random.choice(prices)),
            commission=Decimal(random.choice(fees)),
            multiplier=Decimal(multiplier),
            currency="USD",
            key=f"x:{n}",
        )
        for n in range(count)
    ]


def _level(random: Random) -> list[Fill]:
    """Return many positions that open and close at one instant and rank: their outcomes count in order of their ids."""
    fills = []
    for n in range(60):
        side = Side.BUY if n % 2 == 0 else Side.SELL
        price = Decimal(100 if n % 2 == 0 else random.choice([99, 101]))
        key = f"x:{n:03d}"
        fills.append(
            Fill(
                account="A",
                symbol="S",
                time=_START,
                side=side,
                quantity=Decimal(1),
                price=price,
                multiplier=Decimal(1),
                commission=Decimal(0),
                currency="USD",
                key=key,
            )
        )
    return fills


def _at_session_starts(random: Random) -> list[Fill]:
    """Return fills at the first instant of a session and just before it, some after days without any."""
    fills, day = [], date(2024, 3, 1)
    for fill in _fills(random, ["1", "2"], ["10", "11"], 16):
        day += timedelta(days=random.choice([1, 3, 8]))
        at = CHICAGO.start(day) - random.choice([timedelta(0), timedelta(microseconds=1)])
        if not fills or at > fills[-1].time:
            fills.append(replace(fill, time=at))
    return fills


def _stopped(random: Random) -> list[Fill]:
    """Return fills whose stop lies at, or a hair beside, the entry."""
    fills = _fills(random, ["1", "2"], ["100", "100.01"], 16)
    stops = ["100", "100.000000000000000001", "99.99", "0", "-5", "999999999999"]
    for n, fill in enumerate(fills):
        stop, target = (
            Decimal(random.choice(stops)),
            Decimal(random.choice(["101", "100", "99.999999999999999999"])),
        )
        fills[n] = Fill(
            **{
                **{name: getattr(fill, name) for name in fill.__struct_fields__},
                "stop_loss": stop,
                "target": target,
            }
        )
    return fills


#: A guard, and fills about it.
TARGETED: dict[str, Callable[[Random], list[Fill]]] = {
    "the finest quantity beside a whole one": lambda r: _fills(
        r, ["0.000000000000000001", "12"], ["3.5"], 12
    ),
    "a price and a quantity with 33 decimals together": lambda r: _fills(
        r, ["0.000000000000000001", "0.000000000000000007"], ["0.000000000000123", "0.000000000000771"], 12
    ),
    "shares of quantities with 18 decimals": lambda r: _fills(
        r, ["0.123456789012345678", "0.3", "0.000000777"], ["1234.56", "60000.01", "-3.333"], 14
    ),
    "a share whose product has more than 128 bits": lambda r: _fills(
        r,
        ["7000000000000.123456", "3", "9999999999999.999999"],
        ["99999999.999999"],
        14,
        ["0.000000000001", "1234567.89"],
    ),
    "the largest numbers": lambda r: _fills(r, ["999999999999999999", "1"], ["999999999999999999"], 10),
    "fees with 18 decimals": lambda r: _fills(
        r, ["1", "3", "7"], ["10"], 14, ["0.000000000000000001", "-0.1"]
    ),
    "a price of 0 and below": lambda r: _fills(r, ["1", "3"], ["0", "-37.63", "12"], 14),
    "a multiplier with 18 decimals": lambda r: _fills(
        r, ["1", "3"], ["10.5"], 14, multiplier="0.000000000000000003"
    ),
    "inverse contracts at odd prices": lambda r: _fills(
        r, ["1000", "333", "7"], ["5000", "6000.1", "0.0007"], 14, multiplier="-1"
    ),
    "inverse contracts with fine multipliers": lambda r: _fills(
        r, ["1", "0.001"], ["0.000000000000000003", "9"], 14, multiplier="-0.001"
    ),
    "positions that close at one instant": _level,
    "a stop at the entry": _stopped,
    "fills at the first instant of a session": _at_session_starts,
    "more decimals than any sum has room for": lambda r: _fills(
        r, ["0.000000000000000001"], ["0.000000000000000003"], 12, ["0"], "0.000000000000000007"
    ),
    "names of more than one block of the hash": lambda r: [
        replace(fill, symbol="S" * r.choice([100, 124, 125, 126, 300]))
        for fill in _fills(r, ["1"], ["10", "11"], 12)
    ],
}
