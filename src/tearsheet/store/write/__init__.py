"""Write transactions of the ledger: imports, log records, rebuild and undo."""
