"""What customers agreed to: the ledger of consent events, and the grants that follow from it."""
