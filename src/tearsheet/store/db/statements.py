"""The ledger's statements, read once from `queries.sql`: `-- name: x`, then one statement."""

from functools import cache
from pathlib import Path


@cache
def load_statements() -> dict[str, str]:
    """Return every statement by its name."""
    text = (Path(__file__).parent / "queries.sql").read_text("utf-8")
    blocks = text.split("-- name: ")[1:]
    named = (block.partition("\n") for block in blocks)
    return {name.strip(): statement.strip() for name, _, statement in named}
