"""`tearsheet open`: a folder's dashboard on this machine, and what a terminal without a command gets."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from tearsheet.cli import EXIT_USAGE, main
from tests.support.web_server import free_port

PROGRAM = [sys.executable, "-c", "from tearsheet.cli import run; run()"]


def address_in(read: "object", deadline: float) -> str:
    text = ""
    while time.monotonic() < deadline:
        text += read()  # type: ignore[operator]
        if "http://" in text and "Ctrl-C" in text:
            return "http://" + text.partition("http://")[2].split()[0]
    raise AssertionError(text)


def until_answered(address: str, deadline: float) -> str:
    while True:
        try:
            with urlopen(address, timeout=30) as answer:
                return str(answer.read().decode())
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.slow
def test_a_folder_that_is_not_there_yet_is_made_and_shown(tmp_path: Path) -> None:
    folder, port = tmp_path / "new" / "place", free_port()
    command = [*PROGRAM, "open", str(folder), "--port", str(port), "--no-browser"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        deadline = time.monotonic() + 60
        address = address_in(lambda: process.stdout.readline().decode(), deadline)  # type: ignore[union-attr]
        assert address == f"http://127.0.0.1:{port}/"
        assert "Drop a broker file" in until_answered(address, deadline)
        assert folder.is_dir()
    finally:
        stop(process)


@pytest.mark.slow
def test_the_program_alone_on_a_terminal_opens_the_folder_it_is_in(tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    env["TEARSHEET_PORT"] = str(free_port())
    process = subprocess.Popen(
        PROGRAM, cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal, env=env
    )
    try:
        deadline = time.monotonic() + 60
        address = address_in(lambda: os.read(master, 1000).decode(), deadline)
        assert "Drop a broker file" in until_answered(address, deadline)
    finally:
        stop(process)
        os.close(master)
        os.close(terminal)


def test_the_program_alone_elsewhere_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == EXIT_USAGE
    assert "Usage: tearsheet" in capsys.readouterr().err


def test_a_file_is_no_folder_and_a_port_in_use_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    assert main(["open", str(tmp_path / "file")]) == EXIT_USAGE
    assert main(["open", str(tmp_path / "file" / "below")]) == EXIT_USAGE
    assert "cannot be made" in capsys.readouterr().err
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert main(["open", "--no-browser", "--port", str(port)]) == EXIT_USAGE
    assert f"port {port} at 127.0.0.1 is in use" in capsys.readouterr().err
