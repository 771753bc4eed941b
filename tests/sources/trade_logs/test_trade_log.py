"""Lines of a trade log that cannot be decoded: the code and the field that a rejection names."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tearsheet.sources.trade_logs.trade_log import read_chunk
from tearsheet.trade.fill import REJECTION_CODES, Rejection

RECORD = {
    "timestamp": "2026-11-20T10:00:00Z",
    "symbol": "ESZ26",
    "action": "BUY",
    "quantity": 2,
    "price": "6000.25",
    "order_id": "o-1",
    "outcome": "win",
    "net_profit_loss": 12.5,
}


def rejection(line: str | bytes) -> Rejection:
    data = (line if isinstance(line, bytes) else line.encode()) + b"\n"
    chunk = read_chunk(data, file="2026-11-20.jsonl", day=None, first_line=7, last=True)
    assert chunk.records == []
    (found,) = chunk.rejections
    assert found.line == 7
    assert found.code in REJECTION_CODES
    return found


def record(**changes: Any) -> str:
    return json.dumps({**RECORD, **changes})


@pytest.mark.parametrize(
    ("changes", "code", "reason", "hint"),
    [
        ({"quantity": "two"}, "bad_number", 'quantity is not valid, was "two"', "a decimal number"),
        ({"price": True}, "bad_number", "price is not valid, was true", "a decimal number"),
        ({"price": ""}, "bad_number", "price is empty", "a decimal number"),
        ({"timestamp": "2026-11-20T10:00:00"}, "bad_time", "timestamp has no time zone", "ISO 8601"),
        ({"timestamp": "yesterday"}, "bad_time", 'timestamp is not valid, was "yesterday"', "ISO 8601"),
        ({"exit_timestamp": "2026-11-20"}, "bad_time", "exit_timestamp is not valid", "ISO 8601"),
        ({"action": "HOLD"}, "bad_side", 'action is not valid, was "HOLD"', "BUY or SELL"),
        ({"outcome": "won"}, "bad_value", 'outcome is not valid, was "won"', "win, loss, breakeven"),
        ({"execution_mode": "DEMO"}, "bad_value", "execution_mode is not valid", "PAPER, LIVE or null"),
        ({"symbol": 5}, "bad_value", "symbol is not valid, was 5", "`str`"),
        ({"symbol": None}, "bad_value", "symbol is not valid, was null", "`str`"),
    ],
)
def test_the_first_bad_field_is_named(changes: dict[str, Any], code: str, reason: str, hint: str) -> None:
    found = rejection(record(**changes))
    assert (found.code, found.reason[: len(reason)]) == (code, reason)
    assert hint in found.hint


@pytest.mark.parametrize("field", ["timestamp", "symbol", "action", "quantity", "price"])
def test_a_missing_field_is_named(field: str) -> None:
    found = rejection(json.dumps({name: value for name, value in RECORD.items() if name != field}))
    assert (found.code, found.reason) == ("missing_field", f"{field} is missing")


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ("[1]", "bad_json", "the line is no JSON object: Expected `object`, got `array`"),
        ("{", "bad_json", "the line is no JSON object: Input data was truncated"),
        ('{"symbol": 5, "x": }', "bad_json", "the line is no JSON object: JSON is malformed"),
        ('{"symbol": "\\ud800"}', "bad_json", "the line is no JSON object: Input data was truncated"),
        (b'{"symbol": "\xff"}', "bad_encoding", "the line is not valid UTF-8"),
        ('{"price": NaN}', "bad_number", "price is not a finite number, was NaN"),
        ('{"symbol": ' + "[" * 50_000 + "]" * 50_000 + "}", "bad_json", "the line is no JSON object"),
    ],
)
def test_a_line_that_is_no_json_object(line: str | bytes, code: str, reason: str) -> None:
    found = rejection(line)
    assert (found.code, found.reason[: len(reason)]) == (code, reason)


def test_brackets_without_end_at_the_end_of_a_file_are_rejected() -> None:
    data = b'{"x": ' + b"[" * 50_000 + b"}"
    chunk = read_chunk(data, file="2026-11-20.jsonl", day=None, first_line=1, last=True)
    assert [one.code for one in chunk.rejections] == ["bad_json"]
    assert chunk.used_bytes == len(data)


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([{}])


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*RECORD, "indicators_used", "other"]), values), st.integers(0, 400))
def test_any_line_is_a_record_or_a_rejection(changes: dict[str, Any], cut: int) -> None:
    line = json.dumps({**RECORD, **changes}).encode()
    data = line[:cut] + line[cut + 3 :] + b"\n" + line + b"\n"
    chunk = read_chunk(data, file="2026-11-20.jsonl", day=None, first_line=1, last=True)
    assert len(chunk.records) + len(chunk.rejections) == 2
    for one in chunk.rejections:
        assert one.code in REJECTION_CODES
        assert (one.text + one.reason + one.hint).encode()
    for logged in chunk.records:
        assert isinstance(logged.record.price, Decimal)


@pytest.mark.parametrize(
    "line",
    [
        record(**{"\udcff": 1}),  # in a key
        record(action="sell", **{"\udcff": 1}),  # beside a word in another case
        record().replace("o-1", "\udcff"),
    ],
)
@pytest.mark.parametrize("end", ["", "\n"])
def test_bytes_that_are_no_text_are_a_rejection_wherever_they_stand(line: str, end: str) -> None:
    """Kind: a part of a line that nothing needs is decoded later, and fails outside."""
    text = line.replace("\\udcff", "\udcff")
    data = (text + end).encode("utf-8", "surrogateescape")
    chunk = read_chunk(data, file="2026-11-20.jsonl", day=None, first_line=1, last=True)
    assert (chunk.records, [one.code for one in chunk.rejections]) == ([], ["bad_encoding"])
