"""Whether a source's columns and dates can be what `sayso.toml` says that they are."""
