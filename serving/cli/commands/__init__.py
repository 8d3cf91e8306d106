"""The commands of `sayso`, one module each."""
