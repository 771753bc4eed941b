"""trade_logs."""
