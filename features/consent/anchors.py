"""Anchors: signed statements of how far the ledger had come, to be kept where nobody can change
them.

Whoever can write to the database could rewrite the whole chain. They cannot rewrite an anchor that
lies elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import select

from features import clock
from features.clock import Clock
from features.consent.chain import canonical
from features.database.engine import Database
from features.database.tables import ledger_head
from features.errors import SaysoError
from features.private_file import made_text, present_text


class AnchorRefused(SaysoError):
    """A file is no anchor of this ledger."""


@dataclass(frozen=True)
class Anchor:
    """Sequence number and hash of the ledger's newest event at one moment; key and signature
    (Ed25519) in hexadecimal.
    """

    seq: int
    hash: str
    taken_at: str
    public_key: str
    signature: str

    @property
    def signed(self) -> bytes:
        """What the signature is over."""
        return canonical({"seq": self.seq, "hash": self.hash, "taken_at": self.taken_at}).encode()

    def document(self) -> dict[str, object]:
        """The anchor as plain data."""
        return asdict(self)


class Anchors:
    """Takes and checks anchors with the key in `key_file`."""

    def __init__(self, database: Database, key_file: Path, clock: Clock) -> None:
        self._database = database
        self._key_file = key_file
        self._clock = clock

    def take(self) -> Anchor:
        """An anchor of the ledger as it is now."""
        with self._database.read() as connection:
            head = connection.execute(select(ledger_head)).one()
        key = self._key()
        unsigned = Anchor(
            head.seq,
            head.hash,
            clock.to_text(self._clock()),
            key.public_key().public_bytes_raw().hex(),
            "",
        )
        return Anchor(**{**asdict(unsigned), "signature": key.sign(unsigned.signed).hex()})

    def read(self, file: Path) -> Anchor:
        """The anchor in `file`.

        Raises `AnchorRefused` for one that this shop did not sign, or that was altered.
        """
        try:
            anchor = Anchor(**json.loads(file.read_text(encoding="utf-8")))
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(anchor.public_key))
            key.verify(bytes.fromhex(anchor.signature), anchor.signed)
        except (OSError, ValueError, TypeError) as error:
            raise AnchorRefused(f"{file} is no anchor: {error}") from None
        except InvalidSignature:
            raise AnchorRefused(f"{file} was altered since it was signed") from None
        if anchor.public_key != self._key().public_key().public_bytes_raw().hex():
            raise AnchorRefused(
                f"{file} was signed with another key than this workspace's; name the workspace that"
                " it belongs to"
            )
        return anchor

    def _key(self) -> Ed25519PrivateKey:
        try:
            if (text := present_text(self._key_file)) is None:
                raise AnchorRefused(
                    f"{self._key_file} is missing, and another key would make the anchors taken so"
                    " far worthless; put it back from where keys are kept"
                )
            return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))
        except ValueError:
            raise AnchorRefused(
                f"{self._key_file} holds no signing key; put the one back that was there"
            ) from None


def make_anchor_key(file: Path) -> None:
    """Make the key that signs anchors, where it is not there yet."""
    made_text(file, lambda: Ed25519PrivateKey.generate().private_bytes_raw().hex())
