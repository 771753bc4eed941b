"""Large trade logs and fill files for benchmarks and tests."""

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tearsheet.trade.session import DAY

_SYMBOLS = ("AAPL", "MSFT", "TSLA", "NVDA", "AMD", "META", "AMZN", "GOOGL")
_STRATEGIES = ("bull-flag", "opening-range", "vwap-fade")
_RECORD = (
    '{{"timestamp":"{time}","symbol":"{symbol}","action":"{action}","quantity":{quantity},'
    '"price":"{price:.2f}","total_value":"{value:.2f}","order_id":"{order}",'
    '"execution_mode":"PAPER","account_id":"EQ-1","strategy_name":"{strategy}",'
    '"entry_type":"breakout","stop_loss":"{stop:.2f}","target":"{target:.2f}",'
    '"decision_reasoning":"Breakout above resistance with volume confirmation",'
    '"indicators_used":["VWAP","EMA-9","Volume"],"risk_reward_ratio":2.0,"outcome":{outcome},'
    '"profit_loss":{gross},"hold_duration_seconds":{held},"exit_timestamp":{exit},'
    '"exit_reasoning":{why},"slippage":"0.02","commission":"1.00","net_profit_loss":{net},'
    '"session_id":"S-{day}","bot_version":"1.4.0","config_hash":"abc123"}}\n'
)


def write_log(folder: Path, *, days: int, trades_per_day: int, last_day: date, seed: int = 7) -> int:
    """Write a trade log with one file per day; nine of ten records are closed.

    Returns the number of records. The same arguments produce the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    for ago in range(days - 1, -1, -1):
        day = last_day - DAY * ago
        path = folder / f"{day.isoformat()}.jsonl"
        path.write_text("".join(_records(rng, day, trades_per_day)), "utf-8")
    return days * trades_per_day


def _records(rng: random.Random, day: date, number: int) -> list[str]:
    start = datetime(day.year, day.month, day.day, 13, 30, tzinfo=UTC)
    return [
        _record(rng, day, f"O-{day.isoformat()}-{n}", start + timedelta(seconds=23_400 * n / number))
        for n in range(number)
    ]


def _record(rng: random.Random, day: date, order: str, at: datetime) -> str:
    price, quantity = rng.uniform(20, 500), rng.randrange(1, 200)
    cents, held = round(rng.gauss(300, 8_000)), rng.randrange(20, 1_500)
    closed = rng.random() < 0.9
    outcome = "win" if cents > 100 else "loss" if cents < 100 else "breakeven"
    return _RECORD.format(
        time=at.isoformat(),
        symbol=rng.choice(_SYMBOLS),
        action=rng.choice(("BUY", "SELL")),
        quantity=quantity,
        price=price,
        value=price * quantity,
        order=order,
        strategy=rng.choice(_STRATEGIES),
        stop=price - 2,
        target=price + 4,
        outcome=f'"{outcome}"' if closed else '"open"',
        gross=_money(cents, closed),
        held=held if closed else "null",
        exit=f'"{(at + timedelta(seconds=held)).isoformat()}"' if closed else "null",
        why='"Target hit"' if closed else "null",
        net=_money(cents - 100, closed),
        day=day.isoformat(),
    )


def _money(cents: int, closed: bool) -> str:
    return f'"{cents / 100:.2f}"' if closed else "null"


def write_fills_csv(path: Path, *, count: int, accounts: int = 20, symbols: int = 50, seed: int = 7) -> int:
    """Write `count` fills with exits and reversals in the generic CSV format; return `count`."""
    rng = random.Random(seed)
    quantities: dict[tuple[int, int], int] = {}
    at = datetime(2025, 1, 6, 14, 30, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as file:
        file.write("account,symbol,time,side,quantity,price,commission,fill_id\n")
        for number in range(count):
            key = (rng.randrange(accounts), rng.randrange(symbols))
            now = quantities.get(key, 0)
            change = _change(rng, now)
            quantities[key] = now + change
            at += timedelta(milliseconds=rng.randrange(1, 60_000))
            price = 100 + key[1] + rng.randrange(-500, 500) / 100
            side = "BUY" if change > 0 else "SELL"
            file.write(
                f"ACC-{key[0]:02d},SYM{key[1]:02d}X,{at.isoformat()},{side},{abs(change)},"
                f"{price:.2f},{abs(change) * 0.65:.2f},E{number}\n"
            )
    return count


def _change(rng: random.Random, now: int) -> int:
    """Return the signed quantity of a fill that opens, increases, reduces, closes or reverses."""
    if not now:
        return rng.choice((1, 2, 3, -1, -2, -3))
    draw = rng.random()
    sign = 1 if now > 0 else -1
    if draw < 0.25:
        return sign * rng.randrange(1, 3)
    if draw < 0.5 and abs(now) > 1:
        return -sign * rng.randrange(1, abs(now))
    return -now - (sign if draw > 0.95 else 0)
