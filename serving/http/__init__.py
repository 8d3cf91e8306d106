"""The HTTP interface: routes, checks and problem documents."""
