"""Books of many accounts from a lake of Parquet files: the same digits as a ledger, on any number of machines."""
