"""Leaks, planted on purpose: a proof that finds none of them would prove nothing."""
