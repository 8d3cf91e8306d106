"""Our models beside published methods, and how they grow with the data."""
