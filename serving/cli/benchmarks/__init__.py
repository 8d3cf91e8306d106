"""`sayso benchmark`."""
