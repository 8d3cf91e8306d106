"""The proof that an erasure is real."""
