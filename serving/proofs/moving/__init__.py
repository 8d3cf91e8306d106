"""The proof that nothing is lost, and nobody comes back, when a workspace moves or is put back."""
