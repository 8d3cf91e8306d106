"""Proof that nothing calls home."""
