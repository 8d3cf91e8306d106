"""Sensitive product categories: never recommended unless they are asked for, and never a reason for
anything.
"""

from __future__ import annotations

from collections.abc import Collection


def unasked(sensitive: Collection[str], asked_for: Collection[str] | None) -> frozenset[str]:
    """The sensitive product categories that must not be shown, given those that the request names
    (none: None).
    """
    return frozenset(sensitive) - frozenset(asked_for or ())
