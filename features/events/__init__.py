"""What comes back: what customers did with the decisions that they were shown."""
