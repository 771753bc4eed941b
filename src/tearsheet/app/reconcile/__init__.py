"""Reconciliation of the ledger with broker statements."""
