"""What comes back while the shop runs: rows, and what customers did with what they saw."""
