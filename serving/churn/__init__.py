"""Answers to how likely a customer is to stay away, and what may be done about it."""
