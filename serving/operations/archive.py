"""A backup on disk: a folder or one archive of it, with a manifest that names every file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from features.errors import SaysoError
from features.private_file import sync

MANIFEST = "manifest.json"
FORMAT = 1
DATABASE, ERASED, KEYS, WAREHOUSE, MODELS = "sayso.db", "erased.list", "keys", "warehouse", "models"
"""What the parts of a backup are called."""
ARCHIVES = (".tar.gz", ".tgz", ".tar")
QUICK = 1
"""Level of compression: most of what is packed is compressed already."""


class BackupBroken(SaysoError):
    """A file or folder is no whole backup."""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: when and of which shop and database it was made, how far ledger and
    decisions had come, rows by table, SHA-256 by file, and whether the keys are in it.
    """

    made_at: str
    shop: str
    database: str
    events: int
    last_event_at: str | None
    decisions: int
    kept_out: int
    rows: Mapping[str, int]
    files: Mapping[str, str]
    keys: bool
    format: int = FORMAT


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest beside what it tells of."""
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder but the manifest, by its path in it."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {
        file.relative_to(folder).as_posix(): _digest(file)
        for file in files
        if file != folder / MANIFEST
    }


@contextmanager
def packed(out: Path) -> Iterator[Path]:
    """A new folder to fill, which becomes `out` when the block ends well: an archive where its name
    says so, else a folder. Until then `out` is not there.

    Raises `BackupBroken` where `out` is there already.
    """
    out = out.absolute()
    if out.exists():
        raise BackupBroken(f"{out} is there already; name another file, or remove that one")
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        content = staging / "content"
        content.mkdir(mode=0o700)
        yield content
        if out.name.endswith(ARCHIVES):
            made = _archive(content, staging / "archive", out.name)
        else:
            made = content
        made.rename(out)
        sync(out.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def unpacked(backup: Path) -> Iterator[tuple[Path, Manifest]]:
    """The folder of a backup, whose files are those of its manifest, while the block runs.

    Raises `BackupBroken` where it is none, or any file is missing, altered or added.
    """
    if backup.is_dir():
        yield backup, _checked(backup)
        return
    with tempfile.TemporaryDirectory(prefix="sayso-backup-") as folder:
        try:
            with tarfile.open(backup) as archive:
                archive.extractall(folder, filter="data")
        except FileNotFoundError:
            raise BackupBroken(f"{backup} is not there") from None
        except (tarfile.TarError, OSError, EOFError) as error:
            raise BackupBroken(f"{backup} is no whole backup: {error}") from error
        yield Path(folder), _checked(Path(folder))


def _checked(folder: Path) -> Manifest:
    try:
        stated = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if stated["format"] != FORMAT:
            raise BackupBroken(
                f"the backup has the format {stated['format']}, and this version of Sayso reads"
                f" {FORMAT}; use the version that made it"
            )
        manifest = Manifest(**stated)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupBroken(f"{folder} is no backup of Sayso: {error}") from error
    found = digests(folder)
    if changed := sorted(dict(manifest.files).items() ^ found.items()):
        raise BackupBroken(
            f"{changed[0][0]} of the backup is missing, or is not what was backed up; use another"
            " backup"
        )
    return manifest


def _archive(content: Path, made: Path, name: str) -> Path:
    descriptor = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w+b") as handle:
        if name.endswith(".tar"):
            with tarfile.open(fileobj=handle, mode="w") as archive:
                archive.add(content, ".")
        else:
            with tarfile.open(fileobj=handle, mode="w:gz", compresslevel=QUICK) as archive:
                archive.add(content, ".")
        handle.flush()
        os.fsync(handle.fileno())
    return made


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
