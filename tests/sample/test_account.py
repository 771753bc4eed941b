"""The sample: the same bytes from the same seed, and everything in it that it promises."""

import csv
import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tearsheet.app.limits.verdicts import account_verdicts
from tearsheet.performance.summary import Scope
from tearsheet.sample import SampleReport, write_fills_csv, write_limits, write_log, write_sample
from tearsheet.sample.account import FUTURES_ZONE
from tearsheet.settings import Settings, exchange_holidays
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.fill import TradeRecord
from tearsheet.trade.session import Window

UNTIL = date(2026, 11, 28)  # a Saturday after Thanksgiving
FIELDS = set(TradeRecord.__struct_fields__)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleReport:
    return write_sample(tmp_path_factory.mktemp("sample"), until=UNTIL)


def records(sample: SampleReport) -> list[dict[str, object]]:
    """The trade log's records that can be read."""
    found = []
    for path in sorted(sample.logs.iterdir()):
        for line in path.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                assert path.stem == sample.broken_line_day.isoformat()
    return found


def fills(path: Path) -> list[dict[str, str]]:
    """The executions of a statement."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        write_sample(tmp_path / name, until=UNTIL, months=1, seed=seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b") != contents(tmp_path / "c")


def test_it_trades_on_every_exchange_day_and_on_no_other(sample: SampleReport) -> None:
    days = {date.fromisoformat(path.stem) for path in sample.logs.iterdir()}
    span = (sample.last_day - sample.first_day).days
    all_days = (sample.first_day + timedelta(days=n) for n in range(span + 1))
    holidays = exchange_holidays()
    assert days == {day for day in all_days if day.weekday() < 5 and day not in holidays}
    assert sample.last_day == date(2026, 11, 27)
    traded = {
        datetime.strptime(fill["Time"], "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC).date()
        for statement in sample.statements
        for fill in fills(statement)
    }
    assert traded <= days


def test_the_trade_log_has_all_fields_and_every_outcome(sample: SampleReport) -> None:
    found = records(sample)
    assert all(set(record) == FIELDS for record in found)
    outcomes = Counter(record["outcome"] for record in found)
    assert min(outcomes[o] for o in ("win", "loss", "breakeven")) >= 5
    assert outcomes["open"] == sum(outcomes.values()) - outcomes["open"] + 1
    assert {record["action"] for record in found} == {"BUY", "SELL"}
    assert len({record["strategy_name"] for record in found}) >= 3


def test_outcomes_money_and_times_of_the_log_agree(sample: SampleReport) -> None:
    for line in records(sample):
        record = msgspec.convert(line, TradeRecord)
        assert record.stop_loss is not None
        assert record.target is not None
        assert (record.stop_loss < record.price < record.target) is (record.action.value == "BUY")
        if record.is_closed:
            assert record.profit_loss is not None
            assert record.commission is not None
            net = record.profit_loss - record.commission
            assert net == record.net_profit_loss
            assert record.outcome == ("win" if net > 0 else "loss" if net < 0 else "breakeven")
            assert record.result_time > record.timestamp


def test_the_statement_has_rolls_scaling_and_reversals(sample: SampleReport) -> None:
    found = fills(sample.statements[0])
    assert len({fill["Instrument"] for fill in found if fill["Instrument"].startswith("MNQ")}) == 2
    assert all(fill["Commission"].startswith("$") for fill in found)
    assert len({fill["ID"] for fill in found}) == len(found)
    held: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for fill in found:
        before = held[fill["Instrument"]]
        change = int(fill["Quantity"]) * (1 if fill["Action"] == "Buy" else -1)
        after = held[fill["Instrument"]] = before + change
        seen["reversal"] += before * after < 0
        seen["scale in"] += before * change > 0
        seen["scale out"] += before * change < 0 and before * after > 0
    assert min(seen[kind] for kind in ("reversal", "scale in", "scale out")) >= 5, seen


def test_the_late_fill_is_only_in_the_later_statement(sample: SampleReport) -> None:
    first, later = (fills(path) for path in sample.statements)
    (late,) = [fill for fill in later if fill not in first]
    assert late["Time"].startswith(f"{sample.late_fill_day:%-m/%-d/%Y}")
    assert len(later) > 1


@pytest.mark.parametrize("seed", [7, 11])
def test_the_whole_job_takes_it_in(tmp_path: Path, seed: int) -> None:
    made = write_sample(tmp_path, until=UNTIL, seed=seed)
    env = {"PERFORMANCE_SUMMARY_TIMEZONE": FUTURES_ZONE, "TEARSHEET_DAY_STARTS_AT": "17:00"}
    settings = Settings.load(env, tmp_path)
    evening = datetime(2026, 11, 28, 3, tzinfo=UTC)
    with PerformanceTracker(settings, clock=lambda: evening) as tracker:
        assert tracker.sync().rejected == 1
        imports = [tracker.import_file(path, timezone=ZoneInfo(FUTURES_ZONE)) for path in made.statements]
        assert [report.rejected for report in imports] == [0, 0]
        assert imports[1].new == 1
        assert tracker.accounts() == ["EQ-1", "FUT-1"]
        losing = tracker.get_summary(Window.containing("weekly", made.losing_week))
        net = losing.value("net_pnl")
        assert isinstance(net, Decimal)
        assert net < 0
        whole = tracker.get_summary(Window.between(made.first_day, made.last_day))
        assert whole.missing_days == ()
        assert [reason.code for reason in whole.partial_reasons] == ["rejected_lines"]
        nights = tracker.closed_positions(
            Window.between(made.first_day, made.last_day), Scope(account="FUT-1")
        )
        assert any(p.held is not None and p.held > timedelta(hours=12) for p in nights)
        assert tracker.verify().matches
        write_limits(made)
        verdicts = account_verdicts(tracker).all()
        assert [(v.account, v.state) for v in verdicts] == [("EQ-1", "ok"), ("FUT-1", "ok")]
        assert all(one.headroom for found in verdicts for one in found.limits)
        assert None not in (getattr(tracker.targets(), name) for name in tracker.targets().__struct_fields__)


def test_a_log_in_bulk(tmp_path: Path) -> None:
    last = date(2026, 11, 20)
    assert write_log(tmp_path / "a", days=3, trades_per_day=200, last_day=last) == 600
    write_log(tmp_path / "b", days=3, trades_per_day=200, last_day=last)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    names = [f"2026-11-{day}.jsonl" for day in (18, 19, 20)]
    assert sorted(contents(tmp_path / "a")) == names
    lines = b"".join(contents(tmp_path / "a").values()).splitlines()
    assert all(set(json.loads(line)) == FIELDS for line in lines)
    found = [msgspec.json.decode(line, type=TradeRecord) for line in lines]
    assert len({record.order_id for record in found}) == 600
    assert 0.85 < sum(record.is_closed for record in found) / 600 < 0.95
    assert 600 < sum(map(len, lines)) / 600 < 800


def test_fills_in_bulk(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert write_fills_csv(tmp_path / name, count=2_000, accounts=3, symbols=4) == 2_000
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    found = fills(tmp_path / "a")
    assert len({fill["fill_id"] for fill in found}) == 2_000
    assert len({fill["account"] for fill in found}) == 3
    assert len({fill["symbol"] for fill in found}) == 4
    times = [fill["time"] for fill in found]
    assert times == sorted(times, key=datetime.fromisoformat)
