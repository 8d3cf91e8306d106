"""Kinds of bad data beside corrupt rows of CSV: a module for each way in which data comes."""
