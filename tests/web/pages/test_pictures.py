"""Charts as parts of pages: units of the curve."""

import json
import re
from collections.abc import Callable
from decimal import Decimal

from tests.support.api import Api, fill
from tests.support.place import Place

CURVE = "/charts/curve?window=all&width=700&height=300"


def found(api: Api, unit: str) -> dict[str, list[list[str]]]:
    response = api.ask("GET", f"{CURVE}&unit={unit}", Accept="text/html")
    assert response.status_code == 200, response.text
    data = re.search(r'class="found"[^>]*>(.*?)</script>', response.text, re.DOTALL)
    assert data is not None
    stops = json.loads(data.group(1))["stops"]
    return {"values": [stop[3] for stop in stops]}


def trade(api: Api, number: int, entry: str, exit: str, **more: str) -> None:
    api.fills(fill(number, price=entry, **more), fill(number + 1, "SELL", exit))


def test_a_curve_in_percent_is_of_the_balance_and_its_drawdown_of_its_peak(
    make_api: Callable[..., Api],
) -> None:
    api = make_api(TEARSHEET_STARTING_BALANCE="1000")
    trade(api, -30, "100", "350")
    trade(api, -20, "100", "75")
    values = found(api, "percent")["values"]
    assert ["+25.00%", "+25.00%", "0.00%"] in values
    # 25 of a peak of 1,250
    assert values[-1] == ["−2.50%", "+22.50%", "−2.00%"]
    assert found(api, "money")["values"][-1] == ["−$25.00", "$1,225.00", "−$25.00"]


def test_a_curve_in_r_adds_up_the_trades_with_a_stop(api: Api) -> None:
    trade(api, -30, "100", "120", stop_loss="90")
    trade(api, -20, "100", "95", stop_loss="90")
    trade(api, -10, "100", "500")
    assert found(api, "r")["values"] == [["+2.00 R", "+2.00 R", "0.00 R"], ["−0.50 R", "+1.50 R", "−0.50 R"]]


def test_a_unit_of_which_nothing_is_known_is_no_picture(api: Api) -> None:
    trade(api, -30, "100", "120")
    for unit in ("percent", "r"):
        text = api.ask("GET", f"{CURVE}&unit={unit}", Accept="text/html").text
        assert "<svg" not in text
        assert "empty" in text


def test_long_ranges_have_a_point_a_day_in_every_unit(make_api: Callable[..., Api], place: Place) -> None:
    api = make_api(TEARSHEET_STARTING_BALANCE="1000")
    day = 24 * 60
    for ago, exit in ((50, "110"), (40, "80"), (2, "130")):
        trade(api, -ago * day, "100", exit, stop_loss="90")
    totals = {unit: [values[1] for values in found(api, unit)["values"]] for unit in ("percent", "r")}
    assert totals["percent"] == ["+1.00%", "−1.00%", "+2.00%"]
    assert totals["r"] == ["+1.00 R", "−1.00 R", "+2.00 R"]
    assert Decimal(found(api, "percent")["values"][1][2].strip("−%")) == Decimal("1.98")
