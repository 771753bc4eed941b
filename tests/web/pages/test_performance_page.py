"""The performance page and the pictures of it: the numbers are those of the API, and parameters are checked."""

import html
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tearsheet.app.analysis.charts import Selection
from tearsheet.app.analysis.curves import Curves
from tests.support.api import Api, fill
from tests.support.place import NOON, Place, record


@pytest.fixture
def api(place: Place) -> Api:
    for ago in range(1, 50):
        at = NOON - timedelta(days=ago)
        if at.weekday() < 5:
            nets = [(ago * 37 + n * 91) % 400 - 190 for n in range(4)]
            place.log(
                at.date().isoformat(),
                *[
                    record(net=net, at=at + timedelta(minutes=n), order_id=f"{ago}-{n}")
                    for n, net in enumerate(nets)
                ],
            )
    return Api(place)


def found_in(text: str) -> dict[str, Any]:
    """What a pointer finds on a picture."""
    content = re.search(r'class="found">(.*?)</script>', text, re.DOTALL)
    assert content
    found: dict[str, Any] = json.loads(content[1])
    return found


def money(text: str) -> Decimal:
    return Decimal(text.replace("−", "-").replace("$", "").replace(",", "").replace("+", ""))


def test_by_day_each_point_says_what_the_api_says(api: Api) -> None:
    points = api.get("/api/performance/equity?window=all")["data"]
    found = found_in(api.ask("GET", "/charts/curve?window=all&width=900").text)
    assert found["names"] == ["Net P&L", "Total", "Below peak"]
    assert len(found["stops"]) == len(points)
    for (_, _, _, values, first, last), point in zip(found["stops"], points, strict=True):
        assert first == last == point["session"]
        net, total, below = map(money, values)
        assert (net, total, -below) == tuple(
            Decimal(str(point[name])) for name in ("net_pnl", "total", "deepest")
        )


def test_by_fill_the_points_of_a_zoom_are_those_of_the_whole(api: Api) -> None:
    whole = "/charts/curve?window=custom&start=2026-11-02&end=2026-11-20&width=3000"
    every = {stop[2]: stop[3] for stop in found_in(api.ask("GET", whole).text)["stops"]}
    answer = api.ask("GET", f"{whole}&zoom_start=2026-11-10&zoom_end=2026-11-12")
    zoomed = found_in(answer.text)["stops"]
    assert {stop[4] for stop in zoomed} == {"2026-11-10", "2026-11-11", "2026-11-12"}
    last = "trades" if not zoomed else zoomed[-1][2]
    assert zoomed[-1][3] == every[last]
    assert "deepest shown" in answer.text


def test_a_zoom_beyond_the_window_widens_it(api: Api) -> None:
    week = "/charts/curve?window=weekly&start=2026-11-16&strip=yes"
    answer = found_in(api.ask("GET", f"{week}&zoom_start=2026-10-12&zoom_end=2026-11-20").text)
    assert answer["stops"][0][4] == "2026-10-12"
    assert answer["strip"]["zoomed"] is True


def test_the_sharpe_ratio_of_few_days_is_no_tile(api: Api, place: Place) -> None:
    rich = Api(place, TEARSHEET_STARTING_BALANCE="25000")
    last = NOON - timedelta(days=1)
    week = f"/performance?window=custom&start={(last - timedelta(days=5)).date()}&end={last.date()}"
    for path, fifth in ((week, "Winning days"), ("/performance?window=all", "Sharpe ratio")):
        text = rich.ask("GET", path, Accept="text/html").text
        tiles = re.findall(r'class="term" aria-describedby="about-[a-z_]+">([^<]+)<', text)
        assert tiles[4] == fifth


def test_a_starting_balance_makes_it_equity_of_all_accounts_only(place: Place) -> None:
    api = Api(place, TEARSHEET_STARTING_BALANCE="25000")
    api.fills(fill(-60), fill(-50, "SELL", 130), fill(-40, account="B"), fill(-30, "SELL", 90, account="B"))
    found = found_in(api.ask("GET", "/charts/curve?window=all").text)
    assert found["names"][1] == "Equity"
    assert found["stops"][-1][3][1] == "$25,020.00"
    alone = found_in(api.ask("GET", "/charts/curve?window=all&account=B").text)
    assert (alone["names"][1], alone["stops"][-1][3][1]) == ("Total", "−$10.00")


