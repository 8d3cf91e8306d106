"""Audiences: who may be written to, on which channel and why, of everybody at once."""
