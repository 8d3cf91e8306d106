"""Proof that faults fail closed: no personal answer while anything is broken."""
