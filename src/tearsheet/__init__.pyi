from tearsheet.api.ledger import PartialWarning as PartialWarning
from tearsheet.api.ledger import ScopedLedger as Ledger
from tearsheet.api.metrics import SummaryMetrics as Metrics
from tearsheet.api.notebook import Chart as Chart
from tearsheet.api.notebook import Report as Report
from tearsheet.api.opening import from_fills as from_fills
from tearsheet.api.opening import open_ledger as open
from tearsheet.api.table import ArrowStream as ArrowStream
from tearsheet.api.table import Table as Table
from tearsheet.errors import FormatError as FormatError
from tearsheet.errors import InexactError as InexactError
from tearsheet.errors import InputError as InputError
from tearsheet.errors import LedgerGoneError as LedgerGoneError
from tearsheet.errors import MissingExtra as MissingExtra
from tearsheet.errors import MissingSourceError as MissingSourceError
from tearsheet.errors import MixedCurrencyError as MixedCurrencyError
from tearsheet.errors import NotFoundError as NotFoundError
from tearsheet.errors import OtherLedgerError as OtherLedgerError
from tearsheet.errors import OtherRulesError as OtherRulesError
from tearsheet.errors import SchemaError as SchemaError
from tearsheet.errors import SettingsError as SettingsError
from tearsheet.errors import StoreError as StoreError
from tearsheet.errors import TearsheetError as TearsheetError
from tearsheet.errors import UsageError as UsageError
from tearsheet.performance.metric import MetricValue as MetricValue
from tearsheet.performance.summary import PerformanceSummary as PerformanceSummary

__version__: str
__all__ = [
    "ArrowStream",
    "Chart",
    "FormatError",
    "InexactError",
    "InputError",
    "Ledger",
    "LedgerGoneError",
    "MetricValue",
    "Metrics",
    "MissingExtra",
    "MissingSourceError",
    "MixedCurrencyError",
    "NotFoundError",
    "OtherLedgerError",
    "OtherRulesError",
    "PartialWarning",
    "PerformanceSummary",
    "Report",
    "SchemaError",
    "SettingsError",
    "StoreError",
    "Table",
    "TearsheetError",
    "UsageError",
    "__version__",
    "from_fills",
    "open",
]
