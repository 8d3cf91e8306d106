"""One answer given: what it was made from, how it is recorded, sealed and replayed."""
