"""Exchange rates, and views of the ledger in one currency."""
