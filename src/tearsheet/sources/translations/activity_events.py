"""Parts of an activity statement of Interactive Brokers that are no trades, as rows under the heading of its trades.

Corporate actions, transfers, dividends, taxes, interest, fees and deposits have headings of their own. Their rows are
given with the columns of trades and those of `EXTRA`; what a row is stands in `Event`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from tearsheet.sources.files.table_source import TableSource
from tearsheet.sources.text.problem import RowProblem
from tearsheet.sources.translations.table_view import TableView

#: Columns that rows of events have beside those of trades.
EXTRA = ("Event", "Event Amount", "Event Text", "Event Group")
_TIMES = ("Date/Time", "Date", "Settle Date", "Report Date")
_AMOUNTS = ("Amount", "Proceeds", "Cash Amount")
_QUANTITIES = ("Quantity", "Qty")
#: AAPL(US0378331005) Cash Dividend …; … (META, META PLATFORMS, US30303M1027)
_COMPANY = re.compile(r"^([A-Z0-9][A-Z0-9. /-]{0,11}?)\s?\([A-Z0-9]{5,12}\)")
_SECURITY = re.compile(r"\(([A-Z0-9][A-Z0-9. /-]{0,15}), [^()]*, [A-Z0-9]{5,14}\)\s*$")
#: Parts with one kind of row, and its word.
_KINDS = {
    "Withholding Tax": "withholding tax",
    "871(m) Withholding": "withholding tax",
    "Fees": "fee",
    "Other Fees": "fee",
    "Advisor Fees": "fee",
    "Client Fees": "fee",
    "Broker Fees": "fee",
    "Sales Tax Details": "fee",
    "Transaction Fees": "transaction fee",
    "Deposits & Withdrawals": "deposit",
    "Commission Adjustments": "commission adjustment",
    "Payment In Lieu Of Dividends": "payment in lieu",
}
#: What the text of a corporate action says, in the order in which it is looked for.
_ACTIONS = (
    ("spinoff", r"spin-?off"),
    ("stock dividend", r"stock dividend"),
    ("identifier change", r"cusip/isin change|name change|symbol change"),
    ("merger", r"merged|acquisition|merger"),
    ("delisting", r"delisted|worthless"),
    ("maturity", r"bond maturity|matured|full call|redemption"),
    ("split", r"\bsplit\b"),
)


class ActivityEvents(TableView):
    """A statement whose other parts are given as rows of events, from its beginning."""

    def __init__(self, table: TableSource, header: Sequence[str], header_at: int) -> None:
        super().__init__(table)
        self.header = [*header, *EXTRA]
        self.header_at = header_at

    def rows(self, after: int) -> Iterator[tuple[list[str], RowProblem | None]]:
        """Yield the rows below a position; below the heading, all rows of the file."""
        names, heading = self.header[: -len(EXTRA)], [""]
        for cells, problem in self._table.rows(0 if after == self.header_at else after):
            if problem is not None or len(cells) < 2:
                yield cells, problem
                continue
            if cells[1] == "Header":
                heading = cells
                if cells[0] == "Trades":
                    names = cells
                    yield [*cells, *EXTRA], None
                    continue
            elif cells[0] == heading[0] != "Trades" and cells[1] == "Data":
                event = _event(dict(zip(heading[2:], cells[2:], strict=False)), cells[0])
                if event:
                    values = {names[0]: cells[0], "Header": "Data", **event}
                    yield [values.get(name, "") for name in (*names, *EXTRA)], None
                    continue
            width = len(names)
            yield (
                [*cells[:width], *[""] * (width + len(EXTRA) - min(len(cells), width)), *cells[width:]],
                None,
            )


def _event(row: Mapping[str, str], part: str) -> dict[str, str]:
    """Return the columns of an event, nothing for a part that states none."""
    text = row.get("Description", "")
    word = _word(part, row, text)
    if not word:
        return {}
    company, security = _COMPANY.match(text), _SECURITY.search(text)
    named = security or company
    symbol = row.get("Symbol", "").strip("- ") or (
        named[1] if named and word not in ("fee", "deposit") else ""
    )
    group = text[: security.start()].strip() if security else ""
    return {
        "Asset Category": row.get("Asset Category") or ("Stocks" if symbol else ""),
        "Currency": row.get("Currency", ""),
        "Account": row.get("Account", ""),
        "Symbol": symbol,
        "Date/Time": _first(row, _TIMES),
        "Quantity": _shares(row),
        "Event": word,
        "Event Amount": _first(row, _AMOUNTS),
        "Event Text": text,
        "Event Group": group if part == "Corporate Actions" else "",
    }


def _word(part: str, row: Mapping[str, str], text: str) -> str:
    """Return what a row is, `` for a total or a row of no event."""
    if row.get("Currency", "").startswith("Total") or row.get("Asset Category", "").startswith("Total"):
        return ""
    if not _first(row, _TIMES):
        return ""
    lower = text.casefold()
    if part == "Dividends":
        return "payment in lieu" if "in lieu" in lower else "dividend"
    if part in ("Interest", "Broker Interest"):
        return _interest(lower, row.get("Amount", ""))
    if part == "Transfers":
        return "transfer"
    if part == "Corporate Actions":
        return next((word for word, pattern in _ACTIONS if re.search(pattern, lower)), "other action")
    return _KINDS.get(part, "")


def _interest(text: str, amount: str) -> str:
    if "borrow" in text:
        return "borrow fee"
    if "accrued" in text:
        return "accrued interest"
    if "coupon" in text or "bond" in text:
        return "coupon"
    return "debit interest" if amount.strip().startswith(("-", "(")) else "credit interest"


def _first(row: Mapping[str, str], names: Sequence[str]) -> str:
    return next((text for name in names if (text := row.get(name, "").strip())), "")


def _shares(row: Mapping[str, str]) -> str:
    shares = _first(row, _QUANTITIES)
    shares = "" if shares in ("-", "--") else shares
    is_out = row.get("Direction", "").strip().casefold() == "out"
    return f"-{shares}" if is_out and shares and not shares.startswith("-") else shares
