"""Proof that bad data is named: every corrupt row is rejected with its reason."""
