"""The polling client of the examples against a real server: what it trusts, and what it does not."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks.running import Running, ask, environment
from tests.support.place import TOP

SCRIPT = TOP / "examples/polling-client/poll.py"
SENT = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def poll() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("poll", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["poll"] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """A server of this moment."""
    with Running(tmp_path, TEARSHEET_SYNC_EVERY_S="0", TEARSHEET_WORKERS="1") as running:
        yield running


def lose(server: Running, money: int, number: int = 1) -> None:
    """A round trip of this moment that loses so much."""
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    fills = [
        {
            "account": "A",
            "symbol": "MSFT",
            "time": at,
            "quantity": 1,
            "side": side,
            "price": price,
            "fill_id": f"{side}{number}",
        }
        for side, price in (("BUY", 5000), ("SELL", 5000 - money))
    ]
    status, body = ask(server.port, "POST", "/api/fills", body=json.dumps(fills).encode(), headers=SENT)
    assert status == 201, body


def options(poll: ModuleType, server: Running, *words: str) -> Any:
    return poll.options_of([f"--url=http://127.0.0.1:{server.port}", "--every=0.05", *words])


def now() -> datetime:
    return datetime.now(UTC)


def test_an_unchanged_answer_is_not_sent_again(poll: ModuleType, server: Running) -> None:
    lose(server, 3)
    client = poll.Client(options(poll, server), now)
    first, same = client.ask()
    assert (first.pnl, first.trades, same) == (-3, 1, False)
    assert client.ask() == (first, True)
    lose(server, 4, 2)
    second, same = client.ask()
    assert (second.pnl, second.revision > first.revision, same) == (-7, True, False)


def test_a_passed_loss_limit_ends_it_with_2(
    poll: ModuleType, server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    lose(server, 1000)
    assert poll.run(options(poll, server, "--max-loss=1000", "--once"), now) == 0
    lose(server, 1, 2)
    assert poll.run(options(poll, server, "--max-loss=1000"), now) == 2
    assert "LOSS daily_pnl=-1001 is below -1000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("off", "words"),
    [(60, "s old by this clock"), (-60, "s old by this clock"), (86_400 * 2, "s old by this clock")],
)
def test_an_answer_of_another_time_is_not_trusted(
    poll: ModuleType, server: Running, capsys: pytest.CaptureFixture[str], off: int, words: str
) -> None:
    at = lambda: now() + timedelta(seconds=off)  # noqa: E731
    assert poll.run(options(poll, server), at) == 4
    assert words in capsys.readouterr().out


def test_an_answer_of_another_day_is_not_trusted(
    poll: ModuleType, server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    at = lambda: now() + timedelta(days=1)  # noqa: E731
    assert poll.run(options(poll, server, "--max-age=1000000"), at) == 4
    assert "not of now" in capsys.readouterr().out


def test_a_service_gone_back_to_an_earlier_state_is_not_trusted(poll: ModuleType, server: Running) -> None:
    lose(server, 1)
    lose(server, 2, 2)
    client = poll.Client(options(poll, server), now)
    assert client.ask()[0].revision == 2
    server.stop()
    shutil.rmtree(server.folder / "logs")
    forget = [sys.executable, "-c", "from tearsheet.cli import run; run()", "sources", "forget", "ledger"]
    subprocess.run([*forget, "--by", "kim"], cwd=server.folder, env=environment({}), check=True)
    server.start()
    lose(server, 1)
    with pytest.raises(poll.StaleError, match="revision 1 after 2"):
        client.ask()


def test_a_partial_answer_is_not_trusted(poll: ModuleType, server: Running) -> None:
    logs = server.folder / "logs"
    logs.mkdir(exist_ok=True)
    (logs / f"{now():%Y-%m-%d}.jsonl").write_text("no JSON\n")
    with pytest.raises(poll.StaleError, match="may lack something: rejected"):
        poll.Client(options(poll, server), now).ask()


def test_old_data_is_told_from_fresh_data_where_asked(poll: ModuleType, server: Running) -> None:
    with pytest.raises(poll.StaleError, match="the last fill is of None"):
        poll.Client(options(poll, server, "--max-data-age=60"), now).ask()
    lose(server, 1)
    assert poll.Client(options(poll, server, "--max-data-age=60"), now).ask()[0].pnl == -1


def test_no_answer_ends_it_with_3_when_its_patience_is_over(
    poll: ModuleType, server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    server.stop()
    assert poll.run(options(poll, server, "--patience=2"), now) == 3
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" (")[2] for line in lines] == ["1 of 2)", "2 of 2)"]
