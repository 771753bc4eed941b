"""Reader of broker reports for reconciliation: realized results, fees, positions and balances.

A report is a table of totals in the generic form, a list of round trips, or a statement of fills.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from tearsheet.errors import FormatError
from tearsheet.sources.files.csv_rows import CsvTable
from tearsheet.sources.layouts.catalogue import all_layouts
from tearsheet.sources.layouts.header import normalize_name
from tearsheet.sources.layouts.layout import Layout
from tearsheet.sources.layouts.report_rules import ReportRules, StatedQuantity
from tearsheet.sources.reports.report_table import ReportTable, instrument_of
from tearsheet.sources.reports.reported import BrokerReport, ReportedFill, ReportLine
from tearsheet.sources.reports.round_trips import read_round_trips
from tearsheet.sources.reports.sections import read_sections
from tearsheet.sources.statements.detect import detect_kind, detect_layout, header_rows
from tearsheet.sources.statements.options import StatementOptions
from tearsheet.sources.statements.statement import Statement, open_statement
from tearsheet.sources.text.encoding import NumberFormat
from tearsheet.sources.text.lines import truncate
from tearsheet.trade.amount import exact
from tearsheet.trade.event import Event
from tearsheet.trade.fill import Fill, FillRevision, Rejection
from tearsheet.trade.instrument import Instruments

#: Name of the row rule of layouts for currency conversions.
_CONVERSIONS = "currency_conversions"
GENERIC = "generic_statement"
_NEEDED = ("account", "date")
#: Columns of the generic form, and the quantities that they state.
_AMOUNTS: dict[str, StatedQuantity] = {
    "realized_pnl": "realized",
    "net_pnl": "net",
    "fees": "fees",
    "position": "position",
    "average_price": "price",
    "balance": "balance",
    "deposit": "deposit",
}
_EXAMPLE = ",".join(("account", "date", "symbol", *_AMOUNTS))


def read_report(path: Path, instruments: Instruments, options: StatementOptions) -> BrokerReport:
    """Read a broker's report.

    Raises InputError if the file cannot be read, FormatError if it is not a report.
    """
    if options.layout in (None, GENERIC) and (table := _generic_table(path)):
        return BrokerReport(
            layout=GENERIC, title="Sums of days", lines=_read_generic(table, instruments, options)
        )
    known = all_layouts(options.layouts)
    detected = detect_layout(
        path, known, options.layout, options.mapping, options.fee_sign, options.constants
    )
    if detected.layout.round_trips is not None:
        return read_round_trips(path, detected, instruments, options)
    if detected.layout.refused:
        raise FormatError(
            f"{path}: {detected.layout.title} cannot be compared with",
            f"any format of fills can, and of results {', '.join(_report_formats(options))}; "
            f"or write a CSV with some of the columns {_EXAMPLE}",
        )
    with exact():
        return _read_statement(path, open_statement(path, instruments, options), instruments, options)


def _report_formats(options: StatementOptions) -> list[str]:
    """Return the formats that are not fills but state results that can be compared."""
    known = all_layouts(options.layouts)
    return [name for name, one in known.items() if one.refused and one.round_trips is not None]


def _generic_table(path: Path) -> ReportTable | None:
    sniffed = detect_kind(path)
    if sniffed.kind != "csv":
        return None
    for number, separator, header in header_rows(path, sniffed.encoding):
        names = {normalize_name(cell) for cell in header}
        if names.issuperset(_NEEDED) and names & {*_AMOUNTS}:
            grid = CsvTable(path, sniffed.encoding, separator)
            return ReportTable(path, grid, header, number, separator)
    return None


def _read_generic(
    table: ReportTable, instruments: Instruments, options: StatementOptions
) -> list[ReportLine]:
    mark = options.decimal_mark
    form = table.number_format([*_AMOUNTS]) if mark is None else NumberFormat(mark)
    lines = []
    for line, cells in table.rows:
        account = table.text(cells, ["account"]) or options.account
        text = table.text(cells, ["date"])
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise FormatError(
                f"{table.path}, line {line}: date {truncate(text, 40)!r} is none", "write YYYY-MM-DD"
            ) from None
        if not account:
            raise FormatError(f"{table.path}, line {line}: account is empty", "say --account")
        amounts: dict[StatedQuantity, Decimal] = {}
        for column, quantity in _AMOUNTS.items():
            amount = table.number(line, cells, column, form)
            if amount is not None:
                amounts[quantity] = amount
        symbol = table.text(cells, ["symbol"])
        name = instrument_of(table.path, line, symbol, day, instruments).symbol if symbol else None
        lines.append(ReportLine(line=line, account=account, day=day, symbol=name, amounts=amounts))
    return lines


def _read_statement(
    path: Path, statement: Statement, instruments: Instruments, options: StatementOptions
) -> BrokerReport:
    """Read a statement of fills: each fill with its fees and its stated result, and all sections."""
    layout = statement.detected.layout
    rules = layout.report or ReportRules()
    report = BrokerReport(
        layout=statement.layout,
        title=layout.title,
        lines=[],
        method=rules.method,
        is_complete=rules.whole,
        zone=statement.parse_rules.zone,
        fees_in_price=rules.result == "net",
    )
    has_fees = _includes_fees(layout)
    for row in statement.rows():
        if isinstance(row, Event):
            report.lines += _fee_lines(row, statement.line) if has_fees else ()
            continue
        if isinstance(row, Rejection):
            report.rejected.append(row)
        elif not isinstance(row, FillRevision):
            line = statement.line
            report.fills.append(ReportedFill(line, row, "", has_fees, statement.effect(row)))
            report.lines.append(_report_line(statement, row, line, rules, has_fees=has_fees))
    if rules.stated:
        read_sections(path, statement, rules, instruments, options.account, report)
    if statement.skipped.get(_CONVERSIONS):
        _drop_converted_cash(report)
    if not (report.lines or report.rejected):
        raise FormatError(f"{path}: the statement contains no comparable values", "export it again")
    return report


def _fee_lines(event: Event, line: int) -> Iterator[ReportLine]:
    """Yield the fee of an instrument that has a row of its own."""
    if event.kind == "trade_fee" and event.symbol and event.amount:
        yield ReportLine(
            line=line,
            account=event.account,
            symbol=event.symbol,
            amounts={"fees": -event.amount},
            at=event.time,
        )


def _drop_converted_cash(report: BrokerReport) -> None:
    """Remove the cash amounts of a statement that contains currency conversions.

    The cash of its trades then includes conversions, which are not fills.
    """
    for n, line in enumerate(report.lines):
        if "cash" in line.amounts:
            amounts = {quantity: amount for quantity, amount in line.amounts.items() if quantity != "cash"}
            report.lines[n] = replace(line, amounts=amounts)
    report.notes.append("the statement contains currency conversions; trade cash flows are not compared")


def _report_line(
    statement: Statement, fill: Fill, line: int, rules: ReportRules, *, has_fees: bool
) -> ReportLine:
    amounts: dict[StatedQuantity, Decimal] = {"fees": fill.commission} if has_fees else {}
    if (result := statement.result) is not None:
        amounts[rules.result] = result
    return ReportLine(
        line=line,
        account=fill.account,
        symbol=fill.symbol,
        amounts=amounts,
        at=fill.time,
        day=statement.trade_day,
    )


def _includes_fees(layout: Layout) -> bool:
    fields = {*layout.columns, *layout.optional}
    return bool(layout.fees.columns or layout.fees.after) or not fields.isdisjoint(("commission", "cash"))
