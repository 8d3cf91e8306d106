"""A person looks at a decision that its customer contests."""
