"""Activity statements of Interactive Brokers in any language as tables with English headings.

`Header`, `Data`, `Order`, the codes and the order of columns are those of the English statement in every
language. Names of parts, headings and asset categories are translated; they are known by what stands in
their columns, and by tables of names where that leaves a doubt.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from tearsheet.sources.files.table_source import TableSource
from tearsheet.sources.text.problem import RowProblem
from tearsheet.sources.translations.table_view import TableView

_DISCRIMINATOR = "DataDiscriminator"
#: A statement has a heading within so many rows.
_BEGINS_WITHIN = 100
_TRADE_LEVELS = ("Order", "Trade", "Execution", "ClosedLot")
_POSITION_LEVELS = ("Summary", "Lot")
_ACCOUNT = re.compile(r"^(?:[A-Z]{1,3}[\d*]{3,12}|\d{5,12})\b")
_MONEY = re.compile(r"^[A-Z]{3}$")
_MONEY_WITHIN = re.compile(r"\b[A-Z]{3}\b")
_DAY = re.compile(r"^\d{4}-\d\d-\d\d$")
_INSTANT = re.compile(r"^\d{4}-\d\d-\d\d[,;]? +\d\d:\d\d:\d\d$")
_NUMBER = re.compile(r"^[-+]?[\d.,' \u00a0]*\d$")
_OPTION = re.compile(r"^[A-Z0-9]{1,6} \d{1,2}[A-Z]{3}\d\d [\d.]+ [CP]$")
_PERIOD_DAY = re.compile(r"([^\W\d]+)\.? (\d{1,2}), (\d{4})")
_TRANSFER_KINDS = frozenset(("ACATS", "ATON", "FOP", "DWAC", "DRS"))
_AFTER_TIME = ("Quantity", "T. Price", "C. Price", "Proceeds", "Comm/Fee", "Basis", "Realized P/L")
_ACTION_COLUMNS = (
    "Report Date",
    "Date/Time",
    "Description",
    "Quantity",
    "Proceeds",
    "Value",
    "Realized P/L",
    "Code",
)
_TRANSFER_COLUMNS = (
    *("Symbol", "Date", "Type", "Direction", "Xfer Company", "Xfer Account", "Qty", "Xfer Price"),
    *("Market Value", "Realized P/L", "Cash Amount", "Code"),
)
_SUMMARY = "Realized & Unrealized Performance Summary"
_SUMMARY_WIDTH = 17
_FIELD_WIDTH = 4
_SUMMARY_TOTAL = 9
#: Parts by their names in German, Spanish, French, Italian, Portuguese, Russian, Dutch, Chinese and Japanese.
_PARTS: dict[str, tuple[str, ...]] = {
    "Corporate Actions": (
        *("Kapitalmaßnahmen", "Kapitalmassnahmen", "Acciones corporativas", "Eventos corporativos"),
        *("Opérations sur titres", "Actions d'entreprise", "Operazioni societarie", "Azioni societarie"),
        *(
            "Ações corporativas",
            "Корпоративные действия",
            "Bedrijfsacties",
            "公司行动",
            "コーポレートアクション",
        ),
    ),
    "Transfers": (
        *("Überträge", "Übertragungen", "Transferencias", "Transferts", "Trasferimenti", "Transferências"),
        *("Переводы", "Overdrachten", "转账", "振替"),
    ),
    "Dividends": (*("Dividenden", "Dividendos", "Dividendes", "Dividendi", "Дивиденды", "股息", "配当"),),
    "Withholding Tax": (
        *(
            "Quellensteuer",
            "Retención de impuestos",
            "Retenciones",
            "Retenue à la source",
            "Impôt à la source",
        ),
        *("Ritenuta d'acconto", "Ritenuta alla fonte", "Imposto retido na fonte", "Удерживаемый налог"),
        *("Bronbelasting", "预扣税", "源泉徴収税"),
    ),
    "Deposits & Withdrawals": (
        *("Einzahlungen & Auszahlungen", "Ein- und Auszahlungen", "Depósitos y retiradas"),
        *("Depósitos y retiros", "Dépôts et retraits", "Depositi e prelievi", "Depósitos e retiradas"),
        *("Depósitos e levantamentos", "Вводы и выводы средств", "Депозиты и снятия", "存款和取款"),
    ),
    "Interest": ("Zinsen", "Intereses", "Intérêts", "Interessi", "Juros", "Процент", "Проценты", "Rente"),
    "Fees": ("Gebühren", "Tarifas", "Frais", "Commissioni", "Taxas", "Сборы/комиссии", "Сборы", "Kosten"),
}
_ASSETS: dict[str, tuple[str, ...]] = {
    "Stocks": (
        *(
            "Aktien",
            "Acciones",
            "Actions",
            "Azioni",
            "Ações",
            "Acções",
            "Акции",
            "Aandelen",
            "Akcje",
            "Aktier",
        ),
        *("Részvények", "股票", "株式", "주식"),
    ),
    "Equity and Index Options": (
        *("Aktien- und Indexoptionen", "Opciones sobre acciones e índices", "Opciones de acciones e índices"),
        *("Options sur actions et indices", "Opzioni su azioni e indici", "Opções sobre ações e índices"),
        *("Opções de ações e índices", "Опционы на акции и индексы", "股票和指数期权"),
    ),
    "Futures": ("Futuros", "Contrats à terme", "Contratos de futuros", "Фьючерсы", "期货", "先物"),
    "Options On Futures": (
        *("Futures-Optionen", "Optionen auf Futures", "Opciones sobre futuros", "Options sur futures"),
        *(
            "Options sur contrats à terme",
            "Opzioni su futures",
            "Opções sobre futuros",
            "Опционы на фьючерсы",
        ),
    ),
    "Warrants": ("Optionsscheine", "Варранты", "Bons de souscription"),
    "Mutual Funds": (
        *("Investmentfonds", "Fondos de inversión", "Fondos mutuos", "Fonds communs de placement"),
        *("Fondi comuni", "Fundos mútuos", "Fundos de investimento", "Взаимные фонды", "Паевые фонды"),
    ),
    "Bonds": ("Anleihen", "Bonos", "Obligations", "Obbligazioni", "Títulos", "Obrigações", "Облигации"),
    "CFDs": ("CFD", "Differenzkontrakte"),
    "Crypto": (
        *("Kryptowährungen", "Criptomonedas", "Criptodivisas", "Cryptomonnaies", "Criptovalute"),
        *("Criptomoedas", "Криптовалюты", "Krypto"),
    ),
    "Forex": ("Devisen", "Divisas", "Devises", "Форекс", "Câmbio", "Valuta"),
}
#: How the names of months begin, the longer beginnings first.
_MONTHS: dict[str, tuple[str, ...]] = {
    "January": ("jan", "ene", "gen", "янв"),
    "February": ("feb", "fév", "fev", "фев"),
    "March": ("mar", "mär", "maa", "мар"),
    "April": ("apr", "abr", "avr", "апр"),
    "May": ("may", "mai", "mag", "mei", "май", "мая"),
    "June": ("juin", "jun", "giu", "июн"),
    "July": ("juil", "jul", "lug", "июл"),
    "August": ("aug", "ago", "aoû", "авг"),
    "September": ("sep", "set", "сен"),
    "October": ("oct", "okt", "out", "ott", "окт"),
    "November": ("nov", "ноя"),
    "December": ("dec", "dez", "dic", "déc", "дек"),
}


def _by_word(names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {word.casefold(): name for name, words in names.items() for word in (name, *words)}


_PART_OF, _ASSET_OF, _MONTH_OF = _by_word(_PARTS), _by_word(_ASSETS), _by_word(_MONTHS)


class ActivityTable(TableView):
    """A statement with English names of parts, headings and asset categories."""

    def __init__(self, table: TableSource) -> None:
        super().__init__(table)
        #: The account, as an English statement states it.
        self.stated: list[str] = []
        self._parts: dict[str, str] = {}
        self._headings: dict[tuple[str, ...], list[str]] = {}
        self._find()

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """Yield the rows below a position, in English."""
        for cells, problem in self._table.rows(after):
            yield (cells, problem) if problem is not None else (self._english(cells), None)

    def _find(self) -> None:
        """Learn what each part is by the first row below each of its headings."""
        heading: list[str] = []
        at = 0
        for number, (cells, problem) in enumerate(self._table.rows(0)):
            if number > _BEGINS_WITHIN and not heading:
                return
            if problem is not None or len(cells) < 3:
                continue
            if cells[1] == "Header":
                heading, at = cells, self._table.resume_after
            elif cells[1] == "Data" and heading and cells[0] == heading[0]:
                if tuple(heading) not in self._headings:
                    part, names = _recognize(heading, cells)
                    self._parts.setdefault(cells[0], part)
                    self._headings[tuple(heading)] = names
                    if part == "Trades" and not self.header:
                        self.header, self.header_at = names, at
                if (
                    len(heading) == 4
                    and cells[0] != "Statement"
                    and _ACCOUNT.match(cells[-1])
                    and not self.stated
                ):
                    self._parts[cells[0]] = "Account Information"
                    self.stated.append(f"Account Information,Data,Account,{cells[-1]}")

    def _english(self, cells: list[str]) -> list[str]:
        if len(cells) < 3:
            return cells
        part = self._parts.get(cells[0], cells[0])
        if cells[1] == "Header":
            return self._headings.get(tuple(cells), [part, *cells[1:]])
        row = [part, *cells[1:]]
        if part in ("Trades", "Open Positions") and len(row) > 6:
            row[3] = _asset(row)
        elif part in (_SUMMARY, "Corporate Actions", "Transfers"):
            row[2] = _ASSET_OF.get(row[2].strip().casefold(), row[2])
        elif part == "Account Information" and len(row) == _FIELD_WIDTH:
            row[2] = _field(row)
        elif part == "Statement" and row[2] == "Period":
            row[3] = _PERIOD_DAY.sub(_english_day, row[3])
        return row


def _recognize(heading: Sequence[str], row: Sequence[str]) -> tuple[str, list[str]]:
    """Return the English name of a part, and its heading in English, by its first row."""
    level = row[2] if heading[2] == _DISCRIMINATOR else ""
    if level in _TRADE_LEVELS and (names := _trade_names(heading, row)):
        return "Trades", names
    if level in _POSITION_LEVELS:
        return "Open Positions", _position_names(heading, row)
    if not level and len(heading) == _SUMMARY_WIDTH and row[2].strip().casefold() in _ASSET_OF:
        names = ["Asset Category", "Symbol", *heading[4:_SUMMARY_TOTAL], "Realized Total"]
        return _SUMMARY, [_SUMMARY, "Header", *names, *heading[_SUMMARY_TOTAL + 1 :]]
    if len(heading) == _FIELD_WIDTH:
        return row[0], [row[0], "Header", "Field Name", "Field Value"]
    part = _PART_OF.get(row[0].strip().casefold(), row[0])
    days = [place for place, cell in enumerate(row) if _DAY.match(cell)]
    if days and days[0] in (4, 5) and len(row) > 11 and _INSTANT.match(row[days[0] + 1]):
        return _named("Corporate Actions", heading, _ACTION_COLUMNS, has_account=days[0] == 5)
    if _MONEY.match(row[3]) and _TRANSFER_KINDS & {cell.upper() for cell in row}:
        return _named("Transfers", heading, _TRANSFER_COLUMNS, has_account=bool(days) and days[0] == 6)
    if part in _PARTS and _MONEY.match(row[2]) and days:
        day = "Settle Date" if part == "Deposits & Withdrawals" else "Date"
        account = ["Account"] if days[0] == 4 else []
        names = [part, "Header", "Currency", *account, day, "Description", "Amount"]
        return part, [*names, *heading[len(names) :]]
    return part, [part, *heading[1:]]


def _named(
    part: str, heading: Sequence[str], columns: Sequence[str], *, has_account: bool
) -> tuple[str, list[str]]:
    """Return a part and its heading in English, whose columns have one order in every language."""
    names = [part, "Header", "Asset Category", "Currency", *(["Account"] if has_account else []), *columns]
    return part, [*names, *heading[len(names) :]]


def _trade_names(heading: Sequence[str], row: Sequence[str]) -> list[str]:
    """Return the heading of trades in English, nothing without a time among the first columns."""
    time = next((place for place in (6, 7) if place < len(row) and _INSTANT.match(row[place])), 0)
    last = max((place for place, cell in enumerate(heading) if cell), default=0)
    if not time or last < time + 6:
        return []
    account = ["Account"] if time == 7 else []
    names = [
        "Trades",
        "Header",
        _DISCRIMINATOR,
        "Asset Category",
        "Currency",
        *account,
        "Symbol",
        "Date/Time",
    ]
    after = [name for name in _AFTER_TIME if name != "C. Price" or last - time > 8]
    names += after
    if len(names) < last and "%" in heading[len(names)]:
        names.append("Realized P/L %")
    names += ["MTM P/L"] if len(names) < last else []
    names = [*names[:last], "Code"]
    fee = names.index("Comm/Fee") if "Comm/Fee" in names else 0
    if fee and (money := _MONEY_WITHIN.search(heading[fee])):  # of currencies, in another money
        names[fee] = f"Comm in {money[0]}"
    return [name if heading[place] else "" for place, name in enumerate(names)] + [*heading[len(names) :]]


def _position_names(heading: Sequence[str], row: Sequence[str]) -> list[str]:
    symbol = 6 if len(row) > 6 and _ACCOUNT.match(row[5]) else 5
    names = ["Open Positions", *heading[1:]]
    names[3:5] = ["Asset Category", "Currency"]
    names[5:symbol] = ["Account"] * (symbol - 5)
    names[symbol] = "Symbol"
    quantity = next(
        (place for place, cell in enumerate(row) if place > symbol and _NUMBER.match(cell.strip())), 0
    )
    if quantity and quantity + 2 < len(names):
        names[quantity : quantity + 3] = ["Quantity", "Mult", "Cost Price"]
    return names


def _asset(row: Sequence[str]) -> str:
    """Return the English asset category of a row, by its word, its symbol or its amount."""
    word = row[3].strip()
    if (known := _ASSET_OF.get(word.casefold())) or not word:
        return known or row[3]
    if any(map(_OPTION.match, row[5:7])):
        return "Equity and Index Options"
    time = next((place for place in (6, 7) if place < len(row) and _INSTANT.match(row[place])), 0)
    if time and len(row) > time + 4 and row[time - 1].isalnum():
        quantity, price, amounts = row[time + 1], row[time + 2], row[time + 3 : time + 5]
        if any(_is_product(quantity, price, amount) for amount in amounts):
            return "Stocks"
    return row[3]


def _is_product(quantity: str, price: str, amount: str) -> bool:
    """Return whether quantity × price is an amount, as for shares; marks may be points or commas."""
    for mark, between in ((".", ","), (",", ".")):
        try:
            numbers = [Decimal(t.replace(between, "").replace(mark, ".")) for t in (quantity, price, amount)]
        except InvalidOperation:
            continue
        if numbers[2] and abs(numbers[0] * numbers[1] + numbers[2]) <= Decimal("0.01"):
            return True
    return False


def _field(row: Sequence[str]) -> str:
    """Return the English name of a field about the account, by its value."""
    if _ACCOUNT.match(row[3]):
        return "Account"
    return "Base Currency" if _MONEY.match(row[3]) else row[2]


def _english_day(match: re.Match[str]) -> str:
    word = match[1].casefold()
    month = next((_MONTH_OF[word[:size]] for size in (4, 3) if word[:size] in _MONTH_OF), match[1])
    return f"{month} {match[2]}, {match[3]}"
