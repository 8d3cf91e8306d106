"""Answers to what a customer may want next."""
