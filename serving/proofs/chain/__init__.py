"""The proof that the ledger cannot be rewritten unseen."""
