"""What a customer is likely to want next: candidates, what is known of each, and their ranking."""
