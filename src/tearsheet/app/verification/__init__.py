"""Whether the books are what the facts come to, and their repair."""
