"""The commands of exchange rates."""
