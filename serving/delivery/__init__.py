"""Manners: how often, when, how relevant, what never, and how much that is new.

Pure decisions; what they rest on is handed in.
"""
