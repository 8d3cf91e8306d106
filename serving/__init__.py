"""Answers: the HTTP service, the customers' pages, decisions and the command line."""
