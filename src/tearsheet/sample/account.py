"""Sample account of several months: futures as statements, equities as a bot's trade log.

It contains a losing week, overnight positions, reversals, a truncated log line, a fill that is missing
in the first statement and present in a second one, and limits that are not breached.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import Struct

from tearsheet.settings import exchange_holidays
from tearsheet.trade.session import DAY

FUTURES_ZONE = "America/Chicago"
_CHICAGO, _NEW_YORK = ZoneInfo(FUTURES_ZONE), ZoneInfo("America/New_York")
_LAST_ENTRY = time(14)
_HEADER = (
    "Instrument,Action,Quantity,Price,Time,ID,E/X,Position,Order ID,Name,Commission,Rate,Account,Connection,"
)
_TARGETS = """\
# What was promised. A target that is null or missing is not judged.
win_rate_target: 52            # percent of closed trades
daily_pl_target: 150           # per day; a negative number is a floor, checked continuously
trades_per_day_target: 5
max_drawdown_target: -2500     # a negative amount
avg_risk_reward_target: 1.5
"""
_LIMITS = """\
# What must not happen to an account: `tearsheet verdict` and the dashboard say how near it is.
limits:
  default:
    daily_loss: 1000           # Net loss of the trading day
    weekly_loss: 2000
    max_drawdown: {amount: 3000, since: SINCE}
    stale_after: null          # sample data: do not treat missing updates as stale
  accounts:
    EQ-1: {max_trades: 15}
    FUT-1: {max_open_quantity: 10}
"""
FUTURES_ACCOUNT = "FUT-1"
#: Files of the futures account: a statement, and a later one with the fill that it lacks.
STATEMENTS = ("ninjatrader-fut-1.csv", "ninjatrader-fut-1-late.csv")
#: Trading days with limits, up to the last one; the truncated line is before them.
_LIMITED_DAYS = 15
_EQUITIES = {"AAPL": 228.0, "MSFT": 415.0, "NVDA": 134.0, "AMD": 152.0, "TSLA": 251.0}
_STRATEGIES = ("opening-range", "pullback", "vwap-fade")
#: root: first price, tick, multiplier, commission per contract
_FUTURES = {
    "MNQ": (20_150.0, 0.25, 2, "0.62"),
    "MES": (5_720.0, 0.25, 5, "0.62"),
    "MCL": (71.4, 0.01, 100, "0.77"),
}


class SampleReport(Struct, frozen=True):
    """Files of the sample, statements in the order of import, and the days of its special events."""

    logs: Path
    statements: tuple[Path, ...]
    targets: Path
    first_day: date
    last_day: date
    losing_week: date
    late_fill_day: date
    broken_line_day: date
    limits_since: date


@dataclass
class _ExecutionList:
    """Executions in NinjaTrader's format, with ascending ids."""

    rows: list[tuple[datetime, str]] = field(default_factory=list)
    number: int = 0

    def fill(
        self, contract: str, buys: bool, quantity: int, price: float, at: datetime, position: str
    ) -> None:
        self.number += 1
        root = contract[:3]
        commission = Decimal(_FUTURES[root][3]) * quantity
        local = at.astimezone(_CHICAGO)
        clock = local.strftime("%-m/%-d/%Y %-I:%M:%S %p")
        kind = "Entry" if position != "-" and not position.startswith("x") else "Exit"
        digits = 2
        self.rows.append(
            (
                at,
                (
                    f"{contract},{'Buy' if buys else 'Sell'},{quantity},{price:.{digits}f},{clock},"
                    f"F{self.number:06d},{kind},{position.lstrip('x')},O{self.number:06d},,"
                    f"${commission:.2f},1,{FUTURES_ACCOUNT},Sim,"
                ),
            )
        )


