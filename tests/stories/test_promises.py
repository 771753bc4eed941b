"""What files, help texts and docs tell people to run, run; what they name exists.

Kind of fault: an instruction that nobody executes: an image that judges nothing, a hint to an option that
is not there, an example that fails, options that are ignored beside each other.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from tearsheet.cli import COMMANDS, EXIT_CODES, main, tearsheet
from tearsheet.settings import Settings
from tests.support.api import Api, fill
from tests.support.place import NOON, TOP, Place, record
from tests.support.postgres_server import PostgresServer
from tests.support.processes import environment, until
from tests.support.redis_server import free_port

PLAN = "win_rate_target: 90\nlimits: {default: {daily_loss: 500, stale_after: null}}\n"
RUN = "import sys; from tearsheet.cli import main; sys.exit(main(sys.argv[1:]))"


def lose_today(folder: Path, number: int = 6) -> None:
    """Losing trades in today's log, and the targets and limits that they break."""
    now = datetime.now(UTC) - timedelta(seconds=5)
    lines = [json.dumps(record(at=now, held=1, net="-150", order_id=f"{n}")) for n in range(number)]
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    (folder / "logs" / f"{now:%Y-%m-%d}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config/dashboard-targets.yaml").write_text(PLAN)


def alerts(folder: Path) -> set[str]:
    """The rules of the alerts in the file, so far."""
    path = folder / "logs/performance-alerts.jsonl"
    return {json.loads(line)["rule"] for line in path.read_text().splitlines()} if path.exists() else set()


