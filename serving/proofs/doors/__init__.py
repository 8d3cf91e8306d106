"""Doors: nobody gets more than their key says, and no link does more than it was made for."""
