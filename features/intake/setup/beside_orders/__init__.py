"""Which column of a file is what that holds no orders, but interactions or facts of customers."""
