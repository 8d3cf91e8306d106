"""What a shop sets over HTTP, for later answers to obey."""
