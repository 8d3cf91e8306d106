"""Where expressions run that are not left to DuckDB: on the few rows of one customer."""
