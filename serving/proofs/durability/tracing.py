"""Watching the system calls of a writer: did the bytes of every acknowledgement reach the disk
before it?
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from serving.proofs.durability.promised import Promised

WRITES = ("write", "pwrite64", "writev", "pwritev", "ftruncate")
SYNCS = ("fsync", "fdatasync")
REMOVALS = ("unlink", "unlinkat")
CALL = re.compile(r"^\d+\s+(?P<name>\w+)\((?:(?P<fd>\d+)<(?P<file>[^>]*)>)?(?P<rest>.*)$")
UNFINISHED, RESUMED = " <unfinished ...>", re.compile(r"^(\d+)\s+<\.\.\. \w+ resumed>(.*)$")
SUCCEEDED = re.compile(r"= \d+$")


@dataclass(frozen=True)
class Order:
    """What a trace shows: how many acknowledgements, and how many of them came before their bytes
    were synced.
    """

    acknowledged: int
    unsynced: int


def can_trace() -> bool:
    """Whether `strace` is there and may look at processes."""
    program = shutil.which("strace")
    return (
        program is not None
        and subprocess.run([program, "-qq", "true"], check=False, capture_output=True).returncode  # noqa: S603
        == 0
    )


def traced(promised: Promised, who: str, most: int, *options: str) -> list[str]:
    """The system calls of a process that writes, one a line; what it acknowledges is noted.

    `options` are those of strace.
    """
    file = promised.root.parent / "strace.txt"
    calls = ",".join((*WRITES, *SYNCS, *REMOVALS))
    command = [
        "strace",
        "-f",
        "-qq",
        "-y",
        "-s",
        "0",
        "-e",
        f"trace={calls}",
        "-e",
        "signal=none",
        *options,
        "-o",
        str(file),
    ]
    writer = [
        sys.executable,
        "-m",
        "serving.proofs.durability.writer",
        str(promised.root),
        who,
        str(most),
    ]
    ended = subprocess.run([*command, *writer], check=False, capture_output=True, text=True)  # noqa: S603 - our own command
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    promised.acknowledged |= {(what, proof) for what, proof in said}
    return file.read_text(encoding="utf-8", errors="replace").splitlines()


def order_of(lines: Iterable[str], database: Path) -> Order:
    """Whether acknowledgements (writes to the standard output) came after the sync of all that had
    been written to `database`.

    Its journals count as it; the index of a write-ahead log (`-shm`) need not last. A removed
    journal lasts once its folder is synced.
    """
    acknowledged = unsynced = 0
    dirty: set[str] = set()
    synced = False
    for name, fd, file, rest in _calls(lines):
        if name in WRITES and fd == "1":
            acknowledged += 1
            unsynced += bool(dirty) or not synced
            synced = False
        elif name in WRITES and file.startswith(str(database)) and not file.endswith("-shm"):
            dirty.add(file)
        elif name in SYNCS and SUCCEEDED.search(rest):
            synced = synced or file in dirty
            dirty.discard(file)
        elif name in REMOVALS and f'"{database}' in rest and not rest.count("-shm"):
            dirty = {other for other in dirty if f'"{other}"' not in rest} | {str(database.parent)}
    return Order(acknowledged, unsynced)


def _calls(lines: Iterable[str]) -> Iterator[tuple[str, str, str, str]]:
    """Name, descriptor, file and the rest of each call, when it ended."""
    begun: dict[str, str] = {}
    for line in lines:
        whole = line
        if line.endswith(UNFINISHED):
            begun[line.split(maxsplit=1)[0]] = line.removesuffix(UNFINISHED)
            continue
        if (resumed := RESUMED.match(line)) is not None:
            whole = begun.pop(resumed[1], "") + resumed[2]
        if (call := CALL.match(whole)) is not None:
            yield call["name"], call["fd"] or "", call["file"] or "", call["rest"]
