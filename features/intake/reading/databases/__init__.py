"""Rows of a shop's own database, read and never written."""
