"""Features of orders that a new workspace does not list: they say little that others do not."""
