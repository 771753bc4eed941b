"""What happened: instruments, sessions, fills and the positions they make. No file, clock or database here."""
