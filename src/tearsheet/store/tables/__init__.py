"""Tables of the ledger: typed rows, queries, and one class for each kind of data."""
