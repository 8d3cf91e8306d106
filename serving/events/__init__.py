"""Taking in what came of decisions, and what follows from it."""
