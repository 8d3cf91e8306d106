"""The proof that consent costs little time."""
