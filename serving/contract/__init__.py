"""Requests and answers as the API states them."""
