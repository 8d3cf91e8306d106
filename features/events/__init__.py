"""What comes back from the shop while it runs, one event at a time."""
