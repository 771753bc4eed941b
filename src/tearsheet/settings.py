"""One frozen Settings from environment and file; a bad value says which variable and what is allowed."""
