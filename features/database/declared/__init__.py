"""Tables of the database, a module for each matter; `features.database.tables` has them all."""
