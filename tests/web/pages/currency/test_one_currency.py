"""The page of a period in one currency: sums, rates used, and what has none with what to do."""

from tearsheet.app.config.edit_accounts import AccountsEditor
from tests.support.api import Api, fill


def trade(api: Api) -> None:
    api.fills(
        fill(1, currency="EUR", symbol="SAP"),
        fill(2, "SELL", 110, currency="EUR", symbol="SAP"),
        fill(3, currency="USD"),
        fill(4, "SELL", 105, currency="USD"),
    )


def page(api: Api, path: str) -> str:
    response = api.ask("GET", path)
    assert response.status_code == 200, response.text
    return response.text


def test_a_period_is_shown_in_one_currency_with_the_rates_used(api: Api) -> None:
    trade(api)
    missing = page(api, "/currencies?window=weekly&base=USD")
    assert "have no exchange rate and are left out" in missing
    assert "tearsheet rates add 2026-11-20 EUR USD RATE" in missing
    api.post("/api/rates", {"date": "2026-11-20", "from": "EUR", "to": "USD", "rate": "1.1", "source": "ecb"})
    found = page(api, "/currencies?window=weekly&base=USD")
    assert "16.00" in found
    assert "1 EUR = 1.1 USD (ecb)" in found
    assert "left out" not in found
    assert "1 USD" not in page(api, "/currencies?window=weekly&base=CHF").partition("Rates used")[2]


def test_a_currency_result_that_cannot_be_known_is_shown_with_its_reason(api: Api) -> None:
    trade(api)
    api.post("/api/rates", {"date": "2026-11-19", "from": "EUR", "to": "USD", "rate": "1.1", "source": "ecb"})
    api.fills(
        fill(5, currency="EUR", symbol="SAP", time="2026-11-16T09:00:00Z"),
        fill(6, "SELL", 110, currency="EUR", symbol="SAP", time="2026-11-16T09:00:01Z"),
    )
    with api.place.tracker() as tracker:
        AccountsEditor(tracker).set_text("accounts: {A: {starting_balance: 100}}", "accounts.yaml", "kim")
    found = page(api, "/currencies?window=weekly&base=USD")
    assert "no rate of EUR in USD" in found.partition("Currency result")[2].partition("Balance")[0]


def test_what_else_is_incomplete_is_said_too(api: Api) -> None:
    trade(api)
    api.place.write("logs/2026-11-20.jsonl", "no record\n")
    found = page(api, "/currencies?window=weekly&base=USD")
    assert "These numbers are incomplete." in found
    assert "rows that may belong to this period were rejected" in found


def test_pages_that_leave_out_a_currency_lead_there(api: Api) -> None:
    trade(api)
    for path in ("/", "/performance?window=weekly"):
        assert "/currencies?window=custom&amp;start=2026-1" in page(api, path)
    assert api.ask("GET", "/currencies?base=dollars").status_code == 422