def write_sample(folder: Path, *, until: date, months: int = 4, seed: int = 7) -> SampleReport:
    """Write the sample of the months (1 or more) up to and including `until`.

    The same arguments produce the same bytes.
    """
    rng = random.Random(seed)
    days = list(_trading_days(until - DAY * (30 * months), until))
    losing = days[len(days) // 2] - DAY * days[len(days) // 2].weekday()
    since, broken, late = days[-_LIMITED_DAYS:][0], days[-_LIMITED_DAYS - 5 :][0], days[-12]
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    _write_log(logs, days, losing, broken, rng)
    executions = _ExecutionList()
    _trade_futures(executions, days, losing, rng)
    statements = _write_statements(folder / "statements", executions, late)
    targets = folder / "config" / "dashboard-targets.yaml"
    targets.parent.mkdir(parents=True, exist_ok=True)
    targets.write_text(_TARGETS, "utf-8")
    return SampleReport(logs, statements, targets, days[0], days[-1], losing, late, broken, since)


def write_limits(sample: SampleReport) -> None:
    """Append the limits to the targets file; call it after all imports, as missing fills could breach one."""
    with sample.targets.open("a", encoding="utf-8") as file:
        file.write(_LIMITS.replace("SINCE", str(sample.limits_since)))


def _trading_days(first: date, last: date) -> Iterator[date]:
    holidays = exchange_holidays()
    while first <= last:
        if first.weekday() < 5 and first not in holidays:
            yield first
        first += DAY


def _write_log(logs: Path, days: list[date], losing: date, broken: date, rng: random.Random) -> None:
    """Write one log file per day. A trade has a record at its entry and one at its exit; the last is open."""
    prices = dict(_EQUITIES)
    for day in days:
        lines: list[tuple[datetime, str]] = []
        bad = losing <= day < losing + 5 * DAY
        for number in range(rng.randrange(4, 9)):
            lines += _equity_trade(rng, prices, day, number, losing=bad, ends=True)
        if day == days[-1]:
            lines += _equity_trade(rng, prices, day, 99, losing=False, ends=False)
        texts = [text for _, text in sorted(lines, key=lambda line: line[0])]
        if day == broken:
            texts.insert(len(texts) // 2, texts[0][: len(texts[0]) // 3])
        (logs / f"{day.isoformat()}.jsonl").write_text("\n".join(texts) + "\n", "utf-8")


def _equity_trade(
    rng: random.Random, prices: dict[str, float], day: date, number: int, *, losing: bool, ends: bool
) -> list[tuple[datetime, str]]:
    symbol = rng.choice(list(prices))
    price = prices[symbol] = round(prices[symbol] * (1 + rng.gauss(0, 0.004)), 2)
    long = rng.random() < 0.7
    risk = round(price * rng.uniform(0.003, 0.008), 2)
    quantity = rng.choice((20, 30, 50, 80))
    # the trade that stays open starts after the others have ended
    opened = datetime.combine(day, time(9, 35) if ends else time(15, 50), _NEW_YORK) + timedelta(
        minutes=rng.randrange(300 if ends else 8), seconds=rng.randrange(60)
    )
    held = timedelta(seconds=rng.randrange(120, 4_200))
    draw, sign = rng.random(), 1 if long else -1
    won = draw < (0.25 if losing else 0.55)
    moved = rng.uniform(0.8, 2.0) * risk if won else -rng.uniform(0.4, 1.0) * risk
    commission = Decimal("1.00")
    gross = Decimal(moved).quantize(Decimal("0.01")) * quantity
    if not losing and 0.55 <= draw < 0.60:
        gross = commission  # gross P&L equal to the commission: a breakeven
    entry = {
        "timestamp": _instant(opened),
        "symbol": symbol,
        "action": "BUY" if long else "SELL",
        "quantity": quantity,
        "price": f"{price:.2f}",
        "total_value": f"{price * quantity:.2f}",
        "order_id": f"EQ-{day:%Y%m%d}-{number:02d}",
        "execution_mode": "LIVE",
        "account_id": "EQ-1",
        "strategy_name": rng.choice(_STRATEGIES),
        "entry_type": "limit",
        "stop_loss": f"{price - sign * risk:.2f}",
        "target": f"{price + sign * 2 * risk:.2f}",
        "decision_reasoning": "Setup with volume above its 20-bar mean",
        "indicators_used": ["VWAP", "EMA-9"],
        "risk_reward_ratio": 2.0,
        "outcome": "open",
        "profit_loss": None,
        "hold_duration_seconds": None,
        "exit_timestamp": None,
        "exit_reasoning": None,
        "slippage": "0.01",
        "commission": None,
        "net_profit_loss": None,
        "session_id": f"S-{day:%Y%m%d}",
        "bot_version": "2.3.1",
        "config_hash": "9f1c2e",
    }
    lines = [(opened, json.dumps(entry))]
    if ends:
        net = gross - commission
        result = {
            **entry,
            "outcome": "win" if net > 0 else "loss" if net < 0 else "breakeven",
            "profit_loss": str(gross),
            "hold_duration_seconds": int(held.total_seconds()),
            "exit_timestamp": _instant(opened + held),
            "commission": str(commission),
            "exit_reasoning": "target" if won else "stop",
            "net_profit_loss": str(net),
        }
        lines.append((opened + held, json.dumps(result)))
    return lines


def _trade_futures(executions: _ExecutionList, days: list[date], losing: date, rng: random.Random) -> None:
    prices = {root: spec[0] for root, spec in _FUTURES.items()}
    for number, day in enumerate(days):
        bad = losing <= day < losing + 5 * DAY
        at = datetime.combine(day, time(8, 32), _CHICAGO)
        for _ in range(rng.randrange(2, 6)):
            if at.time() > _LAST_ENTRY:
                break
            root = rng.choice(("MNQ", "MNQ", "MES"))
            at = _round_trip(executions, prices, root, day, at, rng, losing=bad)
            at += timedelta(minutes=rng.randrange(3, 40))
        if number % 9 == 4:
            _overnight(executions, prices, days[number : number + 2], rng)


def _contract(root: str, day: date) -> str:
    """Return the front contract in NinjaTrader's spelling: quarterly, for crude oil monthly."""
    if root == "MCL":
        ahead = day.month + (1 if day.day <= 15 else 2)
        year, month = day.year + (ahead > 12), (ahead - 1) % 12 + 1
        return f"{root} {month:02d}-{year % 100:02d}"
    month = (day.month + 2) // 3 * 3
    year = day.year
    if day.month == month and day.day > 10:
        month, year = (month + 3, year) if month < 12 else (3, year + 1)
    return f"{root} {month:02d}-{year % 100:02d}"


def _round_trip(
    executions: _ExecutionList,
    prices: dict[str, float],
    root: str,
    day: date,
    at: datetime,
    rng: random.Random,
    *,
    losing: bool,
) -> datetime:
    """Add a trade with one or two entries and one or more exits, sometimes with a reversal."""
    contract, (_, tick, _, _) = _contract(root, day), _FUTURES[root]
    buys = rng.random() < 0.55
    sign = 1 if buys else -1
    reach = 40 if root == "MNQ" else 8
    price = prices[root] = _at_tick(prices[root] + rng.gauss(0, reach), tick)
    quantity = rng.choice((1, 2, 2, 3, 4))
    letter = "L" if buys else "S"
    executions.fill(contract, buys, quantity, price, at, f"{quantity} {letter}")
    if rng.random() < 0.3:
        at += timedelta(seconds=rng.randrange(20, 400))
        added = rng.choice((1, 2))
        quantity += added
        executions.fill(
            contract, buys, added, _at_tick(price - sign * reach / 4, tick), at, f"{quantity} {letter}"
        )
    moved = reach * (
        rng.uniform(0.4, 1.6) if rng.random() < (0.25 if losing else 0.54) else -rng.uniform(0.3, 1.3)
    )
    left = quantity
    while left:
        at += timedelta(seconds=rng.randrange(30, 900))
        part = left if rng.random() < 0.6 else rng.randrange(1, left + 1)
        reverses = part == left and rng.random() < 0.06
        out = _at_tick(price + sign * moved * rng.uniform(0.8, 1.1), tick)
        left -= part
        if reverses:
            other = "S" if buys else "L"
            executions.fill(contract, not buys, part + 1, out, at, f"1 {other}")
            at += timedelta(seconds=rng.randrange(60, 600))
            executions.fill(contract, buys, 1, _at_tick(out - sign * reach / 5, tick), at, "-")
        else:
            executions.fill(contract, not buys, part, out, at, f"x{left} {letter}" if left else "-")
    return at


def _overnight(
    executions: _ExecutionList, prices: dict[str, float], days: list[date], rng: random.Random
) -> None:
    """Add a crude oil trade, bought before the end of the trading day and sold the next morning."""
    day, *next_days = days
    contract, tick = _contract("MCL", day), _FUTURES["MCL"][1]
    bought = prices["MCL"] = _at_tick(prices["MCL"] + rng.gauss(0, 0.8), tick)
    opened = datetime.combine(day, time(14, 50), _CHICAGO)
    executions.fill(contract, True, 2, bought, opened, "2 L")
    for morning in next_days:
        sold = _at_tick(bought + rng.gauss(0.05, 0.5), tick)
        at = datetime.combine(morning, time(6, 50), _CHICAGO)
        executions.fill(contract, False, 2, sold, at, "-")


def _at_tick(price: float, tick: float) -> float:
    return round(round(price / tick) * tick, 2)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _write_statements(folder: Path, executions: _ExecutionList, late: date) -> tuple[Path, ...]:
    """Write a statement without one execution of the day `late`, and a second one of that whole day."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = sorted(executions.rows, key=lambda row: row[0])
    of_day = [n for n, (at, _) in enumerate(rows) if at.astimezone(_CHICAGO).date() == late]
    missing = of_day[len(of_day) // 2]
    first = folder / STATEMENTS[0]
    later = folder / STATEMENTS[1]
    texts = [text for _, text in rows]
    first.write_text("\n".join([_HEADER, *texts[:missing], *texts[missing + 1 :]]) + "\n", "utf-8")
    later.write_text("\n".join([_HEADER, *(texts[n] for n in of_day)]) + "\n", "utf-8")
    return first, later
