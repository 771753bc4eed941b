"""Runs vectors, cases or samples of formats through a real ledger and the public command line.

`python -m tests.vectors FOLDER` prints a line for each file that is wrong and one for each kind. A vector states
fills and events with the trades, days, returns, reasons and rejections that follow, and the state after each event; a
case and a sample state a file and the positions that it closes. `--table FOLDER` prints what became of the rows of each statement of a folder.
"""

import csv
import io
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, get_args

from tearsheet.cli import EXIT_BREACH, EXIT_INTERNAL, EXIT_OK, main
from tearsheet.sources.text.stated_money import REFUND_WORD
from tearsheet.trade.event import Cost, Tax
from tests.vector_rules import has_rules, rules

Json = dict[str, Any]
_CURRENCIES = (None, "USD", "USDT", "USDC", "EUR", "GBP", "BTC", "ETH", "INR", "USDE")
_FILL = [
    "account",
    "time",
    "symbol",
    "side",
    "quantity",
    "price",
    "fee",
    "id",
    "leg",
    "currency",
    "multiplier",
    "fee_currency",
    "base",
    "effect",
    "status",
    "fee_rate",
    "reported_pnl",
]
_FILL_HEADER = {"fee": "commission", "id": "fill_id", "leg": "position_side"}
_EVENT = [
    "account",
    "time",
    "kind",
    "symbol",
    "currency",
    "amount",
    "id",
    "ex_date",
    "leg",
    "quantity",
    "price",
    "ratio",
    "to",
    "to_account",
    "to_quantity",
    "cash_in_lieu",
    "delta",
    "cost",
    "cost_share",
    "how",
    "base_rate",
    "to_currency",
    "to_amount",
    "refund",
]
_EVENT_HEADER = {"leg": "position_side", "to": "to_symbol"}
_PAID = (*get_args(Cost), *get_args(Tax))
_PARTS = ("gross", "fees", "carry")
#: Parts of a day that are metrics of its summary.
_DAY_PARTS = (
    *("fees", "carry", "net_pnl", "income", "costs", "tax", "result", "flows", "converted", "balance"),
)
#: Ratios are compared within this.
_NEAR = Decimal("1e-9")
#: Reasons that a window has in a ledger of several currencies, whichever is shown.
_ANY_CURRENCY = "other_currencies"


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal)


