"""Hash chains: each row carries the hash of the one before it, so that no row can be altered, moved or removed unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def link(row: Mapping[str, Any], optional: frozenset[str] = frozenset()) -> str:
    """Hash of a row and, through its `previous_hash`, of all before it: SHA-256 of its canonical JSON, in hexadecimal.

    Columns named in `optional` came with a later schema; they count where they hold something, so that rows from before
    keep their hash.
    """
    counted = {name: value for name, value in row.items() if value is not None or name not in optional}
    return hashlib.sha256(canonical(counted).encode()).hexdigest()


def fits(row: Mapping[str, Any], optional: frozenset[str] = frozenset()) -> bool:
    """Whether a row's `hash` is that of its content; content of a foreign type cannot have been written here."""
    try:
        return bool(link({name: value for name, value in row.items() if name != "hash"}, optional) == row["hash"])
    except TypeError:
        return False


def canonical(document: Mapping[str, Any]) -> str:
    """A document as text, always the same for the same content; numbers keep every bit."""
    return json.dumps(dict(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
