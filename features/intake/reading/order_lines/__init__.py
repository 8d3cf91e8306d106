"""Orders that a file does not state line by line, brought to a row for each line."""
