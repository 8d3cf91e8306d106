"""Hash chains: each row carries the hash of the one before it, so that no row can be altered, moved
or removed unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from features.errors import LedgerBroken


def link(row: Mapping[str, Any], optional: frozenset[str] = frozenset()) -> str:
    """Hash of a row and, through its `previous_hash`, of all before it: SHA-256 of its canonical
    JSON, in hexadecimal.

    Columns named in `optional` came with a later schema; they count where they hold something, so
    that rows from before keep their hash.
    """
    counted = {
        name: value for name, value in row.items() if value is not None or name not in optional
    }
    return hashlib.sha256(canonical(counted).encode()).hexdigest()


def fits(row: Mapping[str, Any], optional: frozenset[str] = frozenset()) -> bool:
    """Whether a row's `hash` is that of its content; content of a foreign type cannot have been
    written here.
    """
    try:
        return bool(
            link({name: value for name, value in row.items() if name != "hash"}, optional)
            == row["hash"]
        )
    except TypeError:
        return False


class Walk:
    """The way along a chain from its first row: `seq` and `hash` are those of the row reached.

    `what` are the rows, `of` is the whole.
    """

    def __init__(self, what: str, of: str) -> None:
        self._what, self._of = what, of
        self.seq = 0
        self.hash = ""

    def step(self, row: Mapping[str, Any], *, intact: bool) -> None:
        """Go on to `row`.

        Raises `LedgerBroken` where it is not the next one, or was found not to be `intact`.
        """
        self.seq += 1
        if row["seq"] != self.seq or row["previous_hash"] != self.hash or not intact:
            raise LedgerBroken(
                f"{self._what} {self.seq} of the {self._of} is not the one that was written",
                seq=self.seq,
            )
        self.hash = row["hash"]

    def arrive(self, head: Any) -> None:
        """Be at the end that `head` (seq, hash; None where it is gone) states.

        Raises `LedgerBroken` where more or less was written.
        """
        if head is None or (head.seq, head.hash) != (self.seq, self.hash):
            written = "an unknown number" if head is None else head.seq
            raise LedgerBroken(
                f"the {self._of} ends at {self._what} {self.seq}, but {written} were written",
                seq=self.seq + 1,
            )


def canonical(document: Mapping[str, Any], stated: Callable[[Any], Any] | None = None) -> str:
    """A document as text, always the same for the same content; numbers keep every bit.

    `stated` turns what JSON does not know into what it does.
    """
    return json.dumps(
        dict(document),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
        default=stated,
    )
