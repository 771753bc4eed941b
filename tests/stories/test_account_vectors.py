"""Vectors of an account: fills and events with the trades, days and reasons that follow, by the command line.

Balances, results and returns are computed elsewhere: `days` have more keys than are compared here.
"""

import json
from pathlib import Path

import pytest

from tests.vectors import case, vector

DATA = Path(__file__).parent / "data"
VECTORS = [
    json.loads(line)
    for path in sorted(DATA.glob("*_vectors.jsonl"))
    for line in path.read_text().splitlines()
]


CASES = sorted((DATA / "cases").rglob("expected.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.parent.name)
def test_a_statement_closes_what_it_closed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    assert case(path, tmp_path) == []


@pytest.mark.parametrize("stated", VECTORS, ids=lambda stated: stated["id"])
def test_a_vector_comes_out(
    stated: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    path = tmp_path / "vector.json"
    path.write_text(json.dumps(stated))
    assert vector(path, tmp_path) == []
