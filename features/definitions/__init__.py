"""Every feature, declared once, and the frames that are made of them."""
