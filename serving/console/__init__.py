"""The staff's own pages: who waits for an answer, what was decided today, what customers allow.

Made on the server, without JavaScript.
"""
