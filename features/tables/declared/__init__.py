"""The tables there are, one file each: a module whose `TABLE` declares a table adds it."""
