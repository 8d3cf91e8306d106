"""Who may come in: keys, signed links, codes, sessions, and the log of who read what."""
