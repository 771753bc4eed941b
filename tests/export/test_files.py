"""Files that go out: named for ever, written whole, only when changed, and as the schema says."""

import json
import stat
from datetime import date, timedelta
from decimal import Decimal

import jsonschema
import pytest
from msgspec.structs import replace

from tearsheet.errors import InputError
from tearsheet.export.files import export_summary, file_name, json_bytes, json_line, render_markdown, schema
from tearsheet.performance.metric import METRICS, MetricValue, Unit
from tearsheet.performance.summary import PARTIAL_CODES, PerformanceSummary, Scope
from tearsheet.rules import evaluate_rules, target_rules
from tearsheet.trade.session import WindowKind
from tearsheet.words import format_metric
from tests.support.exports import validate_exports
from tests.support.place import TOP, Place, record

TODAY = "2026-11-20"


def summary(place: Place, kind: WindowKind = "daily", **more: object) -> PerformanceSummary:
    if not (place.folder / "logs").exists():
        place.log(TODAY, record(order_id="1", net="1234567.891"), record(order_id="2", net="-0.0000001"))
    with place.tracker() as tracker:
        return tracker.get_summary(kind, **more)  # type: ignore[arg-type]


def valid(content: object, name: str = "performance-summary") -> None:
    jsonschema.validate(
        content, schema(name), cls=jsonschema.Draft202012Validator, format_checker=jsonschema.FormatChecker()
    )


def test_the_schemas_are_schemas_and_know_every_metric() -> None:
    for name in ("performance-summary", "performance-alert", "tie-out"):
        jsonschema.Draft202012Validator.check_schema(schema(name))
    properties = schema("performance-summary")["properties"]
    assert set(properties["metrics"]["properties"]) == set(METRICS)
    assert properties["partial_reasons"]["items"]["properties"]["code"]["enum"] == list(PARTIAL_CODES)


@pytest.mark.parametrize("kind", ["daily", "weekly", "monthly", "quarterly", "yearly", "all"])
def test_every_summary_is_as_the_schema_says(place: Place, kind: WindowKind) -> None:
    valid(json.loads(json_bytes(summary(place, kind))))


def test_empty_partial_scoped_and_rolling_summaries_too(place: Place) -> None:
    place.log(TODAY, "broken", record(order_id="1", net="5", account_id="A|<b>"))
    for more in ({"start": date(2020, 1, 1)}, {"scope": Scope(symbol="AAPL")}, {"rolling": 5}, {}):
        found = summary(place, **more)
        valid(json.loads(json_bytes(found)))
        assert render_markdown(found, []).count("\n## ") == 3


def test_numbers_bear_every_digit_and_no_exponent(place: Place) -> None:
    text = json_bytes(summary(place)).decode()
    assert '"value": 1234567.8909999' in text
    assert json_line(
        {"a": Decimal("1E-7"), "b": [Decimal("100.00"), Decimal("1E+3")], "c": Decimal("-0.0")}
    ) == (b'{"a":0.0000001,"b":[100,1000],"c":0}')
    assert json_line(Decimal("12345678901234567890.123456789012")) == b"12345678901234567890.123456789012"


def test_an_export_is_two_files_and_the_second_time_none(place: Place) -> None:
    folder = place.folder / "out"
    found = summary(place)
    first = export_summary(found, [], folder)
    assert [(f.path.name, f.changed) for f in first] == [
        ("daily-summary-2026-11-20.json", True),
        ("daily-summary-2026-11-20.md", True),
    ]
    content = json.loads(first[0].path.read_text())
    valid(content)
    assert content["alerts"] == []
    before = [file.path.stat().st_mtime_ns for file in first]
    place.now += timedelta(hours=2)
    later = summary(place)
    assert later.freshness != found.freshness
    assert not any(file.changed for file in export_summary(later, [], folder))
    assert [file.path.stat().st_mtime_ns for file in first] == before
    place.log(TODAY, record(order_id="3", net="1"), mode="a")
    assert all(file.changed for file in export_summary(summary(place), [], folder))
    assert sorted(path.name for path in folder.iterdir()) == [file.path.name for file in first]
    assert stat.S_IMODE(first[0].path.stat().st_mode) == 0o644


def test_a_missing_or_broken_file_is_written_again(place: Place) -> None:
    folder = place.folder / "out"
    found = summary(place)
    json_file, page = export_summary(found, [], folder)
    whole = {file.path: file.path.read_bytes() for file in (json_file, page)}
    page.path.unlink()
    assert any(f.changed for f in export_summary(found, [], folder))
    for broken in ("{", "[]"):
        json_file.path.write_text(broken)
        assert any(f.changed for f in export_summary(found, [], folder))
    assert {path: path.read_bytes() for path in whole} == whole


