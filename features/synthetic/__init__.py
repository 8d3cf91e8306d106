"""Made-up shops, drawn from a seed: who orders what and when, and what they agreed to."""
