"""Instruments, trading days, fills and positions; pure code without files, clock or database."""
