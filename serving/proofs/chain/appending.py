"""Many processes that append to one ledger at the same time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from sqlalchemy import select

from features.consent.verification import verify_ledger
from features.database.tables import consent_events
from features.errors import LedgerBroken
from serving.proofs.stage.empty_shop import opened, said

WRITERS = 8
STARTS_WITHIN_SECONDS = 300.0
FROM_A_CLEAN_PROCESS = multiprocessing.get_context("forkserver")
Receipts = list[tuple[int, str]]


def append_at_once(root: Path, database_url: str | None, appends: int) -> tuple[int, list[str]]:
    """Append so many events by `WRITERS` processes at once; how many there are then, and the faults
    found in the chain.
    """
    receipts = _receipts(root, database_url, appends // WRITERS)
    with opened(root, database_url) as shop:
        with shop.database.read() as connection:
            chain = connection.execute(
                select(consent_events.c.seq, consent_events.c.hash, consent_events.c.previous_hash)
            ).all()
        faults = _faults(
            receipts, {(row.seq, row.hash) for row in chain}, [row.previous_hash for row in chain]
        )
        try:
            verify_ledger(shop.database, shop.config.catalog)
        except LedgerBroken as error:
            faults.append(f"after concurrent appends the ledger does not hold: {error}")
    return len(chain), faults


def _faults(receipts: Receipts, kept: set[tuple[int, str]], followed: Sequence[str]) -> list[str]:
    wrong = {
        "of the concurrent appends got the same place in the ledger": len(receipts)
        - len({seq for seq, _ in receipts}),
        "concurrent appends are lost": len(set(receipts) - kept),
        "places in the ledger are empty": max(seq for seq, _ in kept) - len(kept),
        "events follow on one that another follows on already (a fork)": len(followed)
        - len(set(followed)),
    }
    return [f"{count} {what}" for what, count in wrong.items() if count]


def _receipts(root: Path, database_url: str | None, each: int) -> Receipts:
    """What every writer got for its events. All wait until all are ready."""
    FROM_A_CLEAN_PROCESS.set_forkserver_preload(["serving.cli", __name__])
    start = FROM_A_CLEAN_PROCESS.Barrier(WRITERS)
    pipes, writers = [], []
    for number in range(WRITERS):
        ours, theirs = FROM_A_CLEAN_PROCESS.Pipe(duplex=False)
        arguments = (root, database_url, f"writer-{number}", each, start, theirs)
        writers.append(FROM_A_CLEAN_PROCESS.Process(target=_append, args=arguments, daemon=True))
        writers[-1].start()
        theirs.close()
        pipes.append(ours)
    receipts = [receipt for pipe in pipes for receipt in _heard(pipe)]
    for writer in writers:
        writer.join()
    return receipts


def _append(
    root: Path, database_url: str | None, who: str, each: int, start: Barrier, out: Connection
) -> None:
    with opened(root, database_url) as shop:
        shop.ledger.position()
        start.wait(STARTS_WITHIN_SECONDS)
        receipts = [
            shop.ledger.append(event) for event in islice(said(shop.config.catalog, who), each)
        ]
    out.send([(receipt.seq, receipt.hash) for receipt in receipts])


def _heard(pipe: Connection) -> Receipts:
    """Nothing, where the writer broke off."""
    with pipe:
        try:
            receipts: Receipts = pipe.recv()
        except EOFError:
            return []
    return receipts
