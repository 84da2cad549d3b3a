"""Decisions and data: no I/O, no clock, no async, no randomness; the standard library's data modules only."""
