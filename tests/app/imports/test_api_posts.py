"""Fills and marks that requests bring: all or none, each once, in the order in which they arrive."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tearsheet.app.analysis.lists import Lists
from tearsheet.app.imports.api_posts import ApiWrites
from tearsheet.app.reports import WriteReport, WriteRequest
from tearsheet.errors import FormatError, InputError, UsageError
from tearsheet.performance.summary import Scope
from tearsheet.store.list_values import Page
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.session import Window
from tests.support.place import NOON, Place, as_rows

pytestmark = pytest.mark.both_databases

TODAY = Window.containing("daily", NOON.date())


def fill(number: int, side: str = "BUY", price: Any = 100, **more: Any) -> dict[str, Any]:
    at = NOON + timedelta(minutes=number)
    return {
        "account": "A",
        "symbol": "MSFT",
        "time": at.isoformat().replace("+00:00", "Z"),
        "side": side,
        "quantity": 1,
        "price": price,
        "fill_id": f"F{number}",
        **more,
    }


def request(content: Any, key: str | None = None) -> WriteRequest:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return WriteRequest(body, "POST /api/fills test", key)


def post(tracker: PerformanceTracker, *fills: dict[str, Any], key: str | None = None) -> WriteReport:
    return ApiWrites(tracker).fills(request(list(fills), key))


def test_api_body_fills_are_booked_at_once_and_once(place: Place) -> None:
    with place.tracker() as tracker:
        report = post(tracker, fill(1), fill(2, "SELL", "110.25"))
        assert (report.new, report.known, report.revision) == (2, 0, 1)
        assert tracker.get_summary(TODAY).value("net_pnl") == Decimal("10.25")
        stamp = tracker.state_id
        again = post(tracker, fill(1), fill(2, "SELL", "110.25"))
        assert (again.new, again.known, again.revision) == (0, 2, 1)
        assert tracker.state_id == stamp
        assert tracker.verify().matches


def test_one_bad_fill_keeps_the_whole_request_out(place: Place) -> None:
    with place.tracker() as tracker:
        report = post(tracker, fill(1), fill(2, quantity=0), fill(3, symbol="QQQX 12-26"), fill(4, prise=3))
        assert [(r.line, r.code) for r in report.rejections] == [
            (2, "bad_quantity"),
            (3, "unknown_instrument"),
            (4, "bad_value"),
        ]
        assert "prise" in report.rejections[2].reason
        assert (report.new, tracker.revision) == (0, 0)
        assert tracker.get_summary(TODAY).is_empty


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "the body is no JSON"),
        (b"[]", "holds no fills"),
        (b"[1]", "holds no fills"),
        (b"\xff", "not UTF-8"),
        (b'{"price": 1, "price": 2}', "stands twice"),
        (b'{"price": NaN}', "NaN is no JSON number"),
        (b"[" * 99999, "nested too deeply"),
    ],
)
def test_a_body_that_holds_no_fills_is_refused(place: Place, body: bytes, reason: str) -> None:
    with place.tracker() as tracker, pytest.raises((FormatError, InputError), match=reason):
        ApiWrites(tracker).fills(request(body))


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("price", 0.1 + 0.2, "bad_number"),
        ("price", "1e5", "bad_number"),
        ("price", True, "bad_number"),
        ("price", None, "missing_field"),
        ("quantity", "-1", "bad_quantity"),
        ("quantity", 10**18, "bad_quantity"),
        ("time", "2026-11-20T12:00:00", "bad_time"),
        ("time", "2026-02-29T12:00:00Z", "bad_time"),
        ("time", 5, "bad_time"),
        ("side", "short", "bad_side"),
        ("account", " A", "bad_value"),
        ("account", 7, "bad_value"),
        ("account", "", "bad_value"),
        ("account", "a\u2003", "bad_value"),
        ("account", "a\n", "bad_value"),
        ("account", "\ud800", "bad_value"),
        ("fill_id", "0", "bad_value"),
        ("fill_id", None, "missing_field"),
        ("currency", "usd", "bad_value"),
    ],
)
def test_every_field_is_checked(place: Place, field: str, value: Any, code: str) -> None:
    with place.tracker() as tracker:
        (rejection,) = post(tracker, fill(1, **{field: value})).rejections
        assert rejection.code == code
        assert rejection.reason.startswith(field)
        assert rejection.hint


def test_numbers_keep_their_digits(place: Place) -> None:
    with place.tracker() as tracker:
        body = json.dumps(fill(1, quantity="0.000000000000000001")).replace("100", "1234567.123456789012")
        assert ApiWrites(tracker).fills(request(body.encode())).new == 1
        (kept,) = Lists(tracker).fills(TODAY, Scope(), 5, None).items
        assert (kept.quantity, kept.price) == (Decimal("1E-18"), Decimal("1234567.123456789012"))


def test_an_execution_with_other_content_is_refused_and_changes_nothing(place: Place) -> None:
    with place.tracker() as tracker:
        post(tracker, fill(1))
        report = post(tracker, fill(2), fill(1, price=101))
        assert [(r.line, r.code) for r in report.rejections] == [(2, "conflicting_id")]
        assert tracker.revision == 1
        (twice,) = post(tracker, fill(3), fill(3)).rejections
        assert "twice" in twice.reason


def test_fills_of_one_instant_stand_in_the_order_of_their_arrival(place: Place) -> None:
    at = "2026-11-20T12:00:00Z"
    with place.tracker() as tracker:
        for name, side, price in (("z", "BUY", 1), ("a", "SELL", 2), ("m", "SELL", 5), ("b", "BUY", 3)):
            post(tracker, fill(1, side, price, time=at, fill_id=name))
        closed = tracker.closed_positions(TODAY)
        assert sorted((p.side.value, p.net) for p in closed) == [("BUY", Decimal(1)), ("SELL", Decimal(2))]
        assert tracker.verify().matches


def test_a_late_post_is_booked_like_a_post_in_time(place: Place) -> None:
    fills = [fill(n, "BUY" if n % 3 else "SELL", 100 + n) for n in range(1, 12)]
    with place.tracker() as tracker:
        post(tracker, *fills)
        rows = as_rows(tracker)
    other = Place(place.folder / "other", {})
    with other.tracker() as tracker:
        for one in reversed(fills):
            post(tracker, one)
        assert as_rows(tracker) == rows


def test_a_repeated_key_answers_as_before(place: Place) -> None:
    with place.tracker() as tracker:
        first = post(tracker, fill(1), key="k1")
        post(tracker, fill(2), key="k2")
        again = post(tracker, fill(1), key="k1")
        assert (again.new, again.revision, again.repeated) == (1, first.revision, True)
        with pytest.raises(UsageError, match="already used for a different request"):
            post(tracker, fill(3), key="k1")
        assert len(Lists(tracker).fills(TODAY, Scope(), 9, None).items) == 2
        place.now = NOON + timedelta(days=8)
        post(tracker, fill(4), key="k3")
        assert post(tracker, fill(5), key="k1").new == 1, "a key is forgotten after a week"


def mark(price: Any, minutes: int = 60, symbol: str = "MSFT") -> dict[str, Any]:
    at = (NOON + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    return {"symbol": symbol, "price": price, "time": at}


def test_unrealised_money_needs_marks(place: Place) -> None:
    with place.tracker() as tracker:
        assert tracker.get_summary(TODAY).unrealized_pnl == 0, "flat"
        post(
            tracker, fill(1), fill(2, price=104), fill(3, "SELL", 103), fill(4, "SELL", 7, symbol="ES 12-26")
        )

        def told() -> tuple[Decimal | None, str | None]:
            summary = tracker.get_summary(TODAY)
            return summary.unrealized_pnl, summary.unrealized_reason

        assert told() == (None, "no mark for ESZ26")
        assert ApiWrites(tracker).marks(request([mark("6.5", symbol="ESZ6"), mark(110, 0)])).new == 2
        assert told() == (None, "the mark of MSFT is older than its last fill")
        stamp = tracker.state_id
        assert ApiWrites(tracker).marks(request(mark(110))).new == 1
        assert told() == (Decimal(8) + 25, None)
        assert tracker.state_id != stamp
        assert ApiWrites(tracker).marks(request({"marks": [mark(1, 30), mark(110)]})).known == 2
        views = {view.symbol: view for view in Lists(tracker).open_positions(Scope())}
        assert (views["MSFT"].unrealized_pnl, views["ESZ26"].side) == (Decimal(8), "short")
        place.now = NOON + timedelta(days=1)
        assert told() == (None, "the window is past")
        assert tracker.get_summary("all").unrealized_pnl == 33


def test_a_bad_mark_keeps_all_out(place: Place) -> None:
    with place.tracker() as tracker:
        bad = [mark(1), mark("x"), {"symbol": "MSFT"}, mark(1, symbol="ES"), mark(1) | {"account": "A"}]
        report = ApiWrites(tracker).marks(request(bad))
        assert [(r.line, r.code) for r in report.rejections] == [
            (2, "bad_number"),
            (3, "missing_field"),
            (4, "ambiguous_instrument"),
            (5, "bad_value"),
        ]
        assert tracker.revision == 0
        assert (
            ApiWrites(tracker).marks(WriteRequest(json.dumps(mark(1)).encode(), "m", "k")).repeated is False
        )
        assert ApiWrites(tracker).marks(WriteRequest(json.dumps(mark(1)).encode(), "m", "k")).repeated is True


def test_pages_hold_every_row_once_in_order(place: Place) -> None:
    same = "2026-11-20T15:00:00Z"
    fills = [
        fill(n, "BUY" if n % 2 else "SELL", n, time=same if 5 < n < 15 else fill(n)["time"])
        for n in range(20)
    ]
    with place.tracker() as tracker:
        post(tracker, *fills)
        for lists, number in ((Lists(tracker).fills, 20), (Lists(tracker).closed_trades, 10)):
            for size in (1, 3, 7, 20):
                seen, after = [], None
                while True:
                    page: Page[Any] = lists(TODAY, Scope("A"), size, after)
                    seen += page.items
                    if (after := page.next) is None:
                        break
                    assert len(page.items) == size
                assert len({msg.fill_id if number == 20 else msg.id for msg in seen}) == number
                times = [one.time if number == 20 else one.closed_at for one in seen]
                assert times == sorted(times, reverse=True)
        assert not Lists(tracker).fills(TODAY, Scope(symbol="AAPL"), 5, None).items
        with pytest.raises(UsageError, match="rolling is not supported here"):
            Lists(tracker).closed_trades(Window.last(5, NOON.date()), Scope(), 5, None)
