"""The first page: what it shows of which range, its first run, and the sample that it offers."""

import html
import re
import time
from datetime import date, timedelta

import pytest

from tearsheet.web.pages.overview import _months_before
from tests.support.api import Api, fill
from tests.support.place import NOON

SAME = {"Origin": "http://localhost"}


def page(api: Api, path: str, status: int = 200) -> str:
    response = api.ask("GET", path, Accept="text/html")
    assert response.status_code == status, response.text
    return html.unescape(response.text)


def days_ago(days: int) -> int:
    """Minutes before noon, as `fill` counts them."""
    return -days * 24 * 60


def trade(api: Api, days: int, gain: str, **more: str) -> None:
    price = 100 + float(gain)
    api.fills(fill(days_ago(days), **more), fill(days_ago(days) + 5, "SELL", str(price), **more))


def tile(text: str, metric: str) -> str:
    found = re.search(rf'metric={metric}[^>]*title="View the rows behind this number">([^<]*)<', text)
    assert found, metric
    return found[1]


def test_an_empty_ledger_is_met_by_three_steps_and_a_place_to_drop_a_file(api: Api) -> None:
    text = page(api, "/")
    assert "Drop a broker file" in text
    assert "Interactive Brokers" in text
    assert "Load the sample" in text
    assert "Control Center" in text  # where to click for the file
    assert "$0.00" not in text


def test_the_range_ends_at_the_last_data_and_not_now(api: Api) -> None:
    trade(api, 40, "7")  # the last data: 40 days before now
    trade(api, 45, "20")
    trade(api, 200, "300")
    assert tile(page(api, "/?range=1W"), "net_pnl") == "+$27.00"
    assert tile(page(api, "/"), "net_pnl") == "+$27.00"
    assert tile(page(api, "/?range=1Y"), "net_pnl") == "+$327.00"
    assert tile(page(api, "/?range=All"), "net_pnl") == "+$327.00"
    last = (NOON - timedelta(days=40)).date()
    assert f"data up to {last:%a} {last.day} {last:%b %Y}" in page(api, "/")


def test_the_calendar_opens_on_the_last_month_with_data(api: Api) -> None:
    trade(api, 40, "7")
    last = NOON - timedelta(days=40)
    assert f"<h1>{last:%B %Y}</h1>" in page(api, "/calendar")
    assert f"<h1>{NOON:%B %Y}</h1>" in page(api, f"/calendar?date={NOON.date()}")
    trade(api, 1, "7")
    assert f"<h1>{NOON:%B %Y}</h1>" in page(api, "/calendar")


def test_the_month_of_the_overview_has_its_steps_and_keeps_the_range(api: Api) -> None:
    trade(api, 40, "7")
    last = NOON - timedelta(days=40)
    before = (last.replace(day=1) - timedelta(days=1)).date()
    text = page(api, "/?range=3M")
    assert f'href="/?range=3M&month={before}#month-title" rel="prev"' in text
    earlier = page(api, f"/?range=3M&month={before}")
    assert f"{before:%B %Y}</a></h2>" in earlier
    assert tile(earlier, "net_pnl") == tile(text, "net_pnl")


def test_the_year_of_the_calendar_has_its_steps(api: Api) -> None:
    trade(api, 1, "7")
    text = page(api, f"/calendar?date={NOON.date()}")
    for step in (-1, 1):
        assert f'href="/calendar?date={NOON.year + step}-{NOON:%m}-01#year-title"' in text


def test_a_reason_is_told_in_words_and_a_win_and_a_loss_are_one_each(api: Api) -> None:
    trade(api, 2, "7")
    trade(api, 1, "-3")
    assert "1 win, 1 loss<" in page(api, "/")
    metrics = page(api, "/performance/metrics?window=all")
    assert "needs a starting balance" in metrics
    assert "no_balance" not in metrics


def test_a_month_back_from_the_last_of_a_longer_month_is_its_last_day(api: Api) -> None:
    assert _months_before(date(2028, 3, 31), 1) == date(2028, 2, 29)
    assert _months_before(date(2026, 1, 15), 3) == date(2025, 10, 15)
    assert _months_before(date(2028, 2, 29), 12) == date(2027, 2, 28)


