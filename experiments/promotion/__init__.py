"""The gates that a challenger has to pass, and which version is champion."""
