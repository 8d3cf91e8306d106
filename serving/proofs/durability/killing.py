"""Killing the writer again and again while it writes, and where there is a server of the database,
that too.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from pathlib import Path

from features.progress import Progress
from serving.proofs.durability.promised import Promised
from serving.proofs.durability.writer import write
from serving.proofs.stage.postgres import PostgresServer
from serving.proofs.stage.proof import CannotProve

FROM_A_CLEAN_PROCESS = multiprocessing.get_context("forkserver")
ENDLESS = 1_000_000
LIVES_SECONDS = 0.25
"""A writer is killed within so long after it first acknowledged something."""
STARTS_WITHIN_SECONDS = 120.0


def kill_again_and_again(
    promised: Promised, cycles: int, server: PostgresServer | None, progress: Progress
) -> None:
    """Go through so many cycles of writing, killing and checking."""
    FROM_A_CLEAN_PROCESS.set_forkserver_preload(["serving.cli", "serving.proofs.durability.writer"])
    draw = random.Random(cycles)  # noqa: S311 - a moment, no secret
    for cycle in range(cycles):
        progress(f"killing a writer, {cycle + 1} of {cycles}", cycle / cycles)
        _write_and_die(promised, f"cycle-{cycle}", draw.uniform(0, LIVES_SECONDS), server)
        promised.check(f"kill {cycle + 1}")


def _write_and_die(
    promised: Promised, who: str, seconds: float, server: PostgresServer | None
) -> None:
    ours, theirs = FROM_A_CLEAN_PROCESS.Pipe(duplex=False)
    writer = FROM_A_CLEAN_PROCESS.Process(
        target=_write, args=(promised.root, promised.database_url, who, theirs), daemon=True
    )
    writer.start()
    theirs.close()
    if not ours.poll(STARTS_WITHIN_SECONDS):
        raise CannotProve("the process that writes did not begin")
    time.sleep(seconds)
    if server is not None:
        server.crash()
    writer.kill()
    writer.join()
    hear(ours, promised)
    if server is not None:
        server.start()


def _write(root: Path, database_url: str | None, who: str, connection: Connection) -> None:
    write(root, database_url, who, ENDLESS, connection.send)


def hear(connection: Connection, promised: Promised) -> list[int]:
    """Note what a writer acknowledged until it ended, half a message not; returns the numbers it
    told of things refused.
    """
    refused: list[int] = []
    with connection, contextlib.suppress(EOFError, OSError):
        while True:
            told = connection.recv()
            if isinstance(told, int):
                refused.append(told)
            else:
                promised.acknowledged.add(told)
    return refused
