"""Rows have names: the row classes have the columns of the tables, and of every statement they are read from."""

import ast
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tearsheet
from tearsheet.store.db.connection import load_statements
from tearsheet.store.tables import columns
from tearsheet.store.tables.columns import Row
from tearsheet.store.tables.ledger import Ledger
from tearsheet.store.tables.queries import insert_statement
from tearsheet.store.tables.rows import (
    booking_from_row,
    booking_to_row,
    fill_from_row,
    fill_to_row,
    position_from_row,
    positions_to_rows,
)
from tearsheet.trade.fill import Fill, Side
from tearsheet.trade.position import Booking, Position
from tests.support.place import NOON

SOURCE = Path(tearsheet.__file__).parent
#: Read and written by key and value alone.
WITHOUT_CLASS = {"meta"}
READERS = {"rows": 1, "row": 1, "stream": 1, "rows_each": 1}
TABLES: dict[str, type[Row]] = {
    kind.TABLE: kind
    for path in (SOURCE / "store" / "tables").glob("*.py")
    for kind in vars(import_module(f"tearsheet.store.tables.{path.stem}")).values()
    if isinstance(kind, type) and issubclass(kind, Row) and vars(kind).get("TABLE")
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """An empty ledger of the newest schema."""
    path = tmp_path_factory.mktemp("columns") / "ledger.db"
    with closing(Ledger(path)):
        pass
    with closing(sqlite3.connect(path)) as raw:
        yield raw


def test_row_classes_have_the_columns_of_their_tables(database: sqlite3.Connection) -> None:
    names = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert names == TABLES.keys() | WITHOUT_CLASS
    for table, kind in TABLES.items():
        found = list(database.execute(f"PRAGMA table_info({table})"))
        assigned = {name for _, name, declared, *_ in found if (name, declared) == ("id", "INTEGER")}
        expected = [name for _, name, *_ in found if name in kind.__struct_fields__ or name not in assigned]
        assert list(kind.__struct_fields__) == expected, table


def test_inserts_name_the_columns_of_the_row_class() -> None:
    for name, statement in load_statements().items():
        if match := re.match(r"INSERT INTO (\w+) \(([^)]*)\)", statement):
            table, named = match.groups()
            if table not in WITHOUT_CLASS:
                found = tuple(re.findall(r"\w+", named))
                assert found == TABLES[table].__struct_fields__, name


def test_statements_return_the_columns_of_the_class_they_are_read_as(database: sqlite3.Connection) -> None:
    assert len(reads()) > 50
    for where, kind, name in reads():
        sql = load_statements()[name]
        marks = set(re.findall(r"\?\d+", sql)) or re.findall(r"\?", sql)
        description = database.execute(sql, [0] * len(marks)).description
        assert tuple(column for column, *_ in description) == kind.__struct_fields__, (where, name)


def test_every_statement_of_several_columns_is_read_as_a_class(database: sqlite3.Connection) -> None:
    read = {name for _, _, name in reads()}
    for name, sql in load_statements().items():
        if sql.startswith(("SELECT", "WITH")) and name not in read:
            marks = set(re.findall(r"\?\d+", sql)) or re.findall(r"\?", sql)
            assert len(database.execute(sql, [0] * len(marks)).description) == 1, name


def test_no_caller_reads_rows_from_the_connection() -> None:
    """Rows come from `Queries`, as objects that have no positions."""
    for path, tree in modules():
        if path.startswith(("store/db/", "sources/files/")):
            continue
        used = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in ("fetchone", "fetchall", "fetchmany"), path
                on = node.func.value
                is_raw = isinstance(on, ast.Attribute) and on.attr == "connection"
                if is_raw and node.func.attr == "execute" and path != "store/tables/queries.py":
                    assert id(node) in used, path


@cache
def modules() -> list[tuple[str, ast.Module]]:
    texts = {path: path.read_text("utf-8") for path in sorted(SOURCE.rglob("*.py"))}
    return [
        (path.relative_to(SOURCE).as_posix(), ast.parse(text))
        for path, text in texts.items()
        if "queries" in text or "connection" in text
    ]


@cache
def reads() -> list[tuple[str, type[Row], str]]:
    """Return module, row class and statement of every read in the package."""
    return list(find_reads())


def find_reads() -> Iterator[tuple[str, type[Row], str]]:
    for path, tree in modules():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            for call in ast.walk(function):
                if (
                    isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Attribute)
                    and call.func.attr in READERS
                    and len(call.args) >= 2
                    and isinstance(call.args[0], ast.Name)
                    and (kind := row_class(path, call.args[0].id)) is not None
                ):
                    names = list(statement_names(call.args[1], function))
                    assert names, (path, ast.unparse(call))
                    yield from ((path, kind, name) for name in names)


