"""Data health: what a load brought in figures, and what of it is odd beside the load before."""