class CommandLine:
    """The public command line on a ledger of its own, in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/ledger.db"

    def __call__(self, *words: str) -> tuple[int, str]:
        out = io.StringIO()
        with chdir(self._folder), redirect_stdout(out), redirect_stderr(io.StringIO()) as said:
            code = main(list(words))
        return code, out.getvalue() + said.getvalue()

    def json(self, *words: str) -> Any:
        """Return the JSON that a command prints, None for anything else."""
        _, text = self(*words)
        start = min((text.find(mark) for mark in "[{" if mark in text), default=-1)
        try:
            return _DECODER.raw_decode(text, start)[0] if start >= 0 else None
        except ValueError:
            return None

    def positions(self, *words: str) -> list[Json]:
        """Return the positions of all currencies."""
        found: dict[str, Json] = {}
        for money in _CURRENCIES:
            chosen = ["--currency", money] if money else []
            for one in (
                self.json("positions", "--window", "all", "--json", "-n", "1000", *words, *chosen) or []
            ):
                found[one["id"]] = one
        return list(found.values())


def number(value: Any) -> Decimal | None:
    """Return the number that a text begins with."""
    try:
        return Decimal(str(value).split()[0])
    except (ArithmeticError, IndexError):
        return None


def side(position: Json) -> str:
    """Return long or short."""
    return "long" if str(position["side"]).upper() in ("BUY", "LONG") else "short"


def instruments_file(folder: Path, instruments: Mapping[str, Json]) -> None:
    """Write the instruments that a vector or case states."""
    known = ("multiplier", "currency", "asset_class", "tick")
    rules = {
        name: {key: str(value) for key, value in own.items() if key in known}
        | ({"kind": "inverse"} if own.get("kind") == "inverse" else {})
        for name, own in instruments.items()
    }
    rules = {name: {"multiplier": "1", **own} for name, own in rules.items() if own}
    if rules:
        (folder / "config").mkdir(exist_ok=True)
        (folder / "config" / "instruments.yaml").write_text(json.dumps(rules))


def vector(path: Path, folder: Path) -> list[str]:
    """Return what is wrong with a vector of fills and events."""
    stated = _with_expiries(json.loads(path.read_text()))
    given, expected = stated["input"], stated["expected"]
    run = _prepared(given, folder)
    _state_base(run, folder, given)
    rejected: list[int] = []
    events = [one for n, event in enumerate(given["events"], 1) for one in _with_accrued({**event, "n": n})]
    for number_, (name, group) in enumerate(groupby(events, key=_kind)):
        for part, rows in enumerate(_batches(name, list(group))):
            file = folder / f"{number_}-{part}-{name}.csv"
            if not _write(file, name, rows, given):
                continue
            code, said = run(*(("rates",) if name == "rate" else ()), "import", str(file))
            if name == "rate":
                rejected += [] if code == EXIT_OK else [row["n"] for row in rows]
            elif code not in (EXIT_OK, EXIT_BREACH) or not (
                ", 0 rejected" in said or "already imported" in said
            ):
                rejected += [row["n"] for row in rows]
    if given.get("settings", {}).get("opening_from_reported"):
        for account in given["accounts"]:
            run("opening", account, "--from-reported")
    wrong = _compare_trades(run, expected["trades"]) + _compare_days(run, expected["days"])
    in_base = _base_windows(run, given, expected.get("base", {}))
    wrong += _compare_base(in_base)
    wrong += _compare_returns(run, given, expected) + _compare_checks(run, given, expected)
    partial = {r["code"] for money in _moneys(expected) for r in _summary(run, money)} - {_ANY_CURRENCY}
    partial |= {"missing_rate"} & {reason for one in in_base for reason in one.partial}
    wanted = set(expected["partial"]) - {_ANY_CURRENCY}
    if partial != wanted:
        wrong.append(f"partial {sorted(partial)}, right {sorted(wanted)}")
    if rejected != [row["n"] for row in expected["rejected"]]:
        wrong.append(f"rejected {rejected}, right {expected['rejected']}")
    if any("accounts" in state for state in expected.get("after", ())):
        later = folder / "after"
        later.mkdir()
        wrong += _compare_after(_prepared(given, later), later, events, given, expected["after"])
    return wrong + (rules(stated, folder) if has_rules(given) else [])


def _prepared(given: Json, folder: Path) -> CommandLine:
    """Return a command line on a new ledger that knows the instruments and accounts of a vector."""
    instruments_file(folder, given.get("instruments", {}))
    run = CommandLine(folder)
    _state_accounts(run, folder, given, {})
    return run


def _compare_after(
    run: CommandLine, folder: Path, events: Sequence[Json], given: Json, after: Sequence[Json]
) -> list[str]:
    """Return what is wrong with the state once each event is known: balances, open positions, drawdowns."""
    wrong = []
    right = {state["n"]: state["accounts"] for state in after if "accounts" in state}
    for place, event in enumerate(events):
        file = folder / f"after-{place}.csv"
        if _write(file, _kind(event), [event], given):
            run("import", str(file))
        if given.get("settings", {}).get("opening_from_reported"):
            for account in given["accounts"]:
                run("opening", account, "--from-reported")
        is_last = place + 1 == len(events) or events[place + 1]["n"] != event["n"]
        if is_last and event["n"] in right:
            wrong += [f"after {event['n']}: {one}" for one in _compare_state(run, right[event["n"]])]
    return wrong


def _compare_state(run: CommandLine, accounts: Json) -> Iterable[str]:
    balances = {one["account"]: one["balance"] for one in run.json("accounts", "list", "--json") or []}
    opened = run.positions("--open")
    for name, state in accounts.items():
        have = {money: number(amount) for money, amount in balances.get(name, {}).items()}
        for money, amount in state["balance"].items():
            if have.get(money) != number(amount):
                yield f"{name} balance {have.get(money)} {money}, right {amount}"
        held = [_open(one) for one in opened if one["account"] == name]
        wanted = [_open_wanted(one) for one in state["positions"]]
        if sorted(held, key=str) != sorted(wanted, key=str):
            yield f"{name} positions {_plain(held)}, right {_plain(wanted)}"
        for money, fall in state.get("drawdown", {}).items():
            yield from _compare_drawdown(run, name, money, fall)


def _open(position: Json) -> tuple[Any, ...]:
    money = abs(position["cost"]), number(position["net"])
    return position["symbol"], side(position), number(position["open_quantity"]), *money


def _open_wanted(position: Json) -> tuple[Any, ...]:
    money = number(position["cost"]), number(position["net_so_far"])
    return position["symbol"], position["side"], number(position["quantity"]), *money


def _compare_drawdown(run: CommandLine, account: str, money: str, fall: Json) -> Iterable[str]:
    """Yield what is wrong with a drawdown: a vector's falls from the gross of a fill by its fee, the product's is by fill."""
    words = ("--window", "all", "--account", account, "--currency", money, "--json")
    booked = (run.json("explain", "net_pnl", *words) or {}).get("bookings", [])
    total = high = deepest = by_fill = high_by_fill = Decimal(0)
    for one in booked:
        for step in (one["adds"] + one["fees"], -one["fees"]):
            total += step
            high = max(high, total)
            deepest = max(deepest, high - total)
        high_by_fill = max(high_by_fill, total)
        by_fill = max(by_fill, high_by_fill - total)
    if (high - total, deepest) != (number(fall["now"]), number(fall["max"])):
        yield f"{account} drawdown {high - total}, at most {deepest} {money}, right {fall}"
    metric = (_metrics_of(run, account, money, "--window", "all") or {}).get("max_drawdown", 0)
    if metric != by_fill:
        yield f"{account} max drawdown {metric} {money}, by fill it is {by_fill}"


def _with_expiries(stated: Json) -> Json:
    """Return a vector whose options have the symbols of their expiries, as the product knows them."""
    text = json.dumps(stated)
    for name, expiry in stated["input"].get("expiries", {}).items():
        root, (right, *strike) = name.split(" ")
        symbol = f"{root:<6}{expiry[2:].replace('-', '')}{right}{int(''.join(strike)) * 1000:08d}"
        text = text.replace(json.dumps(name), json.dumps(symbol))
    found: Json = json.loads(text)
    return found


def _with_accrued(event: Json) -> list[Json]:
    """Return an event, and the accrued interest that a purchase paid or a sale received."""
    if "accrued" not in event:
        return [event]
    sign = "-" if event["side"] == "buy" else ""
    interest = {"type": "cash", "kind": "accrued_interest", "amount": sign + event["accrued"]}
    return [event, {**{key: event[key] for key in ("n", "time", "account", "symbol")}, **interest}]


def _kind(event: Json) -> str:
    names = {"fill": "fill", "cancel": "fill", "cash": "event", "change": "event"}
    return names.get(event["type"], event["type"])


def _batches(name: str, rows: list[Json]) -> Iterable[list[Json]]:
    """Yield the rows of each file: events come one by one, so that each is judged alone."""
    return ([row] for row in rows) if name == "event" else [rows]


def _write(file: Path, name: str, rows: Sequence[Json], given: Json) -> bool:
    if name == "rate":
        _write_rates(file, rows)
    if name not in ("fill", "event"):
        return name == "rate"
    columns, header = (_FILL, _FILL_HEADER) if name == "fill" else (_EVENT, _EVENT_HEADER)
    with file.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow([header.get(column, column) for column in columns])
        for row in rows:
            values = _fill_values(row, given) if name == "fill" else _event_values(row)
            table.writerow([values.get(column, "") for column in columns])
    return True


def _fill_values(row: Json, given: Json) -> Json:
    if row["type"] == "cancel":
        busted = next(e for e in given["events"] if e.get("id") == row["cancels"])
        return _fill_values({**busted, "status": "bust"}, given)
    own = given.get("instruments", {}).get(row["symbol"], {})
    money = own.get("currency") or next(
        iter(given["accounts"][row["account"]].get("starting_balance", {})), ""
    )
    effect = "close" if row.get("closes") else ""
    return {"fee": "0", **row, "currency": money, "base": own.get("base", ""), "effect": effect}


def _state_base(run: CommandLine, folder: Path, given: Json) -> None:
    """State base currency and pegs beside the accounts, for a vector that has a base."""
    settings = given.get("settings", {})
    if "base" in settings:
        base = {
            "currency": settings["base"],
            "pegs": settings.get("pegs", {}),
            "max_age": f"{settings.get('rate_max_age_days', 5)}d",
        }
        _state_accounts(run, folder, given, {"base": base})


def _state_accounts(run: CommandLine, folder: Path, given: Json, more: Json) -> None:
    """State what a vector says of its accounts, and more of the accounts file."""
    keys = ("starting_balance", "currency", "timezone", "day_starts_at")
    accounts = {
        name: {key: own[key] for key in keys if own.get(key)} for name, own in given["accounts"].items()
    }
    (folder / "accounts.yaml").write_text(json.dumps({**more, "accounts": accounts}))
    code, said = run("accounts", "set", "accounts.yaml")
    assert code == EXIT_OK, said


def _write_rates(file: Path, rows: Sequence[Json]) -> None:
    names = ("date", "from", "to", "rate", "source")
    lines = [",".join(str(row.get(name, "")) for name in names) for row in rows]
    file.write_text("\n".join([",".join(names), *lines]) + "\n")


class BaseWindow(NamedTuple):
    """A day that a vector tells in the base currency, on top of the one before it, and what the summary states."""

    account: str
    day: str
    parts: Json
    found: Json | None
    partial: set[str]


def _base_windows(run: CommandLine, given: Json, base: Json) -> list[BaseWindow]:
    money = given.get("settings", {}).get("base")
    windows = []
    for account, days in base.items():
        before = None
        for day, parts in sorted(days.items()):
            start = day if before is None else str(date.fromisoformat(before) + timedelta(days=1))
            span = ("--start", start, "--end", day, "--account", account)
            found = run.json("summary", *span, "--base", money, "--json") or {}
            reasons = {one["code"] for one in found.get("partial_reasons", [])}
            windows.append(BaseWindow(account, day, parts, found.get("conversion"), reasons))
            before = day
    return windows


def _compare_base(windows: Iterable[BaseWindow]) -> list[str]:
    wrong = []
    for one in windows:
        have = one.found and _base_parts(one.found, one.day, one.parts)
        right = {name: _base_value(value) for name, value in one.parts.items()}
        if have != right:
            wrong.append(f"{one.account} {one.day}: {_plain_parts(have)}, right {_plain_parts(right)}")
    return wrong


def _base_parts(found: Json, day: str, parts: Json) -> Json:
    """Return what a summary states, by the names of a vector."""
    rates = {one["currency"]: Decimal(one["rate"]) for one in found["rates"] if one["session"] == day}
    missing = [one["currency"] for one in found["missing"]]
    stated = {"rates": rates, "missing_rate": missing}
    have = {name: stated[name] if name in stated else found[name] for name in parts}
    return have if missing == parts.get("missing_rate", []) else {**have, "missing_rate": missing}


def _base_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: Decimal(one) for name, one in value.items()}
    return value if isinstance(value, list) else Decimal(value)


def _plain_parts(parts: Json | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (parts or {}).items())


def _event_values(row: Json) -> Json:
    values = dict(row)
    for name in ("ratio", "cost_share"):
        if isinstance(values.get(name), list):
            values[name] = ":".join(values[name])
    if "cash" in values:
        values["amount"] = values["cash"]
    values["kind"] = {"spinoff": "spin_off"}.get(values["kind"], values["kind"])
    if values["kind"] in _PAID and not str(values["amount"]).startswith("-"):
        values["refund"] = REFUND_WORD  # a vector's amount is as it moved the cash
    return values


def _moneys(expected: Json) -> list[str]:
    found = {money for own in expected["days"].values() for day in own.values() for money in day}
    return sorted(found) or ["USD"]


def _summary(run: CommandLine, money: str) -> list[Json]:
    summary = run.json("summary", "--window", "all", "--json", "--currency", money)
    return list(summary["partial_reasons"]) if summary else []


def _compare_trades(run: CommandLine, trades: Sequence[Json]) -> list[str]:
    def key(one: Json) -> tuple[Any, ...]:
        how = one.get("how", "fill") if "how" in one else one.get("closed_by") or "fill"
        money = tuple(number(one[part]) for part in (*_PARTS, "net"))
        return (one["account"], one["symbol"], side(one), number(one["quantity"]), *money, how)

    have, right = sorted(map(key, run.positions()), key=str), sorted(map(key, trades), key=str)
    return [] if have == right else [f"trades {_plain(have)}, right {_plain(right)}"]


def _compare_days(run: CommandLine, days: Json) -> list[str]:
    wrong = []
    for account, own in days.items():
        for day, by_money in own.items():
            for money, parts in by_money.items():
                found = _metrics_of(run, account, money, "--start", day, "--end", day)
                right = {part: number(parts.get(part, "0")) for part in ("gross", *_DAY_PARTS)}
                if found is None:
                    have = None
                else:
                    have = {part: number(found[part]) for part in _DAY_PARTS}
                    have["gross"] = have["net_pnl"] + have["fees"] - have["carry"]
                if have != right:
                    differs = {
                        part: _plain((have or {}).get(part))
                        for part in right
                        if not have or have[part] != right[part]
                    }
                    wrong.append(
                        f"{account} {day} {money}: {differs}, right { ({part: str(right[part]) for part in differs}) }"
                    )
    return wrong


def _metrics_of(run: CommandLine, account: str, money: str, *window: str) -> Json | None:
    found = run.json("summary", *window, "--json", "--currency", money, "--account", account)
    return (
        {name: one["value"] for name, one in found["metrics"].items()}
        if found and "metrics" in found
        else None
    )


def _compare_returns(run: CommandLine, given: Json, expected: Json) -> list[str]:
    """Return what is wrong with the returns of days, their chain and its deepest fall."""
    wrong = []
    for account, right in expected.get("returns", {}).items():
        money = given["settings"]["returns"][account]
        whole = _metrics_of(run, account, money, "--window", "all") or {}
        have = {"total": whole.get("total_return"), "max_drawdown_percent": whole.get("return_drawdown")}
        if have["max_drawdown_percent"] is not None:
            have["max_drawdown_percent"] = Decimal(str(have["max_drawdown_percent"])) * 100
        for day in right["days"]:
            have[day] = (_metrics_of(run, account, money, "--start", day, "--end", day) or {}).get(
                "total_return"
            )
        wanted = {name: right[name] for name in ("total", "max_drawdown_percent") if name in right} | right[
            "days"
        ]
        wrong += [
            f"{account} return {name} {have[name]}, right {value}"
            for name, value in wanted.items()
            if not _is_near(have[name], value)
        ]
    return wrong


def _is_near(have: Any, right: Any) -> bool:
    one, other = number(have), number(right)
    return one is other is None or (one is not None and other is not None and abs(one - other) <= _NEAR)


def _compare_checks(run: CommandLine, given: Json, expected: Json) -> list[str]:
    """Return the sums of a broker that differ from what is booked by something else than they should."""
    wrong = []
    for check in expected.get("checks", []):
        money = next(iter(given["accounts"][check["account"]]["starting_balance"]))
        found = _metrics_of(run, check["account"], money, "--window", "all") or {}
        booked = {"fees": found["fees"], "gross": found["net_pnl"] + found["fees"] - found["carry"]}
        difference = booked[check["what"]] - Decimal(check["amount"])
        if difference != number(check["difference"]):
            wrong.append(f"{check['what']} differs by {difference}, right {check['difference']}")
    return wrong


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Decimal) else value


#: What a refusal has to name, by the number of the case's kind.
_REFUSALS = {
    "05": ("inverse", "coin-margined"),
    "09": ("unknown", "not known"),
    "10": ("commission",),
    "11": ("order", "execution"),
}


def case(path: Path, folder: Path) -> list[str]:
    """Return what is wrong with a file whose closed positions are known."""
    wanted = json.loads(path.read_text(), parse_float=Decimal, parse_int=Decimal)
    instruments_file(folder, wanted.get("instruments", {}))
    plain = folder / f"statement{Path(wanted['input']).suffix}"  # a name that says nothing
    shutil.copy(path.parent / wanted["input"], plain)
    run = CommandLine(folder)
    code, said = run("import", str(plain), *wanted.get("import_options", []))
    closed, still_open = run.positions(), run.positions("--open")
    reasons = (run.json("summary", "--window", "all", "--json") or {}).get("partial_reasons")
    have = sorted((side(one), one["net"]) for one in closed)
    if "must_not_close" in wanted:
        if any(way == "short" for way, _ in have):
            return [f"a phantom short: {_plain(have)}"]
        return [] if reasons or any(net > 400 for _, net in have) else ["the summary is complete"]
    if "wanted" in wanted:
        return [] if reasons or closed or "expir" in said.lower() else ["nothing is said of the expiry"]
    words = _REFUSALS.get(path.parent.parent.name[:2])
    if words and not closed and not still_open and code not in (EXIT_OK, EXIT_INTERNAL):
        return (
            [] if any(word in said.lower() for word in words) else [f"refused without why: {said[-120:]!r}"]
        )
    slack = (
        Decimal("0.00000002")
        if wanted.get("right_in_coin")
        else number(wanted.get("net_tolerance", "0.0005"))
    )
    right = sorted(
        (one["side"], number(one["net"])) for one in wanted.get("closed") or wanted.get("right_in_coin") or []
    )
    same = len(right) == len(have) and all(
        a[0] == b[0] and abs(a[1] - b[1]) <= slack for a, b in zip(right, have, strict=True)
    )
    if same and wanted.get("open") == [] and still_open:
        return [f"{len(still_open)} left open"]
    return [] if same else [f"closed {_plain(have)}, right {_plain(right)}, exit {code}: {said[-160:]!r}"]


def sample(path: Path, folder: Path) -> list[str]:
    """Return what is wrong with a sample of a format: its net by currency, or its refusal by name.

    A sample states swap that stands in the row of a trade in its net, and leaves out carry with rows of its own.
    """
    wanted = json.loads(path.read_text())
    instruments_file(folder, wanted.get("instruments") or {})
    run = CommandLine(folder)
    code, said = run("import", str(path.parent / wanted["input"]), *wanted["import_options"])
    if not wanted["fills"]:
        word = wanted["format"].replace("_", " ").lower().split(" ")[0][:6]
        shown = said.lower().replace(str(path).lower(), "").replace(wanted["input"].lower(), "")
        is_named = word in shown.replace(f"/{wanted['format']}/", "")
        return [] if code != EXIT_OK and is_named else [f"to be refused by name, exit {code}"]
    have: Counter[str] = Counter()
    fills: Counter[str] = Counter()
    right: Counter[str] = Counter()
    closed = run.positions()
    for one in closed:
        have[one["currency"]] += one["net"]
        fills[one["currency"]] += one["gross"] - one["fees"]
    for one in wanted["closed"]:
        right[one["currency"]] += Decimal(str(one["net"]))
    if closed and any(
        all(abs(sums[money] - net) <= Decimal("0.011") for money, net in right.items())
        for sums in (have, fills)
    ):
        return []
    return [
        f"net { {k: str(v) for k, v in have.items()} }, right { {k: str(v) for k, v in right.items()} }, exit {code}"
    ]


def runner_of(path: Path) -> Callable[[Path, Path], list[str]] | None:
    """Return how a file is run, None for one that is neither vector, case nor sample."""
    content = json.loads(path.read_text())
    if not isinstance(content, dict):
        return None
    if isinstance(content.get("input"), dict) and "events" in content["input"]:
        return vector if {"trades", "days"} <= content.get("expected", {}).keys() else None
    if path.name == "expected.json":
        return case
    return sample if path.name.endswith(".expected.json") else None


def run_folder(folder: Path, names: Sequence[str] = ()) -> int:
    """Run all files of a folder, or those whose path has one of the names; return an exit code."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.json")):
        run = runner_of(path)
        if run is None or (names and not any(name in str(path) for name in names)):
            continue
        kind = path.stem[0] if run is vector else path.parent.parent.name if run is case else path.parent.name
        shown = path.stem if run is vector else str(path.relative_to(folder).parent)
        total[kind] += 1
        with tempfile.TemporaryDirectory() as place:
            wrong = run(path, Path(place))
        right[kind] += not wrong
        if wrong:
            print(f"{shown}: {'; '.join(wrong)}"[:500])
    for kind, count in total.items():
        print(f"{kind}: {right[kind]} of {count}")
    print(f"{sum(right.values())} of {sum(total.values())} right")
    return int(right != total)


if __name__ == "__main__":
    os.environ.pop("TEARSHEET_CONFIG", None)
    if sys.argv[1] == "--table":
        from tests.statement_table import print_table

        sys.exit(print_table(Path(sys.argv[2])))
    sys.exit(run_folder(Path(sys.argv[1]), sys.argv[2:]))