def test_every_metric_is_on_the_page_with_what_it_rests_on(api: Api) -> None:
    metrics = api.get("/api/performance/summary?window=all")["data"]["metrics"]
    text = html.unescape(api.ask("GET", "/performance/metrics?window=all").text)
    for title in ("Return", "Risk", "Trades", "Costs and time"):
        assert f"<h3>{title}</h3>" in text
    shown = set(re.findall(r'id="metric-(\w+)"', text))
    # money beside trading is shown where there is any
    of_account = {"result", "income", "costs", "tax", "flows", "converted", "balance"}
    of_account |= {"total_return", "return_drawdown"}
    assert shown == set(metrics) - {"best_day_date", "worst_day_date", "streak_type"} - of_account
    assert f"{metrics['net_pnl']['n']} fills" in text
    assert "needs a starting balance" in text
    assert re.search(r"trades · 95%: [\d.]+\s?% to [\d.]+\s?%", text)
    assert re.search(r"trades · 95%: [+−]\$[\d.]+ to [+−]\$[\d.]+", text)


def test_the_page_has_months_and_worst_drawdowns_that_add_up(api: Api) -> None:
    summary = api.get("/api/performance/summary?window=all")["data"]
    text = html.unescape(api.ask("GET", "/performance?window=all").text)
    depth = summary["metrics"]["max_drawdown"]["value"]
    drawdowns = text[text.index("Worst drawdowns") :]
    assert f"−${depth:,.2f}" in drawdowns[: drawdowns.index("</table>")].split("</tr>")[1]
    months = api.get("/api/performance/calendar?window=all")["data"]["months"]
    for month in months:
        if month["trades"]:
            rounded = round(Decimal(str(month["net_pnl"])))
            assert f"${abs(rounded):,}" in text


def test_wrong_sizes_are_refused_and_an_empty_period_is_a_sentence(api: Api) -> None:
    assert api.ask("GET", "/charts/curve?width=5").status_code == 422
    assert api.ask("GET", "/charts/curve?height=99999").status_code == 422
    assert api.ask("GET", "/charts/rolling?target=2").status_code == 422
    kinds = "zoom_start=2026-11-02&zoom_end=2026-11-02T10:00:00Z"
    assert api.ask("GET", f"/charts/curve?{kinds}").status_code == 422
    for wrong in ("2026-11-02T10", "2026-11-02T25:00:00Z", "9999-11-02T10:00:00Z", "yesterday"):
        assert api.ask("GET", f"/charts/curve?zoom_start={wrong}").status_code == 422
    answer = api.ask("GET", "/charts/curve?window=monthly&start=2020-01-01")
    assert answer.status_code == 200
    assert "<svg" not in answer.text
    page = api.ask("GET", "/performance?window=monthly&start=2020-01-01").text
    assert "Go to the last trading day" in page


def test_names_in_pictures_are_text(place: Place) -> None:
    api = Api(place)
    hostile = "</SCRIPT><B>X"
    api.fills(fill(-60, symbol=hostile), fill(-50, "SELL", 130, symbol=hostile))
    text = api.ask("GET", "/charts/curve?window=daily&look=fills").text
    assert "<B>X" not in text
    assert any(hostile in stop[2] for stop in found_in(text)["stops"])


def test_a_period_without_data_yet_gives_way_to_the_last_one_with_data(place: Place) -> None:
    """On the first of a month the page is not empty: it shows the month of the last session."""
    place.log("2026-11-20", record(order_id="1", net="5"))
    place.now = datetime(2026, 12, 1, 12, tzinfo=UTC)
    page = Api(place).client.get("/performance").text
    assert "November 2026" in page
    assert "Nothing was traded" not in page
    stated = Api(place).client.get("/performance?window=monthly&start=2026-12-01").text
    assert "December 2026" in stated


def test_the_rolling_sharpe_of_twenty_days_is_that_of_a_period_of_those_days(api: Api) -> None:
    place = api.place
    with place.tracker(TEARSHEET_STARTING_BALANCE="25000") as tracker:
        tracker.get_summary("all")
        points = Curves(tracker).rolling_sharpe(Selection(tracker.window("all")), 20)
        last = points[-1][0]
        start = last - timedelta(days=27)
        period = tracker.get_summary("custom", start=start, end=last)
        assert period.metrics["sharpe"].n == 20
        # the balance before those days is that of the whole history
        assert float(points[-1][1]) == pytest.approx(period.value("sharpe"), rel=1e-12)
