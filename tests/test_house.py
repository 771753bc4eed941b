"""The house style that a machine can check."""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import tearsheet
from tearsheet.store.db.connection import SCHEMA_VERSION, migrations

SOURCE = Path(tearsheet.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
#: Measured in statements, so that no layout can meet or miss it.
MOST_IN_A_MODULE, MOST_IN_A_FUNCTION = 300, 40
#: So that a folder is read at a glance.
MOST_IN_A_FOLDER = 15
#: Tables whose columns a reader compares; everything else is laid out by the formatter.
MOST_FORMATTER_EXCEPTIONS = 30
#: The outermost command function, and the call of other people's hooks.
BROAD_ON_PURPOSE = {
    ("cli/__init__.py", "main"),
    ("app/alerts/evaluator.py", "_call_listener"),
    ("web/http/plain_answers.py", "below"),
    ("web/http/plain_answers.py", "answer"),
}
BANNED = ("util", "helper", "common", "misc", "manager", "service", "handler", "engine", "processor")


@cache
def trees() -> list[tuple[str, ast.Module]]:
    return [(path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text("utf-8"))) for path in MODULES]


@cache
def nodes() -> list[tuple[str, ast.AST]]:
    """The nodes of all modules, walked once."""
    return [(name, node) for name, tree in trees() for node in ast.walk(tree)]


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for name, node in nodes():
        if isinstance(node, ast.FunctionDef):
            yield name, node


@cache
def classes() -> list[str]:
    return [node.name for _, node in nodes() if isinstance(node, ast.ClassDef)]


def statements(node: ast.AST) -> int:
    """Count the statements below a node, without docstrings."""
    docstrings = (ast.Expr, ast.Constant)
    return sum(
        isinstance(one, ast.stmt)
        and not (isinstance(one, docstrings[0]) and isinstance(one.value, docstrings[1]))
        for one in ast.walk(node)
        if one is not node
    )


def test_modules_are_of_one_idea() -> None:
    sizes = {name: statements(tree) for name, tree in trees()}
    assert {name: size for name, size in sizes.items() if size > MOST_IN_A_MODULE} == {}


def test_functions_are_short() -> None:
    sizes = {f"{name}: {node.name}": statements(node) for name, node in functions()}
    assert {name: size for name, size in sizes.items() if size > MOST_IN_A_FUNCTION} == {}


def test_folders_are_small() -> None:
    sizes = Counter(name.rpartition("/")[0] for name, _ in trees() if not name.endswith("__init__.py"))
    assert {folder: size for folder, size in sizes.items() if size > MOST_IN_A_FOLDER} == {}


def test_every_room_has_an_exhaustive_import_contract() -> None:
    rooms = {".".join(path.parent.relative_to(SOURCE.parent).parts) for path in SOURCE.rglob("__init__.py")}
    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layered = [one for one in contracts if one["type"] == "layers" and one.get("exhaustive")]
    assert rooms - {room for one in layered for room in one["containers"]} == set()


def test_migrations_are_numbered_without_gap_or_double() -> None:
    numbers = [number for number, _ in migrations()]
    assert numbers == list(range(1, SCHEMA_VERSION + 1))


def test_layout_is_the_formatter_s() -> None:
    texts = [path.read_text("utf-8") for path in MODULES]
    assert sum(text.count("# fmt:") for text in texts) <= MOST_FORMATTER_EXCEPTIONS


@pytest.mark.parametrize("word", BANNED)
def test_no_name_that_could_stand_anywhere(word: str) -> None:
    names = [path.stem for path in MODULES] + list(map(str.lower, classes()))
    assert [name for name in names if word in name] == []


def test_class_names_are_unique() -> None:
    assert [name for name, times in Counter(classes()).items() if times > 1] == []


def test_every_module_and_public_name_has_its_sentence() -> None:
    without = []
    for name, tree in trees():
        if not ast.get_docstring(tree):
            without.append(name)
        for node in tree.body:
            public = isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
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
    names = {node.id for _, node in nodes() if isinstance(node, ast.Name)}
    assert "TYPE_CHECKING" not in names
    assert "TYPE_CHECKING" not in {node.attr for _, node in nodes() if isinstance(node, ast.Attribute)}


def test_the_core_has_no_floats_but_in_the_metric_table() -> None:
    allowed = {"performance/metric.py", "performance/summary.py"}
    for name, tree in trees():
        if name.startswith(("trade/", "performance/")) and name not in allowed:
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            assert "float" not in names, name


def test_each_migration_has_a_number_of_its_own() -> None:
    numbers = Counter(path.name[:4] for path in SOURCE.glob("store/db/schema/*.sql"))
    assert [number for number, files in numbers.items() if files > 1] == []
