"""A small sample of each format, and what is read of it: fills, rejections and rows passed over.

`samples/<layout>.<kind>` stands beside `samples/<layout>.<kind>.expected`, which was checked by hand.
"""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.layouts.catalogue import layouts
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import Statement, open_statement
from tearsheet.trade.amount import to_plain_string
from tearsheet.trade.event import Event
from tearsheet.trade.fill import REJECTION_CODES, Fill
from tests.support.place import SAMPLES, TOP

FILES = sorted(file for file in SAMPLES.iterdir() if file.suffix not in (".expected", ".yaml"))
INSTRUMENTS = load_instruments(SAMPLES / "instruments.yaml", "USD")
#: What the user has to state of files that do not.
STATED: dict[str, dict[str, Any]] = {
    "das_trader": {"day": date(2026, 3, 2)},
    "saxo_trades": {"currency": "USD"},
    "xtb_cash_operations": {"currency": "EUR"},
}
NEW_YORK = ZoneInfo("America/New_York")
#: Formats that are made in other tests, for their samples are no text.
MADE_ELSEWHERE = {"generic_fills", "ninjatrader_executions"}


def opened(file: Path, **options: Any) -> Statement:
    options = {"timezone": NEW_YORK, "account": None, **options}
    return open_statement(file, INSTRUMENTS, StatementOptions(**options))


def told(statement: Statement) -> list[str]:
    """Everything that is read of a statement, a line each."""
    lines = []
    for row in statement.rows():
        if not isinstance(row, Fill):
            assert row.code in REJECTION_CODES
            assert row.hint
            lines.append(f"! line {row.line}: {row.code}: {row.reason}")
            continue
        if isinstance(row, Event):
            money = "" if row.amount is None else f" {to_plain_string(row.amount)} {row.currency}"
            terms = {name: value for name, value in structs.asdict(row.terms).items() if value is not None}
            said = [f"{to_plain_string(row.quantity)} of them"] if row.quantity else []
            said += [f"{name} {_shown(value)}" for name, value in terms.items()]
            said += [row.position_side] if row.position_side else []
            place = f"{row.account} {row.symbol or '-'} {row.time.isoformat()} {row.kind}{money}"
            lines.append(f"* {place} id {row.fill_id or '-'}" + "".join(f", {one}" for one in said))
            continue
        money = f"fee {to_plain_string(row.commission)} {row.currency} x{to_plain_string(row.multiplier)}"
        ids = f"id {row.fill_id or '-'} order {row.order_id or '-'}"
        lines.append(
            f"{row.account} {row.symbol} {row.time.isoformat()} {row.side.value} "
            f"{to_plain_string(row.quantity)} @ {to_plain_string(row.price)} {money} {ids}"
        )
    return [*lines, *(f"- {name}: {n}" for name, n in sorted(statement.skipped.items()))]


def _shown(value: Any) -> str:
    if isinstance(value, Decimal):
        return to_plain_string(value)
    return ":".join(map(to_plain_string, value)) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_sample_is_read_as_expected(file: Path) -> None:
    statement = opened(file, account="MINE", **STATED.get(file.name.partition(".")[0], {}))
    assert statement.layout == file.name.partition(".")[0]
    expected = file.with_name(f"{file.name}.expected").read_text("utf-8")
    assert told(statement) == expected.splitlines()


def test_every_layout_has_a_sample_or_refuses_to_read() -> None:
    sampled = {file.name.partition(".")[0] for file in FILES}
    read = {name for name, layout in layouts().items() if not layout.refused}
    assert read - sampled == MADE_ELSEWHERE
    assert sampled <= read


def test_every_format_has_its_row_in_the_documentation() -> None:
    page = (TOP / "docs" / "data-formats.md").read_text("utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert named == {*layouts(), "generic_fills_jsonl", "trade_log"}
