"""The guard's state file: its keys are fixed, also where the attributes have other names."""

import json
from contextlib import closing
from pathlib import Path

from tearsheet.guard.state import Action, GuardState, StateFile

CONTENT = {
    "schema": "tearsheet.guard/1",
    "account": "A",
    "sequence": 7,
    "as_of": "2026-11-20T15:00:00+00:00",
    "trouble_since": "2026-11-20T15:00:05+00:00",
    "flat_since": None,
    "acts": {
        "b1": {
            "cause": "breach",
            "standing": "done",
            "about": {"TEARSHEET_VERDICT_KEY": "b1"},
            "attempts": 2,
            "last_at": "2026-11-20T14:59:00+00:00",
            "exit_code": 0,
        }
    },
}


def test_a_kept_state_file_is_read_and_written_with_its_keys(tmp_path: Path) -> None:
    file = tmp_path / "A.json"
    file.write_text(json.dumps(CONTENT))
    with closing(StateFile(file, "A")) as state_file:
        action = Action("breach", "done", {"TEARSHEET_VERDICT_KEY": "b1"}, 2, "2026-11-20T14:59:00+00:00", 0)
        assert state_file.state == GuardState(
            "A", 7, "2026-11-20T15:00:00+00:00", "2026-11-20T15:00:05+00:00", None, {"b1": action}
        )
        state_file.save()
    written = json.loads(file.read_text())
    assert written == CONTENT
    assert list(written) == list(CONTENT)
