"""Pages about several currencies."""
