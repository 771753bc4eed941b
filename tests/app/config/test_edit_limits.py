"""The limits form beside what a file states in other ways: presets, scales and quantities by root."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tearsheet.app.config.edit_limits import LimitsEditor

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FILE = """\
limits:
  accounts:
    A:
      preset: ftmo/2-step@2026-10     # the firm's
      max_open_quantity: {scale: [{from: 0, quantity: 2}, {from: 1500, quantity: 3}], weights: {MES: 0.1}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "targets.yaml"
    path.write_text(FILE)
    return path


def submitted(editor: LimitsEditor) -> dict[str, str]:
    """What the form sends when nothing is changed."""
    form = editor.form("A")
    return {
        **{f"{limit.name}.state": limit.state for limit in form.limits},
        **{field.name: field.value for limit in form.limits for field in limit.fields},
        **{field.name: field.value for field in form.options},
    }


def test_what_a_preset_fills_in_is_shown_and_stays(file: Path) -> None:
    editor = LimitsEditor(file)
    form = editor.form("A")
    assert form.preset == "ftmo/2-step@2026-10"
    daily = next(limit for limit in form.limits if limit.name == "daily_loss")
    assert (daily.state, daily.inherited.startswith("percent 5")) == ("default", True)
    edit = editor.edit("A", submitted(editor), "kim", NOW)
    assert (edit.file.text, edit.changes) == (FILE, ())


def test_a_rule_of_a_preset_is_taken_away_by_the_form(file: Path) -> None:
    editor = LimitsEditor(file)
    edit = editor.edit("A", {**submitted(editor), "daily_loss.state": "none"}, "kim", NOW)
    assert "daily_loss: null" in edit.file.text
    assert edit.new.for_account("A").get("daily_loss") is None
    assert edit.relaxed == ("A: daily_loss is gone",)


def test_a_scale_and_weights_are_written_as_pairs(file: Path) -> None:
    editor = LimitsEditor(file)
    values = submitted(editor)
    assert values["max_open_quantity.scale"] == "0: 2, 1500: 3"
    assert values["max_open_quantity.weights"] == "MES: 0.1"
    changed = {**values, "max_open_quantity.scale": "0: 2, 1500: 4"}
    edit = editor.edit("A", changed, "kim", NOW)
    limit = edit.new.for_account("A").get("max_open_quantity")
    assert limit is not None
    assert [step.quantity for step in limit.scale] == [2, 4]
