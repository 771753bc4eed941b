"""Random fills of many kinds of numbers, and the books that `Book` and `Tally` make of them."""

from collections import defaultdict
from datetime import time
from decimal import Decimal
from itertools import zip_longest
from random import Random
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from tearsheet.columns.exact_lane import FoldRules
from tearsheet.columns.fill_columns import (
    BookedColumns,
    FillColumns,
    FoldOutput,
    PositionColumns,
    SessionTally,
    booked_columns,
    position_columns,
)
from tearsheet.columns.fold import Fold
from tearsheet.performance.tally import Tally
from tearsheet.trade.fill import Fill, Side
from tearsheet.trade.position import Book, Booking, log_place
from tearsheet.trade.session import TradingCalendar, from_micros, to_micros

CHICAGO = TradingCalendar(ZoneInfo("America/Chicago"), time(17))
RULES = FoldRules(CHICAGO, Decimal("0.5"))
KINDS = ("plain", "crypto", "crypto18", "negative", "huge", "mixed", "finer", "dust", "inverse", "odd")
_QUANTITIES = [
    "0.000000000000000001",
    "5",
    "12",
    "0.5",
    "9.999999999999999999",
    "123456789012345678.5",
    "0.00000001",
]
_PRICES = ["3.5", "0.000000000000123", "-0.25", "12", "60000"]


def random_fills(random: Random, accounts: int, count: int, kinds: tuple[str, ...] = KINDS) -> list[Fill]:
    """Return fills in order, about `count` an account, each account of one kind."""
    fills: dict[tuple[object, ...], Fill] = {}
    for number in range(accounts):
        kind = random.choice(kinds)
        symbols = [f"S{n}" for n in range(random.randrange(1, 5))]
        sides = [None] if random.random() < 0.8 else [None, "long", "short"]
        at_us = 1_700_000_000_000_000 + random.randrange(10**12)
        amount = random.randrange(1, 2 * count)
        for n in range(amount):
            if random.random() < 0.7:
                at_us += random.choice([1, 1000, 10**6, 10**9, 3 * 10**10])
            own = random.choice(["plain", "crypto", "negative"]) if kind == "mixed" else kind
            if kind == "finer":
                share = n / amount
                own = (
                    "plain"
                    if share < 0.5
                    else "crypto"
                    if share < 0.8
                    else random.choice(["crypto18", "dust"])
                )
            fill = _random_fill(
                random, f"A{number:03d}", random.choice(symbols), random.choice(sides), at_us, own
            )
            fills[_order(fill)] = fill
    return [fills[place] for place in sorted(fills)]


def _random_fill(random: Random, account: str, symbol: str, leg: str | None, at_us: int, kind: str) -> Fill:
    multiplier = random.choice(["1"] * 9 + ["50", "0.1"])
    if kind in ("plain", "inverse"):
        quantity, price = str(random.randrange(1, 6)), f"{random.randrange(1, 30000) / 100:.2f}"
        fee = random.choice(["0.65", "0", "1.30", "-0.25"])
        multiplier = "-100" if kind == "inverse" else "1"
    elif kind == "crypto":
        quantity, price = (
            f"{random.randrange(1, 10**8) / 10**8:.8f}",
            f"{random.randrange(1, 10**7) / 100:.8f}",
        )
        fee = f"{random.randrange(10**6) / 10**8:.8f}"
    elif kind == "crypto18":
        quantity = f"{random.randrange(100)}.{random.randrange(1, 10**18):018d}"
        price, fee = f"{random.randrange(1, 10**6) / 100:.2f}", f"0.{random.randrange(10**6):018d}"
    elif kind == "dust":
        quantity, price, fee = random.choice(_QUANTITIES), random.choice(_PRICES), "0.01"
    elif kind == "negative":
        quantity, price, fee = (
            str(random.randrange(1, 4)),
            f"{random.randrange(-5000, 5000) / 100:.2f}",
            "2.05",
        )
    elif kind == "odd":
        quantity, fee = str(random.randrange(1, 4)), "0.1"
        price = random.choice(["0.1234", "0.123456789012345678", "0.1234567890123456789", "1.5"])
    else:
        quantity = random.choice(["1000", str(random.randrange(1, 10**17)), "0.000000000000000001"])
        price, fee = f"{random.randrange(10**15)}.{random.randrange(10**9)}", "0.1"
    has_stop = random.random() < 0.4
    stop = str(Decimal(price) + random.choice([-1, 1]) * Decimal(random.randrange(1, 500)) / 100)
    target = str(Decimal(price) + random.choice([-1, 1]) * Decimal(random.randrange(1, 900)) / 100)
    return Fill(
        account=account,
        symbol=symbol,
        time=from_micros(at_us),
        side=random.choice([Side.BUY, Side.SELL]),
        quantity=Decimal(quantity),
        price=Decimal(price),
        commission=Decimal(fee),
        multiplier=Decimal(multiplier),
        currency="USD" if random.random() < 0.97 else "EUR",
        key=f"x:{random.randrange(10**9)}",
        rank=random.choice([0, 1, (20_000 << 32) + random.randrange(50)]),
        strategy=random.choice([None, "breakout"]),
        stop_loss=Decimal(stop) if has_stop else None,
        target=Decimal(target) if random.random() < 0.5 else None,
        mode=random.choice([None, "PAPER", "LIVE"]),
        position_side=leg,
        closes=False,
    )


