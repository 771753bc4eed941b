"""The ledger: stored fills and records, the positions and totals computed from them, and its database."""
