"""The card that tells what a version is for, how good it is and what it cannot do."""
