"""Reader of the sections of a statement that state totals: results, positions, cash, deposits, balances."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from tearsheet.sources.files.table_source import TableSource
from tearsheet.sources.layouts.header import header_places, normalize_name
from tearsheet.sources.layouts.layout import Layout
from tearsheet.sources.layouts.report_rules import HeaderFact, ReportRules, SectionRule, StatedQuantity
from tearsheet.sources.reports.reported import BrokerReport, ReportLine
from tearsheet.sources.statements.fill_rows import asset_class_of
from tearsheet.sources.statements.statement import Statement
from tearsheet.sources.text.contracts import option_symbol
from tearsheet.sources.text.problem import RowError, RowProblem
from tearsheet.sources.text.times import TimeFormatError, TimeParser, date_in_text
from tearsheet.trade.amount import ZERO
from tearsheet.trade.instrument import Instruments, UnknownInstrument

_QUANTITIES: tuple[StatedQuantity, ...] = (
    "realized",
    "net",
    "fees",
    "position",
    "price",
    "balance",
    "deposit",
    "cash",
)
_SHOWN = 200
_DAY = re.compile(r"([A-Z][a-z]+) (\d{1,2}), (\d{4})")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class _SectionRow(Struct, frozen=True):
    """Row with its section, its line number and its cells by normalized column name."""

    part: str
    line: int
    cells: Mapping[str, str]

    def text(self, names: Sequence[str]) -> str:
        """Return the cell of the first of these columns that the row has."""
        return next(
            (self.cells[normalize_name(n)].strip() for n in names if normalize_name(n) in self.cells), ""
        )

    def matches(self, rule: HeaderFact | SectionRule) -> bool:
        """Return whether a rule applies to this row."""
        if rule.part and rule.part != self.part:
            return False
        if isinstance(rule, SectionRule):
            for column, words in rule.never.items():
                if self.text([column]) in words:
                    return False
        return all(self.text([column]) in words for column, words in rule.only.items())


def read_sections(
    path: Path,
    statement: Statement,
    report: ReportRules,
    instruments: Instruments,
    account: str | None,
    into: BrokerReport,
) -> None:
    """Add the totals that a statement's sections state to a report; invalid rows become rejections."""
    parts = _SectionReader(path, statement, report, instruments, account, into)
    rows = list(_rows(statement, report))
    for row in rows:
        parts.read_header(row)
    for row in rows:
        for rule in report.stated:
            if row.matches(rule):
                parts.add_row(row, rule)


