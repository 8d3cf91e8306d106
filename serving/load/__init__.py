"""How many requests the service answers, beside one that does nothing."""
