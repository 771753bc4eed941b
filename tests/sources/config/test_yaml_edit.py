"""A YAML text is changed where its values stand; comments, order and all else stay."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.errors import SettingsError, UsageError
from tearsheet.sources.config.yaml import load_mapping
from tearsheet.sources.config.yaml_edit import edit_yaml
from tests.support.laws import examples

FILE = """\
# the desk
win_rate: 55   # percent

limits:            # see the manual
  # for all
  default:
    daily_loss: 500               # net
    max_drawdown:
      amount: 2500                # deep
      kind: trailing
    max_trades: {number: 20, warn_at: [75]}   # a day
  accounts:
    EVAL-50K:
      max_trades: null            # none
    "odd: name":
"""


@pytest.mark.parametrize(
    ("path", "value", "gone", "come"),
    [
        (("win_rate",), "60", "win_rate: 55 ", "win_rate: 60 "),
        (("limits", "default", "daily_loss"), "450.5", "daily_loss: 500  ", "daily_loss: 450.5  "),
        (
            ("limits", "default", "daily_loss"),
            {"amount": "1", "warn_at": ["50", "75"]},
            "daily_loss: 500  ",
            "daily_loss: {amount: 1, warn_at: [50, 75]}  ",
        ),
        (("limits", "default", "daily_loss"), None, "    daily_loss: 500               # net\n", ""),
        (("limits", "default", "max_drawdown", "kind"), None, "      kind: trailing\n", ""),
        (
            ("limits", "default", "max_drawdown", "lock_at"),
            "-5",
            "kind: trailing\n",
            "kind: trailing\n      lock_at: -5\n",
        ),
        (
            ("limits", "default", "max_drawdown"),
            None,
            "    max_drawdown:\n      amount: 2500                # deep\n      kind: trailing\n",
            "",
        ),
        (("limits", "default", "max_trades", "number"), "9", "{number: 20,", "{number: 9,"),
        (("limits", "default", "max_trades", "warn_at"), None, "{number: 20, warn_at: [75]}", "{number: 20}"),
        (
            ("limits", "default", "max_trades", "number"),
            None,
            "{number: 20, warn_at: [75]}",
            "{warn_at: [75]}",
        ),
        (
            ("limits", "default", "max_trades", "silence"),
            ["11:30-12:30"],
            "[75]}",
            "[75], silence: [11:30-12:30]}",
        ),
        (
            ("limits", "default", "stale_after"),
            "15m",
            "[75]}   # a day\n",
            "[75]}   # a day\n    stale_after: 15m\n",
        ),
        (("limits", "accounts", "EVAL-50K", "max_trades"), "3", "max_trades: null  ", "max_trades: 3  "),
        (
            ("limits", "accounts", "odd: name", "max_trades"),
            "3",
            '"odd: name":\n',
            '"odd: name":\n      max_trades: 3\n',
        ),
        (
            ("limits", "accounts", "=new", "daily_loss"),
            "7",
            '"odd: name":\n',
            '"odd: name":\n    "=new":\n      daily_loss: 7\n',
        ),
        (("daily_pl",), "-200", '"odd: name":\n', '"odd: name":\ndaily_pl: -200\n'),
        (("nothing", "here"), None, "win_rate", "win_rate"),
        (("win_rate",), "1 # x", "win_rate: 55 ", 'win_rate: "1 # x" '),
        (("win_rate",), "1\nlimits: {}", "win_rate: 55 ", 'win_rate: "1\\nlimits: {}" '),
    ],
)
def test_a_value_is_changed_where_it_stands(path: Any, value: Any, gone: str, come: str) -> None:
    assert FILE.count(gone) == 1
    assert edit_yaml(FILE, [(path, value)], "x") == FILE.replace(gone, come)


@pytest.mark.parametrize(
    ("text", "path", "come"),
    [
        ("", ("a", "b"), "a:\n  b: 1\n"),
        ("# only this", ("a",), "# only this\na: 1\n"),
        ("a:", ("a",), "a: 1"),
        ("a:\nc: 2\n", ("a", "b"), "a:\n  b: 1\nc: 2\n"),
        ("a: null   # none\nc: 2\n", ("a", "b"), "a:   # none\n  b: 1\nc: 2\n"),
        ("a: {}\n", ("a", "b", "c"), "a: {b: {c: 1}}\n"),
        ("a:\n    x: 1", ("a", "b"), "a:\n    x: 1\n    b: 1\n"),
        ("a: 5 # last", ("b",), "a: 5 # last\nb: 1\n"),
        ("{a: 2}", ("b",), "{a: 2, b: 1}"),
    ],
)
def test_a_key_is_put_where_it_belongs(text: str, path: Any, come: str) -> None:
    assert edit_yaml(text, [(path, "1")], "x") == come


def test_several_changes_follow_each_other() -> None:
    edits: Any = [(("a", "b"), "1"), (("a", "c"), ["2", "3"]), (("a", "b"), None), (("a", "d"), "x y")]
    text = edit_yaml("", edits, "x")
    assert load_mapping(text, "x") == {"a": {"c": ["2", "3"], "d": "x y"}}


BLOCKS = """\
limits:

    default:
        daily_loss:   # net
        - 1
        # about warnings
        warn_at:
        -   50     # early
        -   75     # late

        # how often
        max_trades: {number:  20,per: x}
        note:  'it''s'
    # all accounts
    accounts: {}
