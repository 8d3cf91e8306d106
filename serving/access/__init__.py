"""Who may come in: keys, signed links, sessions, and the log of who read what."""
