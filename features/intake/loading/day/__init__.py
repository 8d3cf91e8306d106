"""A load of what is new alone: what came, what it changes, and what is noted of it."""
