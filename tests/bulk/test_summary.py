"""Metrics of a lake are the digits of the ledger that was written into it."""

from pathlib import Path

import pytest

from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.bulk.rebuild import rebuild
from tearsheet.bulk.summary import BulkSummary, LakeSummaries
from tearsheet.errors import NotFoundError
from tearsheet.export.files import json_line
from tearsheet.performance.summary import PerformanceSummary, Scope
from tests.bulk.lakes import traded, written
from tests.support.place import Place

WINDOWS = ("all", "monthly", "yearly")


def numbers(summary: PerformanceSummary | BulkSummary) -> bytes:
    """What both say, as JSON."""
    return json_line([summary.metrics, summary.days])


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("terms", ["none", "of the ledger", "of accounts"])
def test_metrics_and_days_are_those_of_the_ledger(
    place: Place, tmp_path: Path, window: str, terms: str
) -> None:
    if terms == "of the ledger":
        place.env["TEARSHEET_STARTING_BALANCE"] = "25000"
    with traded(place) as tracker:
        if terms == "of accounts":
            stated = "".join(f"  A{n:03d}: {{starting_balance: {{USD: {n + 1}0000}}}}\n" for n in range(3))
            place.write("accounts.yaml", f"accounts:\n{stated}")
            AccountsEditor(tracker).set_file(place.folder / "accounts.yaml", "me")
        lake = written(tracker, tmp_path / "lake")
        rebuild(str(tmp_path / "lake"), processes=0, has_rows=False, has_total=True)
        start = None if window == "all" else tracker.ledger.tallies.first_session(None)
        summaries = LakeSummaries(lake, place.now, window, start)  # type: ignore[arg-type]
        found = {one.account: one for one in (*summaries.of_accounts(), *summaries.of_all())}
        assert found.keys() == {"A000", "A001", "A002", None}
        for account, one in found.items():
            own = tracker.get_summary(window, start=start, scope=Scope(account))  # type: ignore[arg-type]
            assert numbers(one) == numbers(own)
        assert found[None].metrics["balance"].value is not None or terms == "none"
        assert summaries.of_account("A001") == [found["A001"]]


def test_what_is_not_there_is_said(place: Place, tmp_path: Path) -> None:
    with traded(place) as tracker:
        lake = written(tracker, tmp_path / "lake")
        with pytest.raises(NotFoundError, match="has no books"):
            LakeSummaries(lake, place.now)
        rebuild(str(tmp_path / "lake"), processes=0, has_rows=False)
        summaries = LakeSummaries(lake, place.now)
        with pytest.raises(NotFoundError, match="no account 'A9'"):
            summaries.of_account("A9")
        with pytest.raises(NotFoundError, match="have no total"):
            summaries.of_all()
        assert LakeSummaries(lake, place.now, currency="EUR").of_account("A001") == []
