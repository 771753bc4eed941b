"""When a file counts as changed, and what a killed or hindered run leaves behind."""

import json
import os
import stat
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from tearsheet.errors import InputError
from tearsheet.export.files import export_summary, file_name, render_markdown
from tearsheet.performance.metric import MetricValue
from tearsheet.performance.summary import PerformanceSummary, Scope
from tests.support.place import Place, record

TODAY = "2026-11-20"


@pytest.fixture
def found(place: Place) -> PerformanceSummary:
    """A day with one trade."""
    place.log(TODAY, record(net="5"))
    with place.tracker() as tracker:
        return tracker.get_summary("daily")


def with_net(summary: PerformanceSummary, net: str) -> PerformanceSummary:
    """The summary with another net P&L."""
    return replace(summary, metrics=summary.metrics | {"net_pnl": MetricValue(Decimal(net), 1)})


def changed(summary: PerformanceSummary, folder: Path) -> list[bool]:
    return [file.changed for file in export_summary(summary, [], folder)]


def test_a_digit_that_no_float_can_tell_is_a_change(found: PerformanceSummary, tmp_path: Path) -> None:
    export_summary(with_net(found, "12345678901234567.01"), [], tmp_path)
    json_file, _ = export_summary(with_net(found, "12345678901234567.02"), [], tmp_path)
    assert json_file.changed
    assert '"value": 12345678901234567.02' in json_file.path.read_text()


def test_small_amounts_are_written_without_exponent(found: PerformanceSummary, tmp_path: Path) -> None:
    json_file, _ = export_summary(with_net(found, "1E-7"), [], tmp_path)
    assert '"value": 0.0000001,' in json_file.path.read_text()
    content = json.loads(json_file.path.read_text(), parse_float=Decimal)
    assert content["metrics"]["net_pnl"]["value"] == Decimal("1E-7")


def test_a_run_killed_between_its_two_files_is_made_good(found: PerformanceSummary, tmp_path: Path) -> None:
    _, page = export_summary(found, [], tmp_path)
    old = page.path.read_bytes()
    newer = with_net(found, "6")
    export_summary(newer, [], tmp_path)
    page.path.write_bytes(old)
    assert changed(newer, tmp_path) == [False, True]
    assert page.path.read_text() == render_markdown(newer, [])
    assert changed(newer, tmp_path) == [False, False]


def test_a_page_that_somebody_edited_is_written_again(found: PerformanceSummary, tmp_path: Path) -> None:
    _, page = export_summary(found, [], tmp_path)
    page.path.write_text(page.path.read_text().replace("5.00", "9.00"))
    assert changed(found, tmp_path) == [False, True]


def test_files_follow_the_umask(found: PerformanceSummary, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        files = export_summary(found, [], tmp_path / "private")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.path.stat().st_mode) for file in files} == {0o600}


def test_what_a_killed_run_left_is_swept_and_a_run_at_work_is_not(
    found: PerformanceSummary, tmp_path: Path
) -> None:
    abandoned, at_work, other = (
        tmp_path / name
        for name in (".daily-summary-2020-01-01.json.ab.tmp", ".all-summary.md.cd.tmp", ".my.tmp")
    )
    for path in (abandoned, at_work, other):
        path.write_text("half")
    for path in (abandoned, other):
        os.utime(path, (0, 0))
    export_summary(found, [], tmp_path)
    assert not abandoned.exists()
    assert at_work.exists()
    assert other.exists()


def test_a_folder_in_place_of_a_file_is_said(found: PerformanceSummary, tmp_path: Path) -> None:
    path = tmp_path / "daily-summary-2026-11-20.json"
    path.mkdir()
    with pytest.raises(InputError) as caught:
        export_summary(found, [], tmp_path)
    assert str(caught.value) == (
        f"{path} cannot be written: Is a directory\n"
        "  hint: check the folder, its permissions and the space on the disk"
    )
    assert list(tmp_path.glob(".*")) == []


def test_a_link_out_of_the_folder_is_replaced_not_followed(found: PerformanceSummary, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text("mine")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "daily-summary-2026-11-20.json").symlink_to(outside)
    export_summary(found, [], folder)
    assert outside.read_text() == "mine"


def test_scopes_that_spell_alike_have_names_of_their_own(found: PerformanceSummary) -> None:
    scopes = [
        Scope(),
        Scope(account="None"),
        Scope(strategy="None"),
        Scope(account="a-b"),
        Scope(account="a", strategy="b"),
        Scope(account="a/b"),
        Scope(account="A-B"),
        Scope(mode="PAPER"),
        Scope(symbol="PAPER"),
        Scope(account='a","b'),
        Scope(account="é"),
    ]
    names = {
        file_name(replace(found, scope=scope, currency=currency)).casefold()
        for scope in scopes
        for currency in ("USD", "EUR")
    }
    assert len(names) == 2 * len(scopes)


def test_control_and_markup_of_a_name_mean_nothing_on_the_page(found: PerformanceSummary) -> None:
    hostile = Scope(account="a|b\n# c\x1b[2J", symbol="<img src=x>[k](javascript:1)~~`\u202e")
    page = render_markdown(replace(found, scope=hostile), [])
    (line,) = [line for line in page.splitlines() if line.startswith("| Scope |")]
    assert line == (
        "| Scope | a\\|b \\# c\ufffd\\[2J · &lt;img src=x&gt;\\[k\\](javascript:1)\\~\\~\\`\ufffd |"
    )
