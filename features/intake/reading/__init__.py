"""From a shop's files to rows: encodings, cells, dates, and what could not be read."""
