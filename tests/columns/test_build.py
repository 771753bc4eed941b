"""The kernel is built by the first compiler that can; without one that is said, and nothing fails."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tearsheet.columns.build import SOURCE, build, compilers, library_name


def _run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build beside a copy of the source, where no package is installed."""
    for path in (SOURCE, SOURCE.with_name("build.py")):
        shutil.copy(path, folder)
    return subprocess.run(
        [sys.executable, "-S", str(folder / "build.py")], env=environment, capture_output=True, text=True
    )


def _compiler(folder: Path) -> Path:
    """Make a compiler that has no headers."""
    path = folder / "broken-cc"
    path.write_text("#!/bin/sh\necho 'fatal error: stdint.h: No such file or directory' >&2\nexit 1\n")
    path.chmod(0o755)
    return path


def test_without_a_compiler_the_exact_lane_is_announced(tmp_path: Path) -> None:
    done = _run(tmp_path, PATH="")
    assert (done.returncode, done.stdout) == (
        0,
        "no C compiler: every fold takes the exact lane, with the same numbers\n",
    )


def test_a_compiler_that_fails_is_named_with_its_words(tmp_path: Path) -> None:
    done = _run(tmp_path, PATH="", CC=str(_compiler(tmp_path)))
    assert done.returncode == 0
    assert done.stdout.startswith(
        f"{library_name()} was not built: every fold takes the exact lane, with the same numbers\n"
    )
    assert "stdint.h: No such file" in done.stdout


def test_a_kernel_newer_than_its_source_is_not_built_again(tmp_path: Path) -> None:
    (tmp_path / library_name()).write_bytes(b"")
    (tmp_path / "kernel.c").touch()
    done = _run(tmp_path, PATH="")  # copying gives the source the time of now
    assert "no C compiler" in done.stdout
    (tmp_path / library_name()).touch()
    done = subprocess.run(
        [sys.executable, "-S", str(tmp_path / "build.py")], env={"PATH": ""}, capture_output=True, text=True
    )
    assert done.stdout == f"{library_name()} is there: large imports fold in C\n"


def test_the_next_compiler_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", str(_compiler(tmp_path)))
    assert len(compilers()) > 1
    assert build(tmp_path) == tmp_path / library_name()
    assert [path.name for path in tmp_path.iterdir() if "kernel" in path.name] == [library_name()]
