"""The example of docs/currencies.md does what the page says."""

import re

from tests.cli.test_cli import Shell, shell
from tests.support.place import TOP

__all__ = ["shell"]

PAGE = (TOP / "docs/currencies.md").read_text()


def test_the_example_prints_what_the_page_shows(shell: Shell) -> None:
    for name, content in re.findall(r"^`(\S+)`\n\n```\w+\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE):
        shell.place.write(name, content)
    (example,) = re.findall(r"```console\n(\$ tearsheet import fills\.csv.*?)```", PAGE, re.DOTALL)
    for one in example.split("$ tearsheet ")[1:]:
        words, _, printed = one.partition("\n")
        assert shell(*words.split()) == 0, shell.err
        assert [line.rstrip() for line in shell.out.splitlines()] == [
            line.rstrip() for line in printed.splitlines()
        ]
    assert shell("summary", "--start", "2026-03-02", "--end", "2026-03-03", "--base", "USD") == 0
    for label, amount in (("Currency result", "15.195"), ("Balance", "11,114.146511627913")):
        assert re.search(rf"{label} +{re.escape(amount)}\n", shell.out)
        assert amount in PAGE
