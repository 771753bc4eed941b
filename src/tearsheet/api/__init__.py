"""The Python API: a ledger as tables that every Arrow library reads; `import tearsheet as ts` forwards its names."""