class _SectionReader:
    def __init__(
        self,
        path: Path,
        statement: Statement,
        report: ReportRules,
        instruments: Instruments,
        account: str | None,
        into: BrokerReport,
    ) -> None:
        self._path, self._report, self._target = path, report, into
        self._layout, self._parse_rules = statement.detected.layout, statement.parse_rules
        self._instruments = instruments
        self._account = account or statement.detected.preamble.get("account")
        self._given_account = account
        self._base: str | None = None
        self._times = TimeParser(self._parse_rules.zone, self._parse_rules.order, ascending=False)
        self._multipliers = {one.fill.symbol: one.fill for one in into.fills}

    def read_header(self, row: _SectionRow) -> None:
        """Read the account, base currency and period that the statement states."""
        for rule in self._report.about:
            if not row.matches(rule):
                continue
            text = {name: row.text(names) for name, names in rule.columns.items()}
            account = self._given_account or text.get("account") or self._account
            self._account = account
            self._base = text.get("base_currency") or self._base
            days = [date_in_text(text.get(name, ""), None) for name in ("since", "until")]
            if text.get("period"):
                days = _period(text["period"])
            if account and len(days) == 2 and days[0] and days[1]:
                self._target.period[account] = (days[0], days[1])
            elif text.get("period") and len(days) == 2 and days[0] and days[1]:
                self._target.period[""] = (days[0], days[1])
        if (owner := self._account) and (stated := self._target.period.pop("", None)):
            self._target.period[owner] = stated

    def add_row(self, row: _SectionRow, rule: SectionRule) -> None:
        """Add the report line of a row, or a rejection; a total of other rows (empty symbol) adds no line."""
        try:
            if line := self._line(row, rule):
                self._target.lines.append(line)
        except RowError as bad:
            self._add_rejection(row, bad.problem)
        except TimeFormatError as bad:
            self._add_rejection(row, RowProblem("bad_time", bad.reason, bad.hint))

    def _line(self, row: _SectionRow, rule: SectionRule) -> ReportLine | None:
        says = self._amounts(row, rule)
        account = self._given_account or row.text(rule.columns.get("account", [])) or self._account
        if not says or ("symbol" in rule.columns and not row.text(rule.columns["symbol"])):
            return None
        if not account:
            raise RowError("missing_field", "account is empty", "set it with --account")
        currency = row.text(rule.columns.get("currency", [])) or None
        since, day, at = self._date(row, rule, account)
        symbol = None
        if "symbol" in rule.columns:
            symbol, money = self._instrument(row, rule, currency, day or (at.date() if at else None))
            if rule.of == "period" and "net" in says and self._base not in (None, money):
                self._add_note(f"results in {money} are stated in {self._base}, and not compared")
                return None
            currency = None
        return ReportLine(
            line=row.line,
            account=account,
            amounts=says,
            symbol=symbol,
            currency=currency,
            since=since,
            day=day,
            at=at,
        )

    def _amounts(self, row: _SectionRow, rule: SectionRule) -> dict[StatedQuantity, Decimal]:
        amounts = {name: [row.text(rule.columns[name])] for name in _QUANTITIES if name in rule.columns}
        for name, columns in rule.adds.items():
            amounts[name] = [row.text([column]) for column in columns]
        if rule.word:
            words = rule.words.get(row.text([rule.word]), [])
            amounts |= {name: [row.text(rule.columns["amount"])] for name in words}
        totals: dict[StatedQuantity, Decimal] = {}
        for name, texts in amounts.items():
            numbers = [self._number(name, text) for text in texts]
            stated = [one for one in numbers if one is not None]
            if stated:
                total = sum(stated, ZERO)
                totals[name] = -total if name in rule.negative else total
        return totals

    def _number(self, name: str, text: str) -> Decimal | None:
        try:
            return self._parse_rules.numbers.parse(text)
        except ValueError as error:
            raise RowError("bad_number", f"{name} {error}", "check it with the broker") from None

    def _date(
        self, row: _SectionRow, rule: SectionRule, account: str
    ) -> tuple[date | None, date | None, datetime | None]:
        if "time" in rule.columns:
            return None, None, self._times.parse(row.text(rule.columns["time"]))
        if stated := date_in_text(row.text(rule.columns.get("day", [])), self._parse_rules.order):
            return None, stated, None
        if account not in self._target.period:
            raise RowError("missing_field", "the statement has no period", "export the complete statement")
        since, until = self._target.period[account]
        return (since if rule.of == "period" else None), until, None

    def _instrument(
        self, row: _SectionRow, rule: SectionRule, currency: str | None, day: date | None
    ) -> tuple[str, str]:
        """Return symbol and currency. Symbols of the statement's own fills need no instrument table."""
        text = row.text(rule.columns["symbol"])
        word = row.text(rule.columns.get("asset_class", []))
        kind = asset_class_of(self._layout.asset_classes.get(word, ""))
        if option := self._option(text):
            text, kind = option, "option"
        instrument = self._instruments.resolve(text, day or date.min, kind, currency)
        if isinstance(instrument, UnknownInstrument):
            if known := self._multipliers.get(" ".join(text.upper().split())):
                return known.symbol, known.currency
            raise RowError(instrument.code, instrument.reason, instrument.hint)
        return instrument.symbol, instrument.currency

    def _option(self, text: str) -> str:
        """Return the OCC symbol of an option that matches a pattern of the layout."""
        for part in self._layout.parts:
            for pattern in part.patterns:
                match = re.fullmatch(pattern, text[:_SHOWN])
                if match is not None and match.groupdict().get("right"):
                    return option_symbol(match.groupdict(), self._layout.expiries)
        return ""

    def _add_note(self, words: str) -> None:
        if words not in self._target.notes:
            self._target.notes.append(words)

    def _add_rejection(self, row: _SectionRow, problem: RowProblem) -> None:
        text = ",".join(cell for cell in row.cells.values() if cell)
        self._target.rejected.append(problem.rejection(self._path.name, row.line, text))


def _rows(statement: Statement, report: ReportRules) -> Iterator[_SectionRow]:
    detected, grid = statement.detected, statement.detected.table
    if report.sections:
        yield from _section_rows(grid)
    elif detected.kind == "xml":
        yield from _element_rows(grid)
    else:
        yield from _table_rows(grid, detected.position.header, detected.position.header_line, detected.layout)


def _section_rows(grid: TableSource) -> Iterator[_SectionRow]:
    headers: dict[str, dict[str, int]] = {}
    for cells, problem in grid.rows(0):
        if problem is not None or len(cells) < 3:
            continue
        part, kind = cells[0].strip(), cells[1].strip()
        if kind == "Header":
            headers[part] = header_places(cells)
        elif kind == "Data" and part in headers:
            yield _SectionRow(part, grid.line, _columns_by_name(headers[part], cells))


def _element_rows(grid: TableSource) -> Iterator[_SectionRow]:
    places: dict[str, int] = {}
    for cells, problem in grid.rows(0):
        if not places:
            places = header_places(cells)
        elif problem is None:
            row = _columns_by_name(places, cells)
            yield _SectionRow(row.get("element", ""), grid.line, row)


def _table_rows(
    grid: TableSource, header: Sequence[str], header_line: int, layout: Layout
) -> Iterator[_SectionRow]:
    places = header_places(header)
    for cells, problem in grid.rows(header_line):
        if layout.table_ends == "blank" and not "".join(cells[1:]).strip():
            return
        if problem is None:
            yield _SectionRow("", grid.line, _columns_by_name(places, cells))


def _columns_by_name(places: Mapping[str, int], cells: Sequence[str]) -> dict[str, str]:
    return {name: cells[place] for name, place in places.items() if place < len(cells)}


def _period(text: str) -> list[date | None]:
    """Return the first and last day of a period such as November 16, 2026 - November 18, 2026."""
    days: list[date | None] = []
    for month, day, year in _DAY.findall(text):
        try:
            days.append(date(int(year), _MONTHS.index(month[:3]) + 1, int(day)))
        except ValueError:
            days.append(None)
    return days * 2 if len(days) == 1 else days
