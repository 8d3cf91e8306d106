"""The customers' pages, made on the server and readable without JavaScript."""
