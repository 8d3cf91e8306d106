"""Explanations and scores for analysts and for the command line."""