def dockerfile(word: str) -> str:
    """What the last instruction of one kind says."""
    text = (TOP / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{word} (.*)$", text, re.MULTILINE)[-1]


def image_environment() -> dict[str, str]:
    named = dict(word.split("=", 1) for word in shlex.split(dockerfile("ENV")))
    return {name: value for name, value in named.items() if name.startswith("TEARSHEET_")}


@contextmanager
def image_process(folder: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The image's command as a process, with a token, as an engine would start it."""
    arguments = [*json.loads(dockerfile("ENTRYPOINT"))[1:], *json.loads(dockerfile("CMD"))]
    whole = environment({**image_environment(), **env})
    token = [sys.executable, "-c", RUN, "tokens", "add", "desk"]
    subprocess.run(token, cwd=folder, env=whole, check=True, capture_output=True)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, *arguments], cwd=folder, env=whole, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


class TestContainers:
    def test_the_image_judges_targets_at_the_port_of_the_platform(self, tmp_path: Path) -> None:
        port = free_port()
        lose_today(tmp_path)
        with image_process(tmp_path, {"PORT": f"{port}"}):
            until(lambda: {"win_rate_breach", "daily_loss"} <= alerts(tmp_path))
            check = json.loads(dockerfile("HEALTHCHECK").partition("CMD ")[2])
            command = [sys.executable, *check[1:]]
            env = environment({"PORT": f"{port}"})
            until(lambda: subprocess.run(command, env=env, check=False, capture_output=True).returncode == 0)

    def test_the_compose_file_s_app_judges_targets(self, tmp_path: Path, postgres: PostgresServer) -> None:
        app: dict[str, Any] = yaml.safe_load((TOP / "compose.yaml").read_text())["services"]["app"]
        assert "command" not in app
        env = {name: str(value) for name, value in app["environment"].items()}
        env |= {"DATABASE_URL": postgres.database(), "PERFORMANCE_SUMMARY_TIMEZONE": "UTC"}
        del env["REDIS_URL"]
        lose_today(tmp_path)
        try:
            with image_process(tmp_path, {**env, "TEARSHEET_PORT": f"{free_port()}"}):
                until(lambda: {"win_rate_breach", "daily_loss"} <= alerts(tmp_path))
        finally:
            postgres.drop(env["DATABASE_URL"])

    def test_a_port_of_one_s_own_goes_before_that_of_the_platform(self, tmp_path: Path) -> None:
        assert Settings.load({"PORT": "8080"}, tmp_path).port == 8080
        assert Settings.load({"PORT": "8080", "TEARSHEET_PORT": "9"}, tmp_path).port == 9
        assert Settings.load({"PORT": "/dev/ttyUSB0"}, tmp_path).port == 5000

    def test_the_scheduler_s_line_raises_alerts_and_tells(self, tmp_path: Path) -> None:
        page = (TOP / "docs/deploying.md").read_text()
        [line] = re.findall(r"```cron\n(.*)\n```", page)
        schedule, command = line.split(maxsplit=5)[:5], line.split(maxsplit=5)[5]
        assert schedule == ["*/5", "*", "*", "*", "*"]
        program = tmp_path / "tearsheet"
        program.write_text(f"#!{sys.executable}\n{RUN}\n")
        told = tmp_path / "tell"
        told.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/told\n')
        for file in (program, told):
            file.chmod(0o755)
        for there, here in (
            ("/var/lib/tearsheet", tmp_path / "data"),
            ("/opt/tearsheet/bin/tearsheet", program),
            ("/opt/desk/tell", told),
        ):
            command = command.replace(there, str(here))
        lose_today(tmp_path / "data")
        subprocess.run(["/bin/sh", "-c", command], env=environment({}), check=True, capture_output=True)
        assert (tmp_path / "told").read_text() == "tearsheet check ended with 2\n"
        assert alerts(tmp_path / "data") >= {"win_rate_breach", "daily_loss"}


class TestBots:
    BOT = "from pkgutil import extend_path\n\n__path__ = extend_path(__path__, __name__)\n"

    def test_a_bot_s_own_package_does_not_hide_ours_with_the_two_lines_of_the_readme(
        self, tmp_path: Path
    ) -> None:
        assert self.BOT in (TOP / "README.md").read_text()
        (tmp_path / "trading_bot").mkdir()
        (tmp_path / "trading_bot/__init__.py").write_text(self.BOT)
        (tmp_path / "trading_bot/strategy.py").write_text("NAME = 'orb'\n")
        lose_today(tmp_path)
        env = environment({"PYTHONPATH": f"{tmp_path}:{TOP / 'src'}"})
        module = [sys.executable, "-m", "trading_bot.performance", "--allow-partial"]
        assert subprocess.run(module, cwd=tmp_path, env=env, check=False, capture_output=True).returncode == 2
        [code] = re.findall(
            r"```python\n(from trading_bot.*?)```", (TOP / "README.md").read_text(), re.DOTALL
        )
        program = f"from trading_bot.strategy import NAME\n{code}"
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=env,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("-900 [AlertEvent(")

    def test_constructors_work(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        from trading_bot.performance import AlertEvaluator, PerformanceTracker

        monkeypatch.chdir(place.folder)
        place.targets(max_drawdown_target=-5)
        with PerformanceTracker() as tracker:
            assert tracker.get_summary("all").value("net_pnl") == 0
            assert AlertEvaluator(tracker).newest() == tracker.alerts.newest() == []
            with pytest.raises(Exception, match="needs the path of its alerts file"):
                AlertEvaluator(tracker.ledger)


class TestIdempotencyKeys:
    FILE = (
        "account,symbol,time,side,quantity,price,commission,fill_id\n,AAPL,2026-11-20 10:00:00,buy,1,10,0,1\n"
    )

    def send(self, api: Api, query: str, key: str = "k", text: str = FILE, **headers: str) -> Any:
        body = (
            f'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n{text}\r\n--b--\r\n'
        )
        sent = {"Content-Type": "multipart/form-data; boundary=b", "Idempotency-Key": key, **headers}
        return api.client.post(f"/api/import?{query}", data=body, headers=sent)

    @pytest.mark.parametrize(
        "other",
        [
            "account=B&timezone=UTC",
            "account=A&timezone=America/Chicago",
            "account=A&timezone=UTC&format=generic_fills",
        ],
    )
    def test_another_account_zone_or_format_is_a_conflict(self, api: Api, other: str) -> None:
        first = self.send(api, "account=A&timezone=UTC")
        assert first.status_code == 201, first.text
        assert json.loads(self.send(api, "account=A&timezone=UTC").text)["data"]["repeated"]
        assert self.send(api, other).status_code == 409
        changed = self.FILE.replace(",10,0,1", ",11,0,2")
        assert self.send(api, "account=A&timezone=UTC", text=changed).status_code == 409
        assert api.get("/api/accounts")["data"] == ["A"] or api.get("/api/positions")["data"]

    def test_a_key_belongs_to_a_token(
        self, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: Any
    ) -> None:
        monkeypatch.chdir(place.folder)
        tokens = []
        for name in ("one", "two"):
            assert main(["tokens", "add", name, "--write"]) == 0
            tokens.append(re.search(r"ts_\S+", capsys.readouterr().out)[0])  # type: ignore[index]
        api = Api(place)
        for number, token in enumerate(tokens):
            sent = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
            answer = api.client.post("/api/fills", json=[fill(number)], headers=sent)
            assert answer.status_code == 201, answer.text
            again = api.client.post("/api/fills", json=[fill(number)], headers=sent)
            assert json.loads(again.text)["data"]["repeated"]
            other = api.client.post("/api/fills", json=[fill(number + 5)], headers=sent)
            assert other.status_code == 409


class TestOptions:
    @pytest.fixture
    def here(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
        monkeypatch.chdir(place.folder)
        monkeypatch.setattr("tearsheet.tracker.PerformanceTracker.now", property(lambda tracker: NOON))
        return place

    @pytest.mark.parametrize(
        "more", [["--start", "2026-11-01"], ["--end", "2026-11-01"], ["--rolling", "5"], ["--window", "all"]]
    )
    def test_what_backfill_cannot_honour_is_refused(self, here: Place, more: list[str]) -> None:
        assert main(["summary", "--backfill", "3", *more]) == 64

    @pytest.mark.parametrize(
        ("kind", "starts"),
        [
            ("daily", ["2026-11-18", "2026-11-19", "2026-11-20"]),
            ("weekly", ["2026-11-02", "2026-11-09", "2026-11-16"]),
            ("monthly", ["2026-09-01", "2026-10-01", "2026-11-01"]),
            ("yearly", ["2024-01-01", "2025-01-01", "2026-01-01"]),
        ],
    )
    def test_backfill_counts_windows(
        self, here: Place, kind: str, starts: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["summary", "--backfill", "3", "--window", kind, "--json"]) == 0
        assert [one["window"]["start"] for one in json.loads(capsys.readouterr().out)] == starts


class TestWords:
    def test_the_help_lists_every_exit_code(self, capsys: pytest.CaptureFixture[str]) -> None:
        import tearsheet.cli as cli

        codes = {
            value for name, value in vars(cli).items() if name.startswith("EXIT_") and isinstance(value, int)
        }
        assert set(EXIT_CODES.values()) <= codes
        assert main(["--help"]) == 0
        listed = capsys.readouterr().out.partition("Exit codes:")[2]
        assert {int(number) for number in re.findall(r"\b(\d+) (?=[a-z])", listed)} == codes

    def test_every_example_of_a_help_text_can_be_parsed(self) -> None:
        examples = list(self._examples())
        assert len(examples) > 30
        for words in examples:
            self._parse(words)

    def test_every_command_in_a_string_of_the_code_exists(self) -> None:
        """Hints and reasons name commands in backticks."""
        named: set[str] = set()
        for path in (TOP / "src/tearsheet").rglob("*.py"):
            named |= set(re.findall(r"`(tearsheet [a-z][^`\n]*)`", path.read_text()))
        assert len(named) > 15
        for command in named:
            words = [w.partition("|")[0] for w in command.split()[1:] if not re.search(r"[{}…\[\]]", w)]
            group: click.Command = tearsheet
            context = click.Context(tearsheet)
            for word in words:
                if word.startswith("-"):
                    names = {n for one in group.params for n in (*one.opts, *one.secondary_opts)}
                    assert word.partition("=")[0] in names, command
                elif isinstance(group, click.Group) and (found := group.get_command(context, word)):
                    group = found

    def test_the_example_environment_has_no_setting_twice(self) -> None:
        names = re.findall(r"^# ([A-Z_]+)=", (TOP / ".env.example").read_text(), re.MULTILINE)
        assert len(names) == len(set(names))

    def test_how_pnl_tells_of_marks(self) -> None:
        assert "no marks yet" not in (TOP / "docs/how-pnl-is-computed.md").read_text()

    def _examples(self) -> Iterator[list[str]]:
        def commands(group: click.Group) -> Iterator[click.Command]:
            context = click.Context(group)
            for name in group.list_commands(context):
                command = group.get_command(context, name)
                assert command is not None
                yield command
                if isinstance(command, click.Group):
                    yield from commands(command)

        for command in (tearsheet, *commands(tearsheet)):
            for line in re.sub(r"\\\n\s*", "", command.help or "").splitlines():
                # an explanation follows behind two spaces that are not within quotes
                text = re.split(r'\s{2,}(?=(?:[^"]*"[^"]*")*[^"]*$)', line.strip())[0]
                if text.startswith("tearsheet "):
                    yield shlex.split(text)[1:]

    def _parse(self, words: list[str]) -> None:
        group: click.Command = tearsheet
        context = click.Context(tearsheet)
        rest = list(words)
        while rest and isinstance(group, click.Group) and (found := group.get_command(context, rest[0])):
            group, rest = found, rest[1:]
        assert words[0] in COMMANDS, words
        group.make_context("tearsheet", rest, resilient_parsing=False)
