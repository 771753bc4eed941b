"""What is kept: facts as they came, the books made from them, and tallies by session."""
