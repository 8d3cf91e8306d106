"""What the warehouse's tables hold, each declared once; intake, gate, corrections and the catalog
follow.
"""
