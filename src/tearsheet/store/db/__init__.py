"""Database connections of the ledger: SQLite and PostgreSQL."""
