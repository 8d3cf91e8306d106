"""What a running service holds ready, and how it notices that something changed."""
