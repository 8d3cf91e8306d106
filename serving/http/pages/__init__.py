"""The routes of the pages: customers', staff's, and the one at `/`."""
