"""Training: one flow for every model, from consented data to a registered challenger."""
