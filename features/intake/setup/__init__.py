"""Making a workspace: what the columns of a shop's files are, and the `sayso.toml` that says so."""
