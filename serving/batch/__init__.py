"""Answers to many customers at once, some of them at a time."""
