"""What comes in: files of trade logs and of fills, read into values; a broker is a layout, not a class."""
