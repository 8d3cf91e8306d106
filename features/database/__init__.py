"""The database: its tables, and how SQLite and PostgreSQL are opened, read and written alike."""
