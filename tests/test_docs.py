"""What the documentation names exists: modules, folders, tests."""

import re
from pathlib import Path

import pytest

from tests.support.place import TOP

PAGES = [*sorted((TOP / "docs").glob("*.md")), TOP / "CONTRIBUTING.md", TOP / "README.md"]
#: Where a path in backticks may begin.
ROOTS = [TOP / root for root in ("", "src/tearsheet", "tests")]
_MODULE = re.compile(r"`(?:src/tearsheet/)?([a-z_]+(?:/[a-z_0-9]+)*/[a-z_0-9]+\.(?:py|sql))\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_a_page_names_exist(page: Path) -> None:
    names = set(_MODULE.findall(page.read_text("utf-8")))
    assert [name for name in sorted(names) if not any((root / name).exists() for root in ROOTS)] == []


def test_the_table_of_changes_covers_common_ones() -> None:
    text = (TOP / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| (?!to change|---)[^|]+\| [^|]*`[^|]+\|$", text, re.M)
    assert len(rows) >= 20
