"""Master keys: they wrap the customers' payload keys and nothing else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from features.errors import WorkspaceError
from features.private_file import made_text, present_text, replace_text

SIZE = 32


class MasterKeyMissing(WorkspaceError):
    """There is no master key, neither in the environment nor in its file."""


@dataclass(frozen=True)
class MasterKey:
    """256 random bits."""

    secret: bytes

    @property
    def name(self) -> str:
        """What a wrapped key states its master by: the beginning of a hash, which tells nothing of
        the key.
        """
        return hashlib.sha256(b"sayso master key" + self.secret).hexdigest()[:16]


@dataclass(frozen=True)
class MasterKeys:
    """The master keys in force, in `stated` (from the environment) or else in `file`; both hold
    them in Base64, newest first.
    """

    file: Path
    stated: str | None = None

    def all(self) -> tuple[MasterKey, ...]:
        """Newest first; more than one only while they are rotated.

        Read anew each time, as a rotation may be under way.

        Raises `MasterKeyMissing` where there is none, `WorkspaceError` where what is there is no
        key.
        """
        try:
            text = self.stated if self.stated is not None else present_text(self.file)
            if text is None:
                raise MasterKeyMissing(
                    "the master keys are missing, so nothing encrypted can be read or written: put"
                    f" {self.file} back from where keys are kept, or set SAYSO_MASTER_KEY. No new"
                    " key is made in their place, since that would lose what they encrypt."
                )
            keys = _keys_in(text)
        except (binascii.Error, ValueError):
            keys = ()
        if not keys or any(len(key.secret) != SIZE for key in keys):
            where = "SAYSO_MASTER_KEY" if self.stated is not None else str(self.file)
            raise WorkspaceError(
                f"{where} holds no master key: expected {SIZE} bytes in Base64, or several of them,"
                " newest first"
            )
        return keys

    def make(self) -> None:
        """Make the first key where there is none: for a database in which nothing is encrypted."""
        if self.stated is None:
            made_text(self.file, lambda: _as_text((_new(),)))

    def by_name(self) -> dict[str, MasterKey]:
        """All of them, by their names."""
        return _by_name(self.all())

    def begin_rotation(self) -> None:
        """Put a new key before the old one, unless a rotation has begun already.

        Keys from the environment are the operator's to change.
        """
        keys = self.all()
        if self.stated is None and len(keys) == 1:
            replace_text(self.file, _as_text((_new(), *keys)))

    def end_rotation(self) -> None:
        """Forget all keys but the newest."""
        if self.stated is None:
            replace_text(self.file, _as_text(self.all()[:1]))


@lru_cache(4)
def _keys_in(text: str) -> tuple[MasterKey, ...]:
    parts = text.replace(",", " ").split()
    return tuple(MasterKey(base64.b64decode(part, validate=True)) for part in parts)


@lru_cache(4)
def _by_name(keys: tuple[MasterKey, ...]) -> dict[str, MasterKey]:
    return {key.name: key for key in keys}


def _new() -> MasterKey:
    return MasterKey(secrets.token_bytes(SIZE))


def _as_text(keys: tuple[MasterKey, ...]) -> str:
    return "\n".join(base64.b64encode(key.secret).decode() for key in keys) + "\n"
