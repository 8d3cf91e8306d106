"""Features of what customers do beside ordering; a shop without such data sees none of them."""
