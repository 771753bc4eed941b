"""Tearsheet: how the trading is going, exactly, at once, and against what was promised.

The names of the Python API are imported when they are first used; `__init__.pyi` says what they are.
"""

__version__ = "0.1.0"

_NAMES = {
    "open": ("tearsheet.api.opening", "open_ledger"),
    "from_fills": ("tearsheet.api.opening", "from_fills"),
    "Ledger": ("tearsheet.api.ledger", "ScopedLedger"),
    "PartialWarning": ("tearsheet.api.ledger", "PartialWarning"),
    "Table": ("tearsheet.api.table", "Table"),
    "ArrowStream": ("tearsheet.api.table", "ArrowStream"),
    "Metrics": ("tearsheet.api.metrics", "SummaryMetrics"),
    "Report": ("tearsheet.api.notebook", "Report"),
    "Chart": ("tearsheet.api.notebook", "Chart"),
    "PerformanceSummary": ("tearsheet.performance.summary", "PerformanceSummary"),
    "MetricValue": ("tearsheet.performance.metric", "MetricValue"),
}
_ERRORS = (
    "TearsheetError",
    "UsageError",
    "SettingsError",
    "OtherRulesError",
    "MissingSourceError",
    "InputError",
    "FormatError",
    "NotFoundError",
    "MixedCurrencyError",
    "StoreError",
    "LedgerGoneError",
    "OtherLedgerError",
    "SchemaError",
    "InexactError",
    "MissingExtra",
)
__all__ = ["__version__", *_ERRORS, *_NAMES]


def __getattr__(name: str) -> object:
    from importlib import import_module  # only for these names

    module, own = ("tearsheet.errors", name) if name in _ERRORS else _NAMES.get(name, ("", ""))
    if not module:
        raise AttributeError(f"module 'tearsheet' has no attribute {name!r}")
    found = getattr(import_module(module), own)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
