"""How likely a customer is to order nothing within the horizon: the model and how it learns."""
