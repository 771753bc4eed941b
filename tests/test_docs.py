"""What the documentation names exists: modules, folders, tests."""

import re
from pathlib import Path

import pytest

from tearsheet.app.imports.import_file import known_formats
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


_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")


def _anchors(page: Path) -> set[str]:
    """The places of a page that a link may name: its headings as GitHub writes them, and its anchors."""
    text = page.read_text("utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for path, anchor in _LINK.findall(page.read_text("utf-8")):
        if path.startswith(("http:", "https:", "mailto:")):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            lost.append(f"{path}#{anchor}")
    assert lost == []


def test_the_readme_counts_the_formats_that_are_read() -> None:
    read = [line.name for line in known_formats().values() if not line.refused and line.name != "trade_log"]
    assert f"It reads [{len(read)} formats]" in (TOP / "README.md").read_text("utf-8")


def test_every_page_is_listed() -> None:
    listed = {path for path, _ in _LINK.findall((TOP / "docs" / "README.md").read_text("utf-8"))}
    assert {page.name for page in (TOP / "docs").glob("*.md")} - listed == {"README.md"}
