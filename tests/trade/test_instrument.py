"""How instruments are spelled, and that a multiplier is never guessed."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tearsheet.errors import SettingsError
from tearsheet.sources.config.instruments import load_instruments
from tearsheet.trade.instrument import (
    AssetClass,
    Instrument,
    InstrumentOverride,
    Instruments,
    UnknownInstrument,
)

ON = date(2026, 3, 2)


@pytest.fixture(scope="module")
def instruments() -> Instruments:
    return load_instruments(Path("/nonexistent.yaml"), "USD")


def test_the_table_has_at_least_60_futures(instruments: Instruments) -> None:
    assert len(instruments.futures) >= 60
    assert all(row.multiplier > 0 and row.tick > 0 for row in instruments.futures.values())


@pytest.mark.parametrize(
    ("written", "canonical", "multiplier"),
    [
        ("MNQ 12-26", "MNQZ26", "2"),
        ("MNQ DEC26", "MNQZ26", "2"),
        ("mnq  dec26", "MNQZ26", "2"),
        ("MNQZ6", "MNQZ26", "2"),
        ("MNQZ26", "MNQZ26", "2"),
        ("MNQZ2026", "MNQZ26", "2"),
        ("/MNQU26", "MNQU26", "2"),
        ("CM.MNQU6", "MNQU26", "2"),
        ("F.US.MESM26", "MESM26", "5"),
        ("MESU6@CME", "MESU26", "5"),
        ("/ESH27:XCME", "ESH27", "50"),
        ("CME_MINI:MES1!", "MES1!", "5"),
        ("SR3Z6", "SR3Z26", "2500"),
        ("6EM6", "6EM26", "125000"),
        ("M2KU6", "M2KU26", "5"),
        ("BZ6", "BZ26", "1000"),
        ("MYM 03-26", "MYMH26", "0.5"),
        ("ESZ26.CME", "ESZ26", "50"),
        ("GCZ6.XCEC", "GCZ26", "100"),
        ("@ESZ26", "ESZ26", "50"),
        ("ES JAN27", "ESF27", "50"),
        ("ES 12-26", "ESZ26", "50"),
        ("ES 01-27", "ESF27", "50"),
        ("GG6", "GG26", "100"),
        ("CON.F.US.MES.H26", "MESH26", "5"),
        ("CON.F.US.EP.H26", "ESH26", "50"),
        ("MESH26_FUT_CME", "MESH26", "5"),
        ("MESH6_FUT_CME", "MESH26", "5"),
        ("MNQ 12-2026", "MNQZ26", "2"),
        ("MNQ 12/26", "MNQZ26", "2"),
        ("MNQ 2026-12", "MNQZ26", "2"),
        ("MNQ 202612", "MNQZ26", "2"),
        ("MNQ202612", "MNQZ26", "2"),
        ("MES 20260320", "MESH26", "5"),
        ("MES.H26", "MESH26", "5"),
        ("MES-H26", "MESH26", "5"),
        ("MES H6", "MESH26", "5"),
        ("MNQZ6.FUT", "MNQZ26", "2"),
        ("MESMAR26", "MESH26", "5"),
        ("MES MAR 2026", "MESH26", "5"),
        ("MES 20MAR26", "MESH26", "5"),
        ("MES MAR20'26 @CME", "MESH26", "5"),
        ("E-MINI S&P 500 MAR26", "ESH26", "50"),
        ("Micro E-mini Nasdaq-100 Index Mar 26", "MNQH26", "2"),
        ("MAR 26 CME E-MINI S&P", "ESH26", "50"),
        ("Gold Futures (Apr 2026)", "GCJ26", "100"),
        ("CRUDE OIL DEC26", "CLZ26", "1000"),
        # continuous contracts, which are none of the dated ones
        ("ES##", "ES", "50"),
        ("MES ##-##", "MES", "5"),
        ("@ES#", "ES", "50"),
        ("@ES", "ES", "50"),
        ("/MNQ", "MNQ", "2"),
        ("ES=F", "ES", "50"),
        ("ES.c.0", "ES", "50"),
        ("ES-CONT", "ES", "50"),
        ("CME:MNQ", "MNQ", "2"),
        ("CME_MINI:MNQ", "MNQ", "2"),
    ],
)
def test_contracts(instruments: Instruments, written: str, canonical: str, multiplier: str) -> None:
    found = instruments.resolve(written, ON)
    assert isinstance(found, Instrument)
    assert (found.symbol, found.multiplier, found.asset_class) == (canonical, Decimal(multiplier), "future")


@pytest.mark.parametrize(
    ("on", "canonical"), [(2024, "ESH24"), (2025, "ESH34"), (2014, "ESH14"), (2020, "ESH24")]
)
def test_a_one_digit_year_is_the_nearest_not_before_the_trade(
    instruments: Instruments, on: int, canonical: str
) -> None:
    found = instruments.resolve("ESH4", date(on, 2, 1))
    assert isinstance(found, Instrument)
    assert found.symbol == canonical


@pytest.mark.parametrize(
    ("written", "kind", "currency"),
    [
        ("AAPL", "equity", "USD"),
        ("BRK.B", "equity", "USD"),
        ("BRK-B", "equity", "USD"),
        ("BTC/USDT", "crypto", "USDT"),
        ("BTCUSDT", "crypto", "USDT"),
        ("ETH-EUR", "crypto", "EUR"),
        ("BTC/USDT:USDT", "crypto", "USDT"),
        ("BTC/FDUSD", "crypto", "FDUSD"),
        ("EUR/USD", "forex", "USD"),
        ("EUR-BTC", "crypto", "BTC"),
        ("BTC-PERP", "equity", "USD"),
    ],
)
def test_shares_and_coins_have_multiplier_one(
    instruments: Instruments, written: str, kind: str, currency: str
) -> None:
    found = instruments.resolve(written, ON)
    assert isinstance(found, Instrument)
    assert (found.symbol, found.multiplier, found.asset_class, found.currency) == (written, 1, kind, currency)


@pytest.mark.parametrize(
    ("written", "canonical", "multiplier"),
    [
        ("ESZ6 C5000", "ESZ26 C5000", "50"),
        ("./ESZ6C5000", "ESZ26 C5000", "50"),
        ("./CLM26P72.5:XNYM", "CLM26 P72.5", "1000"),
        ("ESZ6 5000 P", "ESZ26 P5000", "50"),
    ],
)
def test_an_option_on_a_future_has_the_futures_multiplier(
    instruments: Instruments, written: str, canonical: str, multiplier: str
) -> None:
    for kind in (None, "option"):
        found = instruments.resolve(written, ON, asset_class=kind)
        assert isinstance(found, Instrument)
        assert (found.symbol, found.multiplier) == (canonical, Decimal(multiplier))
        assert found.asset_class == "option"


@pytest.mark.parametrize(
    ("written", "coin", "worth"),
    [
        ("BTCUSD_PERP", "BTC", 100),
        ("ETHUSD_260327", "ETH", 10),
        ("BTC-USD-SWAP", "BTC", 100),
        ("SOL-USD-260327", "SOL", 10),
        ("PI_XBTUSD", "BTC", 1),
        ("BTCUSDH26", "BTC", 1),
        ("BTC-PERPETUAL", "BTC", 1),
        ("ETH-27MAR26", "ETH", 1),
    ],
)
def test_a_coin_margined_contract_is_in_its_coin(
    instruments: Instruments, written: str, coin: str, worth: int
) -> None:
    found = instruments.resolve(written, ON)
    assert isinstance(found, Instrument)
    assert (found.symbol, found.currency, found.multiplier) == (written, coin, -worth)


def test_a_name_that_is_spot_and_inverse_is_not_guessed(instruments: Instruments) -> None:
    found = instruments.resolve("XBTUSD", ON)
    assert isinstance(found, UnknownInstrument)
    assert (found.code, "inverse" in found.reason) == ("ambiguous_instrument", True)
    spot = instruments.resolve("XBTUSD", ON, asset_class="crypto")
    assert isinstance(spot, Instrument)
    assert spot.multiplier == 1


def test_a_listed_option_stands_for_a_hundred(instruments: Instruments) -> None:
    found = instruments.resolve("AVAV260109C00320000", ON)
    assert isinstance(found, Instrument)
    assert (found.symbol, found.multiplier) == ("AVAV  260109C00320000", 100)


def test_money_is_in_the_contracts_currency(instruments: Instruments) -> None:
    dax = instruments.resolve("FDAX 03-26", ON)
    assert isinstance(dax, Instrument)
    assert (dax.currency, dax.tick, dax.root) == ("EUR", 1, "FDAX")
    share = instruments.resolve("SAP", ON, currency="EUR")
    assert isinstance(share, Instrument)
    assert share.currency == "EUR"


def test_an_unknown_root_is_never_multiplier_one(instruments: Instruments) -> None:
    found = instruments.resolve("QQQQZ6", ON)
    assert isinstance(found, UnknownInstrument)
    assert found.code == "unknown_instrument"
    assert found.reason == "unknown futures root QQQQ in QQQQZ6"
    assert "QQQQ: {multiplier" in found.hint


def test_a_bare_root_may_be_a_share_and_is_not_guessed(instruments: Instruments) -> None:
    found = instruments.resolve("ES", ON)
    assert isinstance(found, UnknownInstrument)
    assert found.code == "ambiguous_instrument"
    share = instruments.resolve("ES", ON, asset_class="equity")
    assert isinstance(share, Instrument)
    assert (share.symbol, share.multiplier) == ("ES", 1)


def test_the_users_word_goes_before_the_table() -> None:
    rules = {
        "MNQ": InstrumentOverride(multiplier=Decimal(3)),
        "QQQQ": InstrumentOverride(multiplier=Decimal(7), currency="CAD", tick=Decimal("0.5")),
        "ES": InstrumentOverride(asset_class="equity"),
        "CL": InstrumentOverride(asset_class="future", multiplier=Decimal(1000)),
        "MNQH26": InstrumentOverride(multiplier=Decimal(4)),
    }
    known = load_instruments(Path("/nonexistent.yaml"), "USD").futures
    instruments = Instruments(known, rules)
    found = {symbol: instruments.resolve(symbol, ON) for symbol in ("MNQZ6", "MNQH26", "QQQQZ6", "ES", "CL")}
    assert {s: i.multiplier for s, i in found.items() if isinstance(i, Instrument)} == {
        "MNQZ6": 3,
        "MNQH26": 4,
        "QQQQZ6": 7,
        "ES": 1,
        "CL": 1000,
    }
    quad = found["QQQQZ6"]
    assert isinstance(quad, Instrument)
    assert (quad.currency, quad.tick) == ("CAD", Decimal("0.5"))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("MNQ 13-26", None),
        ("ES!", None),
        ("ESZ6-ESH7", None),
        ("CON.F.US.QQQ.H26", None),
        ("QQQH26_FUT_CME", None),
        ("QQQ MAR 2026", None),
        ("E-MINI RIVERS MAR26", None),
        ("/QQQ", None),
        ("EW3H6 C6000", None),
        ("GOLD DEC", "future"),
        ("AAPL1 260109C00320000", None),
        ("AAPL 260109C", "option"),
        (".AAPL260109C320", None),
        ("-NVDA260710P195", None),
        ("NVDA 260710P195", None),
        ("SPY 3/20/2026 Call $580.00", None),
        ("AAPL 16JAN26 200 C", None),
    ],
)
def test_what_looks_like_a_future_or_an_option_is_never_a_share(
    instruments: Instruments, written: str, said: AssetClass | None
) -> None:
    found = instruments.resolve(written, ON, asset_class=said)
    assert isinstance(found, UnknownInstrument)
    assert found.code == "unknown_instrument"
    assert " ".join(written.upper().split()) in found.reason
    stated = Instruments(instruments.futures, {written.upper(): InstrumentOverride(Decimal(7))})
    known = stated.resolve(written, ON, asset_class=said)
    assert isinstance(known, Instrument)
    assert known.multiplier == 7


@pytest.mark.parametrize(
    "share", ["SIX2.DE", "HEN3.DE", "NYSE:CL", "NASDAQ:WCT", "BRK B", "ES3.SI", "0700.HK", "ESGV", "GOLD"]
)
def test_shares_whose_names_begin_like_a_future_are_shares(instruments: Instruments, share: str) -> None:
    found = instruments.resolve(share, ON)
    assert isinstance(found, Instrument)
    assert (found.symbol, found.multiplier, found.asset_class) == (share, 1, "equity")


def test_a_bare_root_that_is_said_to_be_a_future_has_its_multiplier(instruments: Instruments) -> None:
    found = instruments.resolve("MNQ", ON, asset_class="future")
    assert isinstance(found, Instrument)
    assert (found.symbol, found.multiplier, found.root) == ("MNQ", 2, "MNQ")


def test_a_root_that_is_a_share_here_leaves_its_contracts_alone(instruments: Instruments) -> None:
    share = InstrumentOverride(Decimal(1), "EUR", "equity")
    found = Instruments(instruments.futures, {"ES": share}).resolve("ESZ6", ON)
    assert isinstance(found, Instrument)
    assert (found.multiplier, found.currency) == (50, "USD")


def test_an_override_without_multiplier_settles_no_root(instruments: Instruments) -> None:
    rules = {"MNQ": InstrumentOverride(tick=Decimal("0.5")), "AAPL": InstrumentOverride(currency="CAD")}
    known = Instruments(instruments.futures, rules)
    bare, apple, contract = (known.resolve(s, ON) for s in ("MNQ", "AAPL", "MNQZ6"))
    assert isinstance(bare, UnknownInstrument)
    assert isinstance(apple, Instrument)
    assert (apple.currency, apple.multiplier) == ("CAD", 1)
    assert isinstance(contract, Instrument)
    assert (contract.tick, contract.multiplier) == (Decimal("0.5"), 2)


def test_a_bare_root_with_a_stated_multiplier_is_a_future(instruments: Instruments) -> None:
    found = Instruments(instruments.futures, {"MNQ": InstrumentOverride(Decimal(3))}).resolve("MNQ", ON)
    assert isinstance(found, Instrument)
    assert (found.asset_class, found.multiplier) == ("future", 3)


def test_an_answer_is_remembered_by_all_it_depends_on(instruments: Instruments) -> None:
    first = instruments.resolve("ESH4", date(2024, 1, 2))
    assert instruments.resolve("ESH4", date(2024, 12, 31)) is first
    assert instruments.resolve("ESH4", date(2025, 1, 2)) != first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MNQ: 5", "MNQ is '5'"),
        ("MNQ: {multiplier: 0}", "MNQ.multiplier is '0'"),
        ("MNQ: {multiplier: abc}", "MNQ.multiplier is 'abc'"),
        ("MNQ: {multiplier: .inf}", "MNQ.multiplier is '.inf'"),
        ("MNQ: {tick: [1]}", "MNQ.tick is ['1']"),
        ("MNQ: {kind: bond}", "MNQ.kind is 'bond'"),
        ("MNQ: {kind: inverse}", "MNQ is inverse, and has no currency"),
        ("MNQ: {factor: 2}", "MNQ.factor is unknown"),
        ("MNQ: {asset_class: house}", "MNQ.asset_class is 'house'"),
        ("MNQ: {currency: dollars}", "MNQ.currency is 'dollars'"),
        ("MNQ: {multiplier: 1}\nMNQ: {multiplier: 2}", "2: MNQ stands twice"),
        ("MNQ: {multiplier: 1", "1 is no YAML"),
        ("- MNQ", "holds ['MNQ']"),
    ],
)
def test_overrides_that_make_no_sense(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "instruments.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_instruments(file, "USD")
    assert str(file) in caught.value.message
    assert message in caught.value.message
    assert caught.value.hint


def test_overrides_are_exact_and_case_does_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "instruments.yaml"
    file.write_text("abc: {multiplier: 0.1, currency: eur, tick: 0.005, asset_class: future}\n")
    found = load_instruments(file, "USD").resolve("ABCZ6", ON)
    assert isinstance(found, Instrument)
    assert (found.multiplier, found.tick, found.currency) == (Decimal("0.1"), Decimal("0.005"), "EUR")


def test_an_unreadable_overrides_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_instruments(tmp_path, "USD")