def row_class(path: str, name: str) -> type[Row] | None:
    if name == "kind":  # the generic methods of `Queries`
        return None
    module = import_module(f"tearsheet.{path.removesuffix('.py').replace('/', '.')}")
    kind = getattr(module, name, None)
    return kind if isinstance(kind, type) and issubclass(kind, Row) else None


def statement_names(node: ast.expr, function: ast.FunctionDef) -> Iterator[str]:
    """Yield the names that an expression can have, through one assignment in its function."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.IfExp):
        yield from statement_names(node.body, function)
        yield from statement_names(node.orelse, function)
    elif isinstance(node, ast.JoinedStr):
        pattern = "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else "(all|account|fills|cash)"
            for part in node.values
        )
        yield from (name for name in load_statements() if re.fullmatch(pattern, name))
    elif isinstance(node, ast.Name):
        for assign in ast.walk(function):
            targets = assign.targets if isinstance(assign, ast.Assign) else []
            if any(isinstance(target, ast.Name) and target.id == node.id for target in targets):
                yield from statement_names(assign.value, function)  # type: ignore[attr-defined]


amounts = st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=1, max_value=10**9)
texts = st.text(min_size=1, max_size=5)
numbers = st.integers(0, 10**6)
instants = numbers.map(lambda seconds: NOON - timedelta(seconds=seconds))
modes = st.sampled_from(["PAPER", "LIVE"])
fills = st.builds(
    Fill, account=texts, symbol=texts, time=instants, side=st.sampled_from(Side), quantity=amounts,
    price=amounts, commission=amounts, multiplier=amounts, currency=texts, key=texts, rank=numbers,
    fill_id=texts, order_id=texts, strategy=texts, stop_loss=amounts, target=amounts, mode=modes,
)  # fmt: skip
bookings = st.builds(
    Booking, position_id=texts, account=texts, symbol=texts, currency=texts, time=instants, rank=numbers,
    fill_key=texts, part=numbers, quantity=amounts, price=amounts, gross=amounts, fees=amounts, closes=st.booleans(),
    carry=amounts, event=texts,
)  # fmt: skip
positions = st.builds(
    Position, id=texts, account=texts, symbol=texts, currency=texts, multiplier=amounts,
    side=st.sampled_from(Side), opened_at=instants, closed_at=st.none(), last_at=instants, last_rank=numbers,
    last_key=texts, quantity=amounts, peak_quantity=amounts, open_quantity=amounts, entry_value=amounts,
    exit_value=amounts, cost=amounts, gross=amounts, fees=amounts, fills=numbers, strategy=texts,
    stop_loss=amounts, target=amounts, planned_risk_reward=amounts, mode=modes,
    held=numbers.map(lambda seconds: timedelta(seconds=seconds)), carry=amounts, position_side=texts,
)  # fmt: skip


@given(fills)
def test_a_fill_is_the_same_after_its_row(fill: Fill) -> None:
    row = fill_to_row(7, fill, 8)
    assert fill_from_row(row) == fill
    assert (row.id, row.record_id) == (7, 8)
    assert_same_names(row, fill)


@given(bookings)
def test_a_booking_is_the_same_after_its_row(booking: Booking) -> None:
    row = booking_to_row(booking)
    assert booking_from_row(row) == booking
    assert_same_names(row, booking)


@given(positions)
def test_a_position_is_the_same_after_its_row(position: Position) -> None:
    (row,) = positions_to_rows([position], logged=True)
    assert position_from_row(row) == position
    assert row.logged == 1
    assert_same_names(row, position)


def assert_same_names(row: Row, value: Any) -> None:
    """What has the same name is the same value, so that no two columns are exchanged both ways."""
    for name in set(row.__struct_fields__) & set(value.__struct_fields__):
        stored, given = getattr(row, name), getattr(value, name)
        plain = given.value if isinstance(given, Side) else given
        stored = bool(stored) if isinstance(given, bool) else stored
        if isinstance(plain, Decimal) and not plain and stored is None:
            continue  # nothing is stored as NULL
        assert stored == plain or Decimal(stored) == plain, name


def test_plain_inserts_come_from_the_row_class() -> None:
    assert (
        insert_statement(columns.MarkRow)
        == 'INSERT INTO mark ("symbol", "price", "time_us") VALUES (?, ?, ?)'
    )
