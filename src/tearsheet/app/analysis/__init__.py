"""Analysis of the ledger: summaries, charts, lists, explanations and notes."""
