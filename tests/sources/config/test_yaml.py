"""YAML is read as text, within bounds; equal keys and all that is no mapping are errors with their line."""

import time

import pytest

from tearsheet.errors import SettingsError
from tearsheet.sources.config.yaml import load_mapping, load_with_lines


def test_scalars_are_text_and_keys_have_lines() -> None:
    content, lines = load_with_lines("a: 0500\n\nb:\n  c: [1.10, yes, ~]\n  d: 2026-01-05\n", "x")
    assert content == {"a": "0500", "b": {"c": ["1.10", "yes", "~"], "d": "2026-01-05"}}
    assert lines == {("a",): 1, ("b",): 3, ("b", "c"): 4, ("b", "d"): 5}


def test_aliases_are_copies() -> None:
    content = load_mapping("a: &x {b: 1}\nc: *x\n", "x")
    content["a"]["b"] = "2"
    assert content["c"] == {"b": "1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "x:3: a stands twice"),
        ("a:\n  b: 1\n  b: 2\n", "x:3: b stands twice"),
        ("? [a]\n: 1\n", "x:1: keys must be text"),
        ("- 1\n", r"x holds \['1'\]"),
        ("a: [", "x:1 is no YAML"),
        ("a: 1\n---\nb: 2\n", "x:2 is no YAML"),
        ("a: *x\n", "x:1 is no YAML"),
        ("a: &a [*a]\n", "x is nested too deeply"),
        (f"a: {'[' * 3000}", "x is nested too deeply"),
        ("a: 1\n" * 300_000, "x is too large"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_mapping(text, "x")


def test_aliases_that_multiply_are_refused_at_once() -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    start = time.process_time()
    with pytest.raises(SettingsError, match="x is too large"):
        load_mapping(f"a0: &a0 [1]\n{levels}", "x")
    assert time.process_time() - start < 5
