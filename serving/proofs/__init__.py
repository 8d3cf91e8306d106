"""Proofs of what Sayso promises, each a command that anyone can run: `sayso selftest NAME`."""