"""


@pytest.mark.parametrize(
    ("path", "value", "gone", "come"),
    [
        (("warn_at",), ["50", "90"], "        -   75     # late\n", "        - 90     # late\n"),
        (("warn_at",), ["50"], "        -   75     # late\n", ""),
        (
            ("warn_at",),
            ["50", "75", "90"],
            "        -   75     # late\n",
            "        -   75     # late\n        - 90\n",
        ),
        (
            ("warn_at",),
            "60",
            "        warn_at:\n        -   50     # early\n        -   75     # late\n",
            "        warn_at: 60\n",
        ),
        (("warn_at",), None, "        warn_at:\n        -   50     # early\n        -   75     # late\n", ""),
        (
            ("daily_loss",),
            {"amount": "5"},
            "        daily_loss:   # net\n        - 1\n",
            "        daily_loss: {amount: 5}   # net\n",
        ),
        (("note",), None, "        note:  'it''s'\n", ""),
        (("new",), "1", "        note:  'it''s'\n", "        note:  'it''s'\n        new: 1\n"),
        (
            ("max_trades", "number"),
            "9",
            "        max_trades: {number:  20,per: x}\n",
            "        max_trades: {number: 9, per: x}\n",
        ),
    ],
)
def test_lists_of_lines_are_changed_and_all_other_lines_stay(
    path: Any, value: Any, gone: str, come: str
) -> None:
    assert BLOCKS.count(gone) == 1
    assert edit_yaml(BLOCKS, [(("limits", "default", *path), value)], "x") == BLOCKS.replace(gone, come)


def test_comments_stay_in_place_between_several_changes() -> None:
    edits: Any = [
        (("limits", "default", "warn_at"), ["50", "80", "90"]),
        (("limits", "default", "max_trades"), "9"),
    ]
    want = BLOCKS.replace("        -   75     # late\n", "        - 80     # late\n        - 90\n")
    want = want.replace("max_trades: {number:  20,per: x}", "max_trades: 9")
    assert edit_yaml(BLOCKS, edits, "x") == want


@pytest.mark.parametrize(
    ("text", "come"),
    [
        ("a:\n  - 1\n  - 2\n", "a:\n  - 2\n  - 2\n"),
        ("a:\n- 1\n- 2 # two", "a:\n- 2\n- 2 # two"),
        ("a: [1, 2]   # both\n", "a: [2, 2]   # both\n"),
        ("\n\na:\n    - 1\n    - 2\n\n\n# end\n", "\n\na:\n    - 2\n    - 2\n\n\n# end\n"),
    ],
)
def test_an_item_of_a_list_is_changed_in_its_style(text: str, come: str) -> None:
    assert edit_yaml(text, [(("a",), ["2", "2"])], "x") == come


KEYS = st.sampled_from(["a", "b", "c", "d e"])
SCALARS = st.sampled_from(["1", "0500", "x: y", "'q'", "~", "", "#no", "17:00"])
VALUES: Any = st.recursive(
    SCALARS,
    lambda inner: st.lists(SCALARS, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def written(content: dict[str, Any], step: int, offset: int, depth: int = 0) -> list[str]:
    """Lines as somebody writes them: blocks, with a comment above and behind each key."""
    lines = []
    for number, (key, value) in enumerate(content.items()):
        indent, head = " " * step * depth, f"{json.dumps(key)}:"
        lines.append(f"{indent}# above {depth}.{number}")
        if isinstance(value, dict) and value:
            lines += [f"{indent}{head}  # behind", *written(value, step, offset, depth + 1)]
        elif isinstance(value, list) and value:
            lines += [f"{indent}{head}", *(f"{indent}{' ' * offset}-   {json.dumps(item)}" for item in value)]
        else:
            lines.append(f"{indent}{head}   {json.dumps(value)}    # behind")
    return lines


@examples(300)
@given(
    st.dictionaries(KEYS, VALUES, min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(0, 3),
    st.lists(KEYS, min_size=1, max_size=3),
    st.none() | SCALARS | st.lists(SCALARS, min_size=1, max_size=3),
)
def test_any_change_is_made_and_the_comments_stay(
    content: dict[str, Any], step: int, offset: int, path: list[str], value: Any
) -> None:
    text = "\n".join([*written(content, step, offset), "# end", ""])
    changed = edit_yaml(text, [(tuple(path), value)], "x")
    here: Any = load_mapping(changed, "x")
    for key in path:
        here = here.get(key) if isinstance(here, dict) else None
    assert (here or None) == (value or None) or (value is None and not here)
    untouched = [line for line in changed.splitlines() if "# above 0" in line]
    kept_keys = [key for key in content if key != path[0] or len(path) > 1 or value is not None]
    assert len(untouched) >= len(kept_keys)
    assert changed.endswith("# end\n") or "# end" in changed


@pytest.mark.parametrize(("text", "path"), [("a: &x {b: 1}\nc: *x\n", ("a", "b"))])
def test_what_is_written_too_artfully_is_left_alone(text: str, path: Any) -> None:
    with pytest.raises(UsageError, match=r"f\.yaml uses YAML/TOML syntax that this page cannot edit"):
        edit_yaml(text, [(path, "2")], "f.yaml")


def test_what_is_no_yaml_says_so() -> None:
    with pytest.raises(SettingsError, match="is no YAML"):
        edit_yaml("a: [", [(("a",), "1")], "f.yaml")
