"""The proof that one person is one person, however the shop writes their id."""
