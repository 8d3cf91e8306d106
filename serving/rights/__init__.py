"""A customer's rights: to see everything that is held of them, and to have it erased."""
