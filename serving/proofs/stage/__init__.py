"""What the proofs stand on: made-up shops, databases and sandboxes."""
