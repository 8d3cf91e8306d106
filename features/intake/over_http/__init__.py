"""Rows that the shop sends over HTTP: from the door to the warehouse."""
