"""What pages and tear sheets are made of: numbers by locale, labels, charts, tiles, static files."""
