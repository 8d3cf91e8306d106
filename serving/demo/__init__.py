"""`sayso demo`: the whole path on the bundled data."""