@pytest.mark.parametrize("account", ["../../etc/passwd", "a/b", "..", "a\nb", "ä", "x" * 200, "con|trol"])
def test_a_name_never_leaves_the_folder(place: Place, account: str) -> None:
    place.log(TODAY, record(account_id=account))
    found = summary(place, scope=Scope(account=account))
    folder = place.folder / "out"
    for file in export_summary(found, [], folder):
        assert file.path.resolve().parent == folder.resolve()
        assert file.path.exists()


def test_names_that_look_alike_are_told_apart(place: Place) -> None:
    place.log(TODAY, record(order_id="1", account_id="a/b"), record(order_id="2", account_id="a-b"))
    names = {file_name(summary(place, scope=Scope(account=account))) for account in ("a/b", "a-b", None)}
    assert len(names) == 3
    assert file_name(summary(place, rolling=5)) == "rolling-5-summary"
    assert file_name(summary(place, "all")) == "all-summary"
    custom = summary(place, start=date(2026, 11, 2), end=date(2026, 11, 5))
    assert file_name(custom) == "custom-summary-2026-11-02-to-2026-11-05"


def test_a_folder_that_cannot_be_written_is_said(place: Place) -> None:
    blocked = place.write("blocked", "a file")
    with pytest.raises(InputError, match="cannot be written"):
        export_summary(summary(place), [], blocked / "out")


def test_a_full_disk_leaves_the_old_file_and_no_rubbish(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place.folder / "out"
    export_summary(summary(place), [], folder)
    old = sorted((p.name, p.read_bytes()) for p in folder.iterdir())

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    place.log(TODAY, record(order_id="9", net="1"), mode="a")
    found = summary(place)
    monkeypatch.setattr("tearsheet.shared_files.os.fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        export_summary(found, [], folder)
    assert sorted((p.name, p.read_bytes()) for p in folder.iterdir()) == old


def test_the_page_reads_well(place: Place) -> None:
    place.targets(win_rate_target=60)
    place.log(
        TODAY, *(record(order_id=str(n), net="-1.5", symbol="A|B<script>", account_id="A*") for n in range(5))
    )
    with place.tracker() as tracker:
        found = tracker.get_summary("daily", scope=Scope(symbol="A|B<script>"))
        run = tracker.check(found, tracker.targets())
        found = replace(
            found, targets=tuple(f.variance for f in evaluate_rules(found, target_rules(tracker.targets())))
        )
    page = render_markdown(found, run.open)
    assert page.startswith("# Daily performance: 2026-11-20\n\n## Overview\n")
    assert "| Result | **-7.50 USD** net in 5 trades, 0.0% won |" in page
    assert "| Win rate | 0.0% | 60.0% | **missed** |" in page
    assert "| Profit factor | 0.00 | 5 |  |" in page
    assert "| Average win | — | 0 | no winning trades |" in page
    assert "A\\|B&lt;script&gt;" in page
    assert "<script>" not in page
    assert page.count("win\\_rate 0.0000 is below 0.60") == 2


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("money", Decimal("1234567.895"), "1,234,567.90"),
        ("money", Decimal("-0.001"), "0.00"),
        ("money", -75.005, "-75.00"),
        ("percent", 0.4567, "45.7%"),
        ("ratio", 1.005, "1.00"),
        ("r", -0.5, "-0.50 R"),
        ("count", 12345, "12,345"),
        ("quantity", Decimal("1000.50"), "1,000.5"),
        ("seconds", 59.4, "0m 59s"),
        ("seconds", 3725.0, "1h 02m"),
        ("seconds", 180_000.0, "2d 02h"),
        ("streak", 3, "3"),
        ("day", "2026-11-20", "2026-11-20"),
    ],
)
def test_values_in_words(unit: Unit, value: object, text: str) -> None:
    metric = next(m for m in METRICS.values() if m.unit == unit)
    assert format_metric(metric, MetricValue(value, 1)) == text  # type: ignore[arg-type]


def test_what_is_undefined_is_a_dash() -> None:
    assert format_metric(METRICS["win_rate"], MetricValue(None, 0, "no closed trades")) == "—"


def test_the_schema_of_summaries_refers_to_that_of_alerts() -> None:
    """Kind of fault: two copies of one contract, of which one is out of date."""
    summary, alert = schema("performance-summary"), schema("performance-alert")
    assert summary["properties"]["alerts"]["items"] == {"$ref": alert["$id"]}
    assert summary["$defs"]["alert"] == alert  # bundled, so that a validator needs no other file


def test_the_shipped_example_is_as_the_schema_says() -> None:
    validate_exports(TOP / "examples")
