"""The proof that what a page foretells is what happens."""
