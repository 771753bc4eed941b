"""What a command loads before it answers: the first thing that grows unseen."""

import subprocess
import sys
from pathlib import Path

import pytest

#: A web framework, an HTTP client, workbooks, YAML, archives, programs: a command that needs none of it loads none.
_HEAVY = (
    "flask",
    "urllib.request",
    "python_calamine",
    "ruamel",
    "subprocess",
    "importlib.metadata",
    "zipfile",
)
_CODE = """
import sys
from tearsheet.cli import main
main({arguments!r})
print("LOADED", *sorted({heavy!r} & sys.modules.keys()))
"""


@pytest.mark.parametrize("command", ["summary", "check", "sync"])
def test_a_command_loads_nothing_heavy_that_it_does_not_need(tmp_path: Path, command: str) -> None:
    code = _CODE.format(arguments=[command], heavy=set(_HEAVY))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "LOADED"


@pytest.mark.parametrize("command", ["sync", "summary"])
def test_a_command_on_logs_loads_no_reader_of_statements(tmp_path: Path, command: str) -> None:
    readers = {"tearsheet.sources.statements.statement", "tearsheet.sources.layouts.catalogue"}
    code = _CODE.format(arguments=[command], heavy=readers)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "LOADED"
