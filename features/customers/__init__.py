"""Who a customer is: the shop's id, the random number in its place, and the keys of their data."""