def with_closing_marks(random: Random, fills: list[Fill], wrong: float = 0.0) -> list[Fill]:
    """Return fills of which some that only close say so, as brokers do; `wrong` is the share of wrong marks."""
    parts: dict[str, list[bool]] = defaultdict(list)
    book = Book()
    for fill in fills:
        left = {one.id: one.open_quantity for one in book.open_positions()}
        for booking in book.book(fill):
            parts[fill.key].append(
                booking.position_id in left and booking.part == 0 and _reduces(book, booking, left)
            )
    marked = []
    for fill in fills:
        closes = parts[fill.key] == [True] and random.random() < 0.5
        marked.append(replace(fill, closes=closes or random.random() < wrong))
    return marked


def _reduces(book: Book, booking: Booking, left: dict[str, Decimal]) -> bool:
    after = {one.id: one.open_quantity for one in book.open_positions()}
    return after.get(booking.position_id, Decimal(0)) < left[booking.position_id]


def _order(fill: Fill) -> tuple[object, ...]:
    return to_micros(fill.time), fill.account, log_place(fill.rank), fill.symbol, fill.rank, fill.key


def by_book(fills: list[Fill], rules: FoldRules = RULES) -> FoldOutput:
    """Return what `Book` and `Tally` make of all fills at once."""
    book = Book()
    bookings = book.book_all(fills)
    parts: dict[tuple[object, ...], tuple[list, list]] = defaultdict(lambda: ([], []))
    for booking in bookings:
        session = rules.calendar.trading_day_of(booking.time)
        for account in (booking.account, ""):
            parts[account, session, booking.currency][0].append(booking)
    order = lambda p: (p.last_at, p.account, log_place(p.last_rank), p.symbol, p.last_rank, p.id)  # noqa: E731
    for position in sorted(book.closed, key=order):
        session = rules.calendar.trading_day_of(position.last_at)
        for account in (position.account, ""):
            parts[account, session, position.currency][1].append(position)
    tallies = []
    for place, (booked, closed) in parts.items():
        last = max([one.time for one in booked] + [one.last_at for one in closed])
        tally = Tally.from_bookings(booked, closed, rules.breakeven_band, rules.breakeven_breaks_streak)
        tallies.append(SessionTally(*place, to_micros(last), tally))
    return FoldOutput(
        booked_columns(bookings), position_columns([*book.closed, *book.open_positions()]), tallies
    )


def by_fold(fills: list[Fill], cuts: Random | None, rules: FoldRules = RULES) -> tuple[FoldOutput, Fold]:
    """Return what a fold makes of fills, as one batch or cut at random places."""
    fold, at, outputs = Fold(rules), 0, []
    while at < len(fills):
        size = len(fills) if cuts is None else cuts.randrange(1, max(2, len(fills) // 3))
        outputs.append(fold.add(FillColumns.from_fills(fills[at : at + size])))
        at += size
    outputs.append(fold.finish())
    bookings = BookedColumns(
        *([x for out in outputs for x in out.bookings[n]] for n in range(len(BookedColumns._fields)))
    )
    positions = PositionColumns(
        *([x for out in outputs for x in out.positions[n]] for n in range(len(PositionColumns._fields)))
    )
    return FoldOutput(bookings, positions, [tally for out in outputs for tally in out.tallies]), fold


def differences(fills: list[Fill], cuts: Random | None, rules: FoldRules = RULES) -> list[str]:
    """Return what a fold says otherwise than `Book` and `Tally`."""
    got, _ = by_fold(fills, cuts, rules)
    found = []
    for name, one, other in zip(
        ("bookings", "positions"), rows(got), rows(by_book(fills, rules)), strict=False
    ):
        found += [f"{name}: {x} instead of {y}" for x, y in zip_longest(one, other) if x != y]
    one, other = rows(got)[2], rows(by_book(fills, rules))[2]
    found += [
        f"tally {k}: {one.get(k)} instead of {other.get(k)}"
        for k in one.keys() | other
        if one.get(k) != other.get(k)
    ]
    return found


def rows(folded: FoldOutput) -> tuple[list, list, dict]:
    """Return bookings in order, positions by id and tallies by place, to be compared."""
    positions = sorted(zip(*folded.positions, strict=True), key=lambda row: (row[0], row[7] or 0, row[8]))
    tallies = {(one.account, one.session, one.currency): (one.last_us, one.tally) for one in folded.tallies}
    assert len(tallies) == len(folded.tallies)
    return list(zip(*folded.bookings, strict=True)), positions, tallies
