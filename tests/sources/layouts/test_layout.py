"""Layouts are data, and a wrong one says what is wrong with it."""

import pytest

from tearsheet.errors import FormatError
from tearsheet.sources.layouts.catalogue import known_layouts, layouts
from tearsheet.sources.layouts.layout import parse_layout

GOOD = """
title = "Test"
names_zone = true
[columns]
symbol = ["S"]
time = ["T"]
side = ["D"]
quantity = ["Q"]
price = ["P"]
[sides]
buy = ["B"]
sell = ["S"]
"""


def test_a_layout_is_read() -> None:
    layout = parse_layout("test", GOOD)
    assert (layout.name, layout.needed) == ("test", ["S", "T", "D", "Q", "P"])
    assert layout.match_header(["p", "q", "D", "x", " t ", "S"]) == {
        "symbol": 5,
        "time": 4,
        "side": 2,
        "quantity": 1,
        "price": 0,
    }
    assert layout.side_words(1, 2) == {"b": 1, "s": 2}


@pytest.mark.parametrize(
    "rule",
    [
        'quantity = "signed"',
        "epoch = true",
        'carried = ["symbol"]',
        '[constants]\nasset_class = "crypto"',
        '[fees]\nper = "unit"',
        "[fees]\nin_kind = true",
        '[[rows]]\ncolumn = "K"',
        '[optional]\nclock = ["C"]',
    ],
)
def test_a_layout_with_one_rule_has_rules(rule: str) -> None:
    assert not parse_layout("test", GOOD).has_rules
    assert not layouts()["generic_fills"].has_rules
    changed = f"{GOOD}{rule}\n" if rule.startswith("[") else f"{rule}\n{GOOD}"
    assert parse_layout("test", changed).has_rules


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title", "title = ", "layout test.toml: Invalid value"),
        ("names_zone = true", "", "layout test.toml: Object missing required field `names_zone`"),
        ("names_zone = true", "names_zone = 1", "layout test.toml: Expected `bool`, got `int`"),
        ("price =", "prise =", "layout test.toml: field 'prise' is unknown"),
        ('price = ["P"]', "", "layout test.toml: no column is named for price"),
        ('price = ["P"]', "price = []", "layout test.toml: no column is named for price"),
        ('sell = ["S"]', 'sell = ["b"]', "layout test.toml: a word stands for buy and for sell"),
        ("[sides]", "[colour]\n[sides]", "layout test.toml: Object contains unknown field `colour`"),
    ],
)
def test_a_wrong_layout_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_layout("test", GOOD.replace(old, new, 1))
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_an_unused_side_may_be_empty_but_not_both() -> None:
    with pytest.raises(FormatError, match="a word stands for buy and for sell"):
        parse_layout("test", GOOD.replace('["B"]', "[]").replace('sell = ["S"]', "sell = []"))


def test_the_packaged_layouts() -> None:
    assert {"generic_fills", "ninjatrader_executions", "tradovate_fills"} <= set(layouts())
    assert set(known_layouts()) == {*layouts(), "generic_fills_jsonl"}