def test_two_dates_are_a_range_of_ones_own(api: Api) -> None:
    trade(api, 10, "7")
    trade(api, 5, "-3")
    first, last = ((NOON - timedelta(days=days)).date() for days in (11, 9))
    text = page(api, f"/?start={first}&end={last}")
    assert tile(text, "net_pnl") == "+$7.00"
    assert 'range=1M" aria-current' not in text
    page(api, f"/?start={last}&end={first}", 422)
    page(api, "/?range=2M", 422)


def test_few_accounts_are_chips_and_many_a_list(api: Api) -> None:
    for name in ("A", "B"):
        trade(api, 1, "5", account=name)
    assert 'account=B">B</a>' in page(api, "/")
    assert tile(page(api, "/?account=B"), "net_pnl") == "+$5.00"
    for number in range(6):
        trade(api, 1, "5", account=f"C{number}")
    text = page(api, "/")
    assert '<select id="account"' in text
    assert 'account=B">B</a>' not in text
    page(api, "/?account=nobody", 404)


def test_accounts_with_long_names_are_a_list(api: Api) -> None:
    for name in ("Funded-50K-009-Trader", "Funded-50K-010-Trader"):
        trade(api, 1, "5", account=name)
    assert '<select id="account"' in page(api, "/")


def test_the_limits_used_most_stand_in_one_line_broken_ones_first(api: Api) -> None:
    api.place.write(
        "config/dashboard-targets.yaml",
        "limits:\n  default:\n    daily_loss: 100\n    max_trades: 50\n    max_open_quantity: 900\n    weekly_loss: 1000\n",
    )
    api.fills(fill(-20), fill(-10, "SELL", 20))
    text = page(api, "/")
    strip = text[text.index("Limits now") : text.index("All limits")]
    assert strip.count('class="near') == 3
    assert strip.index("daily loss") < strip.index("weekly loss")
    assert '<b>$80</b> <span class="soft">of $100' in strip
    api.fills(fill(-8), fill(-5, "SELL", 50))
    assert "<span>✗ A daily loss</span>" in page(api, "/")


def test_a_range_without_one_before_it_shows_no_change(api: Api) -> None:
    trade(api, 2, "7")
    text = page(api, "/")
    assert "no trades to compare with" in text
    assert "▲" not in text
    trade(api, 40, "3")
    assert "changes against" in page(api, "/")
    assert "▲" in page(api, "/")


def test_two_currencies_do_not_hide_the_page(api: Api) -> None:
    trade(api, 2, "5")
    trade(api, 1, "9", currency="EUR")
    text = page(api, "/")
    assert tile(text, "net_pnl") == "+$5.00"
    assert re.search(r'currency=EUR[^"]*">EUR<', text)
    assert tile(page(api, "/?currency=EUR"), "net_pnl") == "+€9.00"
    trade(api, 40, "4", currency="GBP")
    trade(api, 41, "4", currency="CHF")
    first, last = ((NOON - timedelta(days=days)).date() for days in (42, 39))
    assert tile(page(api, f"/?start={first}&end={last}"), "net_pnl") == "+CHF\xa04.00"


def test_a_day_at_the_old_address_is_found_at_its_own(api: Api) -> None:
    trade(api, 1, "5")
    response = api.ask("GET", "/?date=2026-11-19&account=A", Accept="text/html")
    assert response.status_code == 303
    assert response.headers["Location"] == "/day?date=2026-11-19&account=A"


@pytest.mark.slow
def test_the_sample_is_an_import_that_can_be_undone(api: Api) -> None:
    started = api.client.post("/import/sample", headers=SAME)
    assert started.status_code == 303
    for _ in range(600):
        text = page(api, started.headers["Location"])
        if 'data-step="3"' in text:
            break
        time.sleep(0.1)
    else:
        raise AssertionError(text)
    assert api.get("/api/accounts")["data"] == ["FUT-1"]
    assert "This is the sample" in page(api, "/")
    assert api.client.post("/import/sample/remove", headers=SAME).status_code == 303
    assert api.get("/api/accounts")["data"] == []
    assert "Drop a broker file" in page(api, "/")


def test_net_pnl_of_fills_without_a_fee_says_that_it_is_gross(api: Api) -> None:
    trade(api, 3, "7", commission="0")
    assert "gross: no fees stated" not in page(api, "/")
    trade(api, 2, "7")
    assert "gross: no fees stated" in page(api, "/")
