"""What a shop states in `sayso.toml` and in the environment, read and checked."""
