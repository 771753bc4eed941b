"""Windows in the base currency: sums of parts, neighbouring days, missing and corrected rates, what is refused."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tearsheet.app.config.edit_accounts import AccountsEditor
from tearsheet.app.currency.stated_rates import StatedRates
from tearsheet.errors import NotFoundError, UsageError
from tearsheet.performance.summary import Conversion, PerformanceSummary, Scope
from tearsheet.tracker import PerformanceTracker
from tearsheet.trade.amount import exact
from tearsheet.trade.session import Window
from tests.support.laws import examples
from tests.support.place import Place

HEADER = "account,symbol,time,side,quantity,price,commission,fill_id,currency\n"
TERMS = (
    "base: {currency: USD, pegs: {USDT: USD}}\naccounts: {A: {starting_balance: {USD: 10000, EUR: 100}}}\n"
)
DAYS = [date(2026, 11, 9 + n) for n in range(6)]


def trade(number: int, day: date, currency: str, net: Decimal, clock: str = "10:00") -> str:
    """A long position of one unit that makes `net` before fees of 1 a fill."""
    rows = [
        f"A,{currency}X,{day}T{clock}:{second:02}Z,{side},1,{price},1,{number}{side},{currency}"
        for second, side, price in ((0, "buy", 1000), (1, "sell", 1000 + net))
    ]
    return "\n".join(rows) + "\n"


def bring(place: Place, rows: Iterable[str], rates: Iterable[tuple[date, str, str]]) -> PerformanceTracker:
    tracker = place.tracker()
    tracker.import_file(place.write("fills.csv", HEADER + "".join(rows)))
    AccountsEditor(tracker).set_text(TERMS, "accounts.yaml", "kim")
    for day, currency, rate in rates:
        assert not StatedRates(tracker).add((str(day), currency, "USD", rate, "ecb")).rejections
    return tracker


def window(tracker: PerformanceTracker, first: date, last: date, **scope: str) -> PerformanceSummary:
    return tracker.get_summary(Window.between(first, last), scope=Scope(**scope), base="USD")  # type: ignore[arg-type]


def conversion(tracker: PerformanceTracker, first: date, last: date) -> Conversion:
    found = window(tracker, first, last).conversion
    assert found is not None
    return found


def test_each_day_is_at_its_own_rate_and_currencies_join_in_order_of_time(place: Place) -> None:
    rows = [
        trade(1, DAYS[0], "EUR", Decimal(12)),
        trade(2, DAYS[0], "USD", Decimal(-8), "11:00"),
        trade(3, DAYS[1], "EUR", Decimal(12)),
    ]
    tracker = bring(place, rows, [(DAYS[0], "EUR", "1.085"), (DAYS[1], "EUR", "1.1")])
    found = window(tracker, DAYS[0], DAYS[1], account="A")
    assert found.currency == "USD"
    assert not found.partial
    assert found.value("net_pnl") == Decimal("10") * Decimal("1.085") - 10 + Decimal("10") * Decimal("1.1")
    assert [day.net_pnl for day in found.days] == [Decimal("0.850"), Decimal("11.0")]
    assert (found.value("winning_trades"), found.value("losing_trades")) == (2, 1)
    assert found.value("max_drawdown") == Decimal("11.1")  # the dollars' loss, and the fee of the day after
    assert found.value("current_streak") == 1
    assert found.conversion is not None
    assert [(str(one.session), one.rate) for one in found.conversion.rates] == [
        (str(DAYS[0]), Decimal("1.085")),
        (str(DAYS[1]), Decimal("1.1")),
    ]
    by_symbol = window(tracker, DAYS[0], DAYS[1], symbol="EURX")
    assert by_symbol.value("net_pnl") == Decimal("21.850")
    assert by_symbol.conversion is not None
    assert by_symbol.conversion.balance_reason == "account_only"


def test_without_a_rate_the_amount_stays_out_until_one_comes_and_a_correction_restates(place: Place) -> None:
    rows = [trade(1, DAYS[0], "EUR", Decimal(12)), trade(2, DAYS[0], "USD", Decimal(2))]
    tracker = bring(place, rows, [])
    left_out = window(tracker, DAYS[0], DAYS[0])
    assert left_out.value("net_pnl") == 0
    (reason,) = [one for one in left_out.partial_reasons if one.code == "missing_rate"]
    assert "no rate of EUR in USD: 10 EUR" in reason.detail
    assert left_out.conversion is not None
    assert [(one.currency, one.result) for one in left_out.conversion.missing] == [("EUR", 10)]
    rates = StatedRates(tracker)
    rates.add((str(DAYS[0]), "EUR", "USD", "1.085", "ecb"))
    assert window(tracker, DAYS[0], DAYS[0]).value("net_pnl") == Decimal("10.85")
    rates.add((str(DAYS[0]), "EUR", "USD", "1.09", "ecb"))
    assert window(tracker, DAYS[0], DAYS[0]).value("net_pnl") == Decimal("10.9")


def test_today_takes_the_last_rate_until_its_own_is_published(place: Place) -> None:
    today = place.now.date()
    tracker = bring(place, [trade(1, today, "EUR", Decimal(12))], [(date(2026, 11, 19), "EUR", "1.085")])
    assert conversion(tracker, today, today).rates[0].day == date(2026, 11, 19)
    StatedRates(tracker).add((str(today), "EUR", "USD", "1.09", "ecb"))
    assert conversion(tracker, today, today).rates[0].day == today


def test_a_session_of_another_zone_takes_the_rate_of_its_day_also_when_clocks_change(place: Place) -> None:
    place.env |= {"PERFORMANCE_SUMMARY_TIMEZONE": "America/Chicago", "TEARSHEET_DAY_STARTS_AT": "17:00"}
    rows = HEADER + "".join(
        f"A,EURX,{at},{side},1,{price},0,{n},EUR\n"
        for n, (at, side, price) in enumerate(
            [
                ("2026-10-30T21:59:59Z", "buy", 1000),  # Friday, the clocks go back on Sunday
                ("2026-10-30T21:59:59Z", "sell", 1010),
                ("2026-11-01T22:59:59Z", "buy", 1000),  # Sunday 16:59:59 is still the day before
                ("2026-11-01T23:00:00Z", "sell", 1020),
            ]
        )
    )
    tracker = place.tracker()
    tracker.import_file(place.write("fills.csv", rows))
    for day, rate in (("2026-10-30", "1.1"), ("2026-11-02", "1.2")):
        StatedRates(tracker).add((day, "EUR", "USD", rate, "ecb"))
    days = tracker.get_summary("all", base="USD").days
    assert [(str(day.session), day.net_pnl) for day in days if day.net_pnl] == [
        ("2026-10-30", Decimal("11")),
        ("2026-11-02", Decimal("24")),
    ]


def test_what_contradicts_a_base_is_refused(place: Place) -> None:
    tracker = bring(place, [trade(1, DAYS[0], "EUR", Decimal(12))], [])
    with pytest.raises(UsageError, match="contradict"):
        tracker.get_summary("all", base="USD", currency="EUR")
    with pytest.raises(UsageError, match="last trades"):
        tracker.get_summary(rolling=5, base="USD")
    with pytest.raises(NotFoundError, match="no account"):
        tracker.get_summary("all", base="USD", scope=Scope("B"))


def test_an_explanation_adds_up_and_names_each_rate(place: Place) -> None:
    rows = [trade(1, DAYS[0], "EUR", Decimal(12)), trade(2, DAYS[1], "USD", Decimal(2))]
    tracker = bring(place, rows, [(DAYS[0], "EUR", "1.085")])
    found = tracker.explain("net_pnl", Window.between(DAYS[0], DAYS[1]), base="USD")
    assert found.total == found.value.value == Decimal("10.85")
    rates = [(one.rate.rate, one.rate.stated) if one.rate else None for one in found.bookings]
    assert rates == [(Decimal("1.085"), ("1 EUR = 1.085 USD (ecb)",))] * 2 + [None] * 2


MONEY = "account,time,kind,amount,currency,id,to_currency,to_amount\n"


def convert(place: Place, day: date, usd: int, eur: int) -> Path:
    rows = f"A,{day}T09:00:00Z,conversion,{usd},USD,{day},EUR,{eur}\n"
    return place.write(f"{day}.csv", f"{MONEY}{rows}")


def test_money_in_a_currency_without_a_rate_at_the_end_is_no_loss_by_rates(place: Place) -> None:
    tracker = bring(place, [trade(1, DAYS[0], "USD", Decimal(12))], [(DAYS[0], "EUR", "1")])
    tracker.import_file(convert(place, DAYS[0], -9000, 9000))
    found = conversion(tracker, DAYS[0], date(2026, 11, 19))
    assert [one.currency for one in found.missing] == ["EUR"]
    assert (found.fx_result, found.fx_reason) == (None, "missing_rate: no rate of EUR in USD")
    assert (found.opening_balance, found.balance, found.balance_reason) == (None, None, found.fx_reason)
    shown = window(tracker, DAYS[0], date(2026, 11, 19)).metrics["balance"]
    assert (shown.value, shown.reason) == (None, found.fx_reason)
    StatedRates(tracker).add(("2026-11-19", "EUR", "USD", "1", "ecb"))
    whole = conversion(tracker, DAYS[0], date(2026, 11, 19))
    assert (whole.fx_result, whole.balance, whole.missing, whole.fx_reason) == (0, 10110, (), None)


def test_a_result_without_a_rate_is_no_result_of_rates(place: Place) -> None:
    tracker = bring(place, [trade(1, DAYS[0], "EUR", Decimal(102))], [(DAYS[1], "EUR", "1")])
    found = conversion(tracker, DAYS[0], DAYS[1])
    assert found.fx_result is None
    assert found.fx_reason == "missing_rate: no rate of EUR in USD"
    assert found.balance == 10200  # at the end there is a rate of everything


def test_a_currency_that_is_left_out_whole_leaves_the_rest_right(place: Place) -> None:
    tracker = bring(place, [trade(1, DAYS[0], "EUR", Decimal(12)), trade(2, DAYS[0], "USD", Decimal(7))], [])
    found = conversion(tracker, DAYS[0], DAYS[1])
    assert [one.currency for one in found.missing] == ["EUR"]
    assert (found.fx_result, found.balance) == (0, 10005)
    # a conversion into it takes money from the rest that comes back nowhere
    tracker.import_file(convert(place, DAYS[0], -9000, 9000))
    torn = conversion(tracker, DAYS[0], DAYS[1])
    assert (torn.fx_result, torn.balance) == (None, None)


def test_a_conversion_within_an_account_changes_no_return(place: Place) -> None:
    tracker = bring(place, [trade(1, DAYS[0], "USD", Decimal(1012))], [(DAYS[0], "EUR", "1")])
    share = window(tracker, DAYS[0], DAYS[0]).value("total_return")
    assert share == pytest.approx(1010 / 10100)
    tracker.import_file(convert(place, DAYS[0], -9000, 9000))
    assert window(tracker, DAYS[0], DAYS[0]).value("total_return") == share
    # each currency for itself did receive something
    assert tracker.get_summary(Window.between(DAYS[0], DAYS[0]), currency="EUR").value("total_return") == 0


amounts = st.decimals("-50", "50", places=2)
trades = st.lists(
    st.tuples(st.sampled_from(DAYS), st.sampled_from(["EUR", "USD", "USDT"]), amounts), min_size=1
)
rate_lists = st.lists(st.decimals("0.5", "2", places=4), min_size=6, max_size=6)


@given(trades, rate_lists, st.integers(0, 4))
@examples(25)
def test_parts_add_neighbouring_days_add_and_balances_follow(
    tmp_path_factory: pytest.TempPathFactory,
    made: list[tuple[date, str, Decimal]],
    rates: list[Decimal],
    cut: int,
) -> None:
    place = Place(tmp_path_factory.mktemp("law"), {})
    rows = [trade(n, day, money, net) for n, (day, money, net) in enumerate(made)]
    stated = [(day, "EUR", str(rate)) for day, rate in zip(DAYS, rates, strict=True)]
    with bring(place, rows, stated) as tracker:
        whole = conversion(tracker, DAYS[0], DAYS[-1])
        first, second = conversion(tracker, DAYS[0], DAYS[cut]), conversion(tracker, DAYS[cut + 1], DAYS[-1])
        by_rate = dict(zip(DAYS, rates, strict=True))
        with exact():
            net = sum((amount - 2) * (by_rate[day] if money == "EUR" else 1) for day, money, amount in made)
            for one in (whole, first, second):
                assert one.net_pnl == one.gross - one.fees + one.carry
                assert one.result == one.net_pnl + one.income - one.costs - one.tax
                assert one.fx_result is not None
                assert one.balance == (one.opening_balance or 0) + one.result + one.flows + one.fx_result
            assert whole.net_pnl == net
            assert first.net_pnl + second.net_pnl == whole.net_pnl
            assert (first.fx_result or 0) + (second.fx_result or 0) == whole.fx_result
            assert first.balance == second.opening_balance
            assert second.balance == whole.balance


def test_a_fee_in_a_third_currency_is_converted_by_the_table(place: Place) -> None:
    rows = "account,symbol,time,side,quantity,price,commission,fill_id,currency,fee_currency\n" + "".join(
        f"A,USDX,{DAYS[0]}T10:00:0{n}Z,{side},1,{price},0.001,{n},USD,BNB\n"
        for n, (side, price) in enumerate((("buy", 100), ("sell", 110)))
    )
    tracker = place.tracker()
    tracker.import_file(place.write("fills.csv", rows))
    assert {"foreign_fee", "missing_rate"} <= {
        r.code for r in window(tracker, DAYS[0], DAYS[0]).partial_reasons
    }
    StatedRates(tracker).add((str(DAYS[0]), "BNB", "USD", "600", "my exchange"))
    found = window(tracker, DAYS[0], DAYS[0])
    assert found.value("net_pnl") == Decimal("8.8")
    assert not found.partial


def test_a_rate_that_a_row_states_goes_first_and_its_difference_is_a_currency_result(place: Place) -> None:
    tracker = bring(place, [trade(1, DAYS[0], "EUR", Decimal(12))], [(DAYS[0], "EUR", "1.085")])
    rows = "account,time,kind,symbol,currency,amount,id,base_rate\n"
    paid = f"A,{DAYS[0]}T12:00:00Z,dividend,EURX,EUR,100,d1,1.0842\n"
    tracker.import_file(place.write("events.csv", rows + paid))
    found = window(tracker, DAYS[0], DAYS[0])
    assert found.value("net_pnl") == Decimal("10.85") + Decimal("108.42")
    assert found.conversion is not None
    assert found.conversion.fx_result == Decimal("0.08")
    explained = tracker.explain("carry", Window.between(DAYS[0], DAYS[0]), base="USD")
    (row,) = [one for one in explained.bookings if one.carry]
    assert row.rate is not None
    assert (row.rate.kind, row.rate.rate) == ("row", Decimal("1.0842"))
    # without a rate of the day what states its own still counts, and the rest stays out
    tracker.import_file(
        place.write("later.csv", rows + paid.replace(str(DAYS[0]), "2026-10-05").replace("d1", "d2"))
    )
    day = date(2026, 10, 5)
    assert window(tracker, day, day).value("carry") == Decimal("108.42")
    refused = tracker.import_file(
        place.write("bad.csv", rows + paid.replace("1.0842", "-1").replace("d1", "d3"))
    )
    assert [one.code for one in refused.rejections] == ["bad_number"]
