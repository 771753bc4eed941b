"""Reports of MetaTrader in the languages of its terminals, as HTML, workbook and CSV."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import Statement, open_statement
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill
from tests.support.place import SAMPLES
from tests.support.workbooks import write_xlsx

INSTRUMENTS = load_instruments(SAMPLES / "instruments.yaml", "USD")
OPTIONS = StatementOptions(timezone=ZoneInfo("Europe/Athens"), account=None)
#: The row of the account, and the headings of deals.
DEALS = {
    "en": "Account:|Time,Deal,Symbol,Type,Direction,Volume,Price,Order,Commission,Fee,Swap,Profit,Balance,Comment",
    "it": "Conto:|Ora,Affare,Simbolo,Tipo,Direzione,Volume,Prezzo,Ordine,Commissioni,Spese,Swap,Profitto,"
    "Bilancio,Commento",
    "ru": "Счет:|Время,Сделка,Символ,Тип,Направление,Объем,Цена,Ордер,Комиссия,Сбор,Своп,Прибыль,Баланс,"
    "Комментарий",
    "de": "Konto:|Zeit,Deal,Symbol,Typ,Richtung,Volumen,Preis,Order,Kommission,Gebühr,Swap,Gewinn,Kontostand,"
    "Kommentar",
    "pt": "Conta:|Horário,Oferta,Ativo,Tipo,Direção,Volume,Preço,Ordem,Comissão,Taxa,Swap,Lucro,Saldo,Comentário",
    "zh": "账户:|时间,成交,交易品种,类型,趋向,交易量,价位,订单,手续费,费用,库存费,盈利,结余,注释",
}
TRADES = (
    (
        "2026.03.02 09:00:00",
        "1",
        "",
        "balance",
        "",
        "",
        "",
        "",
        "0.00",
        "0.00",
        "0.00",
        "10 000.00",
        "10 000.00",
        "",
    ),
    (
        "2026.03.02 10:00:00",
        "2",
        "EURUSD",
        "buy",
        "in",
        "0.10",
        "1.1",
        "2",
        "-0.35",
        "-0.10",
        "0.00",
        "0.00",
        "9 999",
        "",
    ),
    (
        "2026.03.03 11:30:00",
        "3",
        "EURUSD",
        "sell",
        "out",
        "0.10",
        "1.2",
        "3",
        "-0.35",
        "0.00",
        "-0.12",
        "1 000",
        "10 999",
        "",
    ),
)
#: The part above the deals, which states the same trade.
POSITIONS = (
    ("A",),
    ("h1", "h2", "h3", "h4", "h5", "h6", "S / L", "T / P", "h1", "h6", "h7", "h8", "h9"),
    ("2026.03.02 10:00:00", "2", "EURUSD", "buy", "0.10", "1.1", "", "", "2026.03.03 11:30:00", "1.2", "-0.70", "-0.12", "1 000"),
    ("B",),
)  # fmt: skip


def report(language: str, *, with_fee: bool = True) -> list[Sequence[str]]:
    account, headings = DEALS[language].split("|")
    left_out = [] if with_fee else [9]
    table = [headings.split(","), *TRADES]
    deals = [[cell for place, cell in enumerate(row) if place not in left_out] for row in table]
    return [(account, "", "7300 (USD, Server-1, demo, Hedge)"), *POSITIONS, *deals]


def written(folder: Path, kind: str, rows: Sequence[Sequence[str]]) -> Path:
    path = folder / f"report.{kind}"
    if kind == "xlsx":
        return write_xlsx(path, rows)
    if kind == "csv":
        path.write_text(
            "\n".join(",".join(f'"{c}"' if "," in c else c for c in row) for row in rows), "utf-8"
        )
        return path
    cells = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    path.write_text(
        f"<html><body><table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table></body></html>", "utf-16"
    )
    return path


def fills_of(statement: Statement) -> list[Fill]:
    return [row for row in statement.rows() if isinstance(row, Fill) and not isinstance(row, Event)]


@pytest.mark.parametrize("kind", ["html", "csv", "xlsx"])
@pytest.mark.parametrize("language", DEALS)
def test_deals_are_read_in_every_language(language: str, kind: str, tmp_path: Path) -> None:
    statement = open_statement(written(tmp_path, kind, report(language)), INSTRUMENTS, OPTIONS)
    fills = fills_of(statement)
    assert statement.layout == "metatrader5_deals"
    assert [(fill.account, fill.fill_id, fill.time.hour, fill.price) for fill in fills] == [
        ("7300", "2", 8, Decimal("1.1")),
        ("7300", "3", 9, Decimal("1.2")),
    ]
    assert [statement.effect(fill) for fill in fills]
    assert statement.skipped == {}
    events = [row for row in statement.rows() if isinstance(row, Event)]
    assert [(event.kind, event.amount, event.currency) for event in events] == [
        ("deposit", 10_000, "USD"),
        ("swap", Decimal("-0.12"), "USD"),
    ]


def test_deals_of_older_reports_have_one_column_of_costs(tmp_path: Path) -> None:
    file = written(tmp_path, "html", report("ru", with_fee=False))
    fills = fills_of(open_statement(file, INSTRUMENTS, OPTIONS))
    assert [fill.quantity for fill in fills] == [Decimal("0.1")] * 2


@pytest.mark.parametrize("kind", ["html", "csv", "xlsx"])
def test_a_report_without_deals_is_read_by_its_positions(kind: str, tmp_path: Path) -> None:
    rows = [("Compte:", "7300 (USD, Server-1, demo, Hedge)"), *POSITIONS]
    statement = open_statement(written(tmp_path, kind, rows), INSTRUMENTS, OPTIONS)
    fills = fills_of(statement)
    assert statement.layout == "metatrader5_positions"
    assert [(fill.account, fill.fill_id, fill.side.value, fill.is_leg) for fill in fills] == [
        ("7300", "2:in", "BUY", True),
        ("7300", "2:out", "SELL", True),
    ]


def test_closed_transactions_of_metatrader_4_are_read_in_every_language(tmp_path: Path) -> None:
    headings = [
        "Тикет",
        "Время",
        "Тип",
        "Объем",
        "Символ",
        "Цена",
        "S / L",
        "T / P",
        "Время",
        "Цена",
        "Комиссия",
        "Налоги",
        "Своп",
        "Прибыль",
    ]
    trade = (
        "101,2026.03.02 09:15:00,buy,1.00,eurusd,1.0842,0,0,2026.03.03 14:22:00,1.0861,-7.00,0.00,0.00,190.00"
    )
    above = [("Счет: 7200", "Имя: Trader", "Валюта: USD"), ("Закрытые сделки:",)]
    file = written(tmp_path, "html", [*above, headings, trade.split(",")])
    fills = fills_of(open_statement(file, INSTRUMENTS, OPTIONS))
    assert [(fill.account, fill.symbol, fill.commission) for fill in fills] == [
        ("7200", "EURUSD", Decimal(7)),
        ("7200", "EURUSD", Decimal(0)),
    ]


def deals(folder: Path, *rows: str, money: str = "USD") -> list[tuple[str, str, Decimal, str]]:
    """Symbol, side, multiplier and currency of the deals, for which nobody stated the size of a lot."""
    headings = DEALS["en"].split("|")[1].split(",")
    made = [[f"2026.03.0{n} 10:00:00", str(n), *row.split(), "0", "0", "0"] for n, row in enumerate(rows, 2)]
    table = [(*cells[:7], cells[1], *cells[8:11], cells[7], "0", "") for cells in made]
    account = ("Account:", "", f"7300 ({money}, Server-1, demo, Hedge)")
    file = written(folder, "html", [account, headings, *table])
    nobody = load_instruments(Path("/nonexistent.yaml"), "USD")
    found = open_statement(file, nobody, OPTIONS).rows()
    return [
        (row.symbol, row.side.value, row.multiplier, row.currency) for row in found if isinstance(row, Fill)
    ]


def test_the_size_of_a_lot_follows_from_the_results(tmp_path: Path) -> None:
    assert deals(tmp_path, "EURUSD buy in 0.1 1.1 0", "EURUSD sell out 0.1 1.105 50") == [
        ("EURUSD", "BUY", 100_000, "USD"),
        ("EURUSD", "SELL", 100_000, "USD"),
    ]
    assert {
        one[2:] for one in deals(tmp_path, "GER40 sell in 2 18000 0", "GER40 buy out 2 17990 20", money="EUR")
    } == {(Decimal(1), "EUR")}


@pytest.mark.parametrize(
    "rows",
    [
        (
            "EURAUD buy in 1 1.6 0",
            "EURAUD sell out 1 1.605 321.5",
            "EURAUD buy in 1 1.6 0",
            "EURAUD sell out 1 1.605 90",
        ),
        ("EURUSD buy in 1 1.1 0",),
        ("EURUSD buy in 1 1.1 0", "EURUSD buy in 1 1.2 0", "EURUSD sell out 1 1.3 20000"),
        ("EURUSD buy in 1 1.1 0", "EURUSD sell out 1 1.1 0"),
    ],
    ids=["rates that are far apart", "nothing closed", "two entry prices", "nothing moved"],
)
def test_a_size_that_no_result_shows_is_asked_for(rows: tuple[str, ...], tmp_path: Path) -> None:
    assert deals(tmp_path, *rows) == []


def test_a_symbol_in_another_currency_is_booked_at_the_rates_of_its_results(tmp_path: Path) -> None:
    rows = (
        "EURAUD sell in 0.03 1.55244 0",
        "EURAUD sell in 0.5 1.55242 0",
        "EURAUD buy out 0.5 1.55084 50.71",
        "EURAUD buy out 0.03 1.55055 3.64",
    )
    made = deals(tmp_path, *rows)
    assert {one[2:] for one in made} == {(Decimal(100_000), "USD")}
    file = tmp_path / "report.html"
    statement = open_statement(file, load_instruments(Path("/nonexistent.yaml"), "USD"), OPTIONS)
    gross = sum(
        fill.price * fill.quantity * fill.multiplier * (1 if fill.side.value == "SELL" else -1)
        for fill in fills_of(statement)
    )
    assert abs(gross - Decimal("54.35")) < Decimal("1E-8")
    assert "EURAUD is booked at the rates of its results" in statement.assumed
