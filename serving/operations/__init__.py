"""What an operator does to a whole workspace: move it, back it up, put it back, mend it."""
