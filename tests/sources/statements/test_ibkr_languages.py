"""Activity statements of Interactive Brokers in the languages of its customers state the same as in English."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tearsheet.sources.config.instruments import load_instruments
from tearsheet.sources.reports.broker_report import read_report
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import open_statement
from tearsheet.trade.fill import Fill
from tests.support.place import SAMPLES

INSTRUMENTS = load_instruments(SAMPLES / "instruments.yaml", "USD")
OPTIONS = StatementOptions(timezone=ZoneInfo("America/New_York"), account=None)
ENGLISH = (
    "Field Name,Field Value|Account Information|Account|Base Currency|November|Trades|Asset Category,Currency,Symbol,"
    "Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code|Stocks|"
    "Equity and Index Options|Futures|Corporate Actions|Open Positions|Realized & Unrealized Performance Summary"
)
#: The same in other languages, in the same order.
LANGUAGES = {
    "de": "Feldname,Feldwert|Kontoinformation|Konto|Basiswährung|November|Transaktionen|Vermögenswertkategorie,"
    "Währung,Symbol,Datum/Zeit,Menge,T.-Kurs,Schlusskurs,Erlös,Prov./Gebühr,Basis,Realisierter G&V,MTM-G&V,Code|"
    "Aktien|Aktien- und Indexoptionen|Futures|Kapitalmaßnahmen|Offene Positionen|Übersicht der Wertentwicklung",
    "es": "Nombre del campo,Valor del campo|Información sobre la cuenta|Cuenta|Divisa base|Noviembre|Operaciones|"
    "Categoría de activo,Divisa,Símbolo,Fecha/Hora,Cantidad,Precio trans.,Precio de cier.,Productos,Tarifa/com.,"
    "Básico,PyG realizadas,MTM P/G,Código|Acciones|Opciones sobre acciones e índices|Futuros|Hechos corporativos|"
    "Posiciones abiertas|Resumen de rendimiento",
    "fr": "Nom champ,Valeur champ|Informations du compte|Compte|Devise de base|Novembre|Transactions|"
    "Catégorie d'actifs,Devise,Symbole,Date/Heure,Quantité,Prix trans.,Cours de clôt.,Produit,Comm/Tarif,Base,"
    "P/L réalisé,P/L MTM,Code|Actions|Options sur actions et indices|Contrats à terme|Événements|"
    "Positions ouvertes|Résumé de performance",
    "ru": "Название поля,Значение поля|Информация о счете|Счет|Базовая валюта|Ноября|Сделки|Класс актива,Валюта,"
    "Символ,Дата/Время,Количество,Цена транзакции,Цена закрытия,Выручка,Комиссия/плата,Базис,Реализованная П/У,"
    "Рыноч. переоценка П/У,Код|Акции|Опционы на акции и индексы|Фьючерсы|Корпоративные действия|Открытые позиции|"
    "Сводка по доходности",
    "pt": "Nome do campo,Valor do campo|Informações da conta|Conta|Moeda base|Novembro|Operações|Categoria de ativos,"
    "Moeda,Símbolo,Data/hora,Quantidade,Preço Neg.,Preço Fch.,Rendimentos,Corr/Taxa,Base,P&L realizados,P&L MTM,"
    "Código|Ações|Opções sobre ações e índices|Futuros|Eventos|Posições abertas|Resumo de desempenho",
}
RESULTS = """Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,Cost Price,Cost Basis,Close Price,Value,Unrealized P/L,Code
Open Positions,Data,Summary,Stocks,USD,AAPL,1000,1,150.25505,150255.05,151,151000,744.95,
Realized & Unrealized Performance Summary,Header,Asset Category,Symbol,Cost Adj.,Realized S/T Profit,Realized S/T Loss,Realized L/T Profit,Realized L/T Loss,Realized Total,Unrealized S/T Profit,Unrealized S/T Loss,Unrealized L/T Profit,Unrealized L/T Loss,Unrealized Total,Total,Code
Realized & Unrealized Performance Summary,Data,Stocks,AAPL,0,0,0,0,0,12.5,0,0,0,0,0,12.5,
"""
PERIOD = (
    'Statement,Header,Field Name,Field Value\nStatement,Data,Period,"November 16, 2026 - November 18, 2026"\n'
)


def told(file: Path) -> list[str]:
    """Everything that is read of a statement as fills, and what it states of results."""
    statement = open_statement(file, INSTRUMENTS, OPTIONS)
    rows = [
        f"{row.account} {row.symbol} {row.time} {row.side} {row.quantity} {row.price} {row.commission} {row.key}"
        if isinstance(row, Fill)
        else f"! {row.line} {row.code} {row.account}"
        for row in statement.rows()
    ]
    report = read_report(file, INSTRUMENTS, OPTIONS)
    results = [f"{line.symbol} {line.amounts} {line.since} {line.day}" for line in report.lines]
    return [*rows, *results, str(statement.skipped), str(report.period), str(len(report.fills))]


def translated(text: str, language: str) -> str:
    """An English statement with the words of another language."""
    english, other = ENGLISH.split("|"), LANGUAGES[language].split("|")
    words = dict(zip(english, other, strict=True))
    for name, word in zip(english[6].split(","), other[6].split(","), strict=True):
        words[f",{name},"] = f",{word},"
    words[",Account,"] = f",{words.pop('Account')},"
    for name, word in words.items():
        text = text.replace(name, word)
    return text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_statement_in_another_language_is_read_like_the_english_one(language: str, tmp_path: Path) -> None:
    trades = (SAMPLES / "ibkr_activity.csv").read_text("utf-8").partition("Activity Statement\n")[2]
    english, other = tmp_path / "english" / "s.csv", tmp_path / "other" / "s.csv"
    for file in (english, other):
        file.parent.mkdir()
    english.write_text(PERIOD + trades + RESULTS, "utf-8")
    other.write_text(translated(PERIOD + trades + RESULTS, language), "utf-8")
    assert "Trades" not in other.read_text("utf-8")
    assert told(other) == told(english)
