"""From a shop's files to the warehouse, and to a first `sayso.toml`."""
