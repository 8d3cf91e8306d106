"""How a load comes about: all of the sources, or what is new since the last load alone."""
