"""How well it went: tallies that add up, metrics over them, and the one summary that everybody reads."""
