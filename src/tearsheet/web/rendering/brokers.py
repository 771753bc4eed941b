"""Brokers and platforms as the import page lists them: which report to take, and where it is."""

from typing import Any

from msgspec import Struct

from tearsheet.app.imports.import_file import known_formats


class Broker(Struct, frozen=True):
    """A broker: the report to take, where to click for it, what to know, and the first words of its formats."""

    name: str
    report: str
    path: str
    note: str
    titles: tuple[str, ...] = ()

    def has(self, title: str) -> bool:
        """Return whether a format of this title is one of the broker's."""
        return title.startswith(self.titles or (self.name,))


_KINDS = {"csv": "CSV", "xlsx": "Excel", "html": "HTML", "xml": "XML", "json": "JSON"}
#: The most used first.
BROKERS = (
    Broker(
        "Interactive Brokers",
        "Activity Flex query, section Trades, level Execution",
        "Client Portal → Performance & Reports → Flex Queries → Activity Flex Query → +",
        "Format XML or CSV, date separator “;”, period up to 365 days. The Transaction History has no fills.",
    ),
    Broker(
        "NinjaTrader",
        "Executions",
        "Control Center → New → Trade Performance → From, To → Generate → Display: Executions → right-click → Export",
        "Take Executions rather than Trades, with the columns ID and Commission. Times are those of the platform.",
    ),
    Broker(
        "Tradovate",
        "Fills",
        "Account name → settings (gear) of the account → Reports → Fills → dates → Download CSV",
        "Orders and Performance have no fees. Performance is read as two fills a row.",
    ),
    Broker(
        "TopstepX",
        "Orders",
        "Select the account → Orders → Export",
        "Trades are read, too, as two fills a row. Import one of both.",
        ("ProjectX",),
    ),
    Broker(
        "Rithmic",
        "Completed Orders",
        "R|Trader Pro → File → Order History → account, date → Completed Orders → Add/Remove Columns: all → export",
        "One day a file in some versions.",
    ),
    Broker(
        "MetaTrader 4 / 5",
        "Report of the history",
        "History tab → right-click → Report → HTML or Open XML",
        "Times are those of the broker's server. The sizes of lots may have to be stated.",
        ("MetaTrader",),
    ),
    Broker(
        "TradingView",
        "Order history",
        "Trading panel → gear or account → Export data → Order history",
        "One file a broker. Fees are in it for some brokers only.",
    ),
    Broker(
        "Charles Schwab",
        "History",
        "Accounts → History → dates → Export CSV",
        "Realized gains are compared, not read as fills. thinkorswim: Monitor → Account Statement → Export to file.",
        ("Schwab",),
    ),
    Broker(
        "Fidelity",
        "Activity & Orders, History",
        "Activity & Orders → History → dates → Download",
        "A file covers a few months; several may overlap.",
    ),
    Broker(
        "E*TRADE",
        "Transactions",
        "Accounts → Transactions → dates → Download → CSV",
        "Fees are read from the cash.",
    ),
    Broker(
        "Robinhood",
        "Account activity report",
        "Account → Reports and statements → Reports → Generate → CSV",
        "It states days without times.",
    ),
    Broker(
        "Webull", "Orders Records", "Desktop → Account → Orders → Export", "Fees of stocks are not in it."
    ),
    Broker(
        "tastytrade",
        "Transactions",
        "Platform or my.tastytrade.com → History → Transactions → dates → Download CSV",
        "Choose all fees as columns.",
    ),
    Broker(
        "TradeStation",
        "Trades report",
        "Client Center → Reports → Trades → dates → Export CSV",
        "Fees are in it.",
    ),
    Broker(
        "Binance",
        "Trade history",
        "Orders → Spot or Futures order → Trade history → Export",
        "The name of the file says its time zone: do not rename it.",
    ),
    Broker(
        "Bybit",
        "Trade history",
        "Orders → Trade history → Export",
        "Spot and derivatives are files of their own.",
    ),
    Broker(
        "Kraken", "Trades", "History → Export → Trades → CSV", "The ledger is read, too. Import one of both."
    ),
    Broker(
        "Coinbase",
        "Fills",
        "Advanced → Orders → Fills → Download, or Statements → Generate",
        "Fees are in it.",
    ),
)


def broker_content() -> dict[str, Any]:
    """Return the brokers whose files are read, each with the kinds of files, and the number of formats."""
    formats = [info for info in known_formats().values() if not info.refused]
    found = []
    for broker in BROKERS:
        kinds = {kind for info in formats if broker.has(info.title) for kind in info.kinds}
        if kinds:
            found.append((broker, ", ".join(_KINDS[kind] for kind in _KINDS if kind in kinds)))
    return {"brokers": found, "format_count": len(formats)}
