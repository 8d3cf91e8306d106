"""Proof that nothing blocks: whatever is stopped, locked, slow, full or too much, it answers."""
