"""A training run of each model, from consented data to a registered challenger."""
