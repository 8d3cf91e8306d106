"""Taking the disk away from a writer: a file that may not grow any more, and calls to the disk that
fail.
"""

from __future__ import annotations

import random
import resource
from multiprocessing.connection import Connection
from pathlib import Path

from features.progress import Progress
from serving.proofs.durability.killing import FROM_A_CLEAN_PROCESS, hear
from serving.proofs.durability.promised import Promised
from serving.proofs.durability.tracing import traced
from serving.proofs.durability.writer import write

TRIES = 30
"""So many events does a writer try to write."""
BOTH_PARTS = 2
FEWEST_BYTES = 50_000
"""Without so much a database cannot even be opened."""
LEFT_BYTES = 200_000
"""At most so much more goes into a file before the disk is full: less than the journal of all
tries, however large the database.
"""
ERRORS = ("fsync,fdatasync:error=EIO", "pwrite64:error=ENOSPC", "pwrite64:error=EIO")
WHENS = ("{}", "{}+")
"""One call fails, or that one and all after it."""
LATEST_CALL = 40


def fill_up(promised: Promised, times: int, progress: Progress) -> int:
    """Let nothing be written beyond the first bytes of a file, time and again; how many events were
    refused, none of them acknowledged.
    """
    draw, refused = random.Random(times), 0  # noqa: S311 - an amount, no secret
    for number in range(times):
        progress(f"filling the disk, {number + 1} of {times}", number / times)
        refused += _write_on_a_full_disk(
            promised, f"full-{number}", FEWEST_BYTES + draw.randrange(LEFT_BYTES)
        )
        promised.check(f"disk full {number + 1}")
    return refused


def fail_calls(promised: Promised, times: int, progress: Progress) -> int:
    """Let calls to the disk fail under a traced writer; how many calls failed."""
    draw, failed = random.Random(times), 0  # noqa: S311 - a moment, no secret
    for number in range(times):
        progress(f"failing the disk, {number + 1} of {times}", number / times)
        when = draw.choice(WHENS).format(draw.randrange(1, LATEST_CALL))
        error = f"inject={ERRORS[number % len(ERRORS)]}:when={when}"
        files = [
            part
            for suffix in ("", "-wal", "-journal")
            for part in ("-P", f"{promised.root / 'sayso.db'}{suffix}")
        ]
        failed += sum(
            "(INJECTED)" in line
            for line in traced(promised, f"failed-{number}", TRIES, *files, "-e", error)
        )
        promised.check(f"disk error {number + 1}")
    return failed


def _write_on_a_full_disk(promised: Promised, who: str, most_bytes: int) -> int:
    ours, theirs = FROM_A_CLEAN_PROCESS.Pipe(duplex=False)
    writer = FROM_A_CLEAN_PROCESS.Process(
        target=_starve, args=(promised.root, who, most_bytes, theirs), daemon=True
    )
    writer.start()
    theirs.close()
    refused = hear(ours, promised)
    writer.join()
    if len(refused) != BOTH_PARTS or refused[-1]:
        promised.faults.append(
            f"a writer whose disk was full did not go on once there was room ({who})"
        )
    return sum(refused)


def _starve(root: Path, who: str, most_bytes: int, connection: Connection) -> None:
    """Write while no file may be written beyond that, until it is refused; then lift the limit and
    go on in the same process.
    """
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, unlimited[1]))
    connection.send(write(root, None, who, TRIES, connection.send))
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    connection.send(write(root, None, f"{who}-again", 1, connection.send))
