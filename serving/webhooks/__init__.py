"""Calls out: what happened here is told to the shop's own programs, signed and at least once."""
