"""The house style that a machine can check."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tearsheet

SOURCE = Path(tearsheet.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 400, 46
#: The one loop that a rebuild of a million fills spends its time in.
LONG_ON_PURPOSE = {"book_all": 70}
#: The outermost command function, and the call of other people's hooks.
BROAD_ON_PURPOSE = {("cli/__init__.py", "main"), ("app/alerts/evaluator.py", "_publish")}
BANNED = (
    "util",
    "helper",
    "common",
    "misc",
    "manager",
    "service",
    "handler",
    "engine",
    "processor",
)


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in MODULES:
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text("utf-8"))


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield name, node


def test_modules_are_of_one_idea() -> None:
    lengths = {str(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: n for name, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_functions_are_short() -> None:
    lengths = sorted(
        node.end_lineno - node.lineno + 1 for _, node in functions() if node.end_lineno
    )
    assert lengths[len(lengths) // 2] <= 8
    assert lengths[int(len(lengths) * 0.9)] <= 25
    for name, node in functions():
        limit = LONG_ON_PURPOSE.get(node.name, LONGEST_FUNCTION)
        assert (node.end_lineno or 0) - node.lineno < limit, f"{name}: {node.name}"


@pytest.mark.parametrize("word", BANNED)
def test_no_name_that_could_stand_anywhere(word: str) -> None:
    names = [path.stem for path in MODULES]
    names += [
        node.name.lower()
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    assert [name for name in names if word in name] == []


def test_every_module_and_public_name_has_its_sentence() -> None:
    without = []
    for name, tree in trees():
        if not ast.get_docstring(tree):
            without.append(name)
        for node in tree.body:
            public = isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith(
                "_"
            )
            if public and not ast.get_docstring(node):  # type: ignore[arg-type]
                without.append(f"{name}: {node.name}")  # type: ignore[union-attr]
    assert without == []


def test_broad_excepts_stand_where_they_may() -> None:
    found = {
        (name, function.name)
        for name, function in functions()
        for node in ast.walk(function)
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
        )
        and not any(isinstance(step, ast.Raise) and step.exc is None for step in ast.walk(node))
    }
    assert found == BROAD_ON_PURPOSE


def test_no_type_checking_blocks() -> None:
    assert [name for name, tree in trees() if "TYPE_CHECKING" in ast.dump(tree)] == []


def test_the_core_has_no_floats_but_in_the_metric_table() -> None:
    allowed = {"performance/metric.py", "performance/summary.py"}
    for name, tree in trees():
        if name.startswith(("trade/", "performance/")) and name not in allowed:
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            assert "float" not in names, name
