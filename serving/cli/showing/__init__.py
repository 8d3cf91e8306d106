"""Commands that show the whole path at once: the demo, and a trial of an export of one's own."""
