"""From SQLite to PostgreSQL and back, and what is killed on the way."""

from __future__ import annotations

import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from features.database.engine import Database
from features.errors import SaysoError
from features.intake.ingest import ingest
from features.progress import Progress
from features.shop.binding import DatabaseMoved
from serving.operations.moving import migrate
from serving.proofs.moving.furnished_shop import (
    ERASED_BEFORE,
    content_of,
    empty_schema,
    files_of,
    shop_in,
    workspace_of,
)
from serving.proofs.stage.postgres import PostgresServer
from serving.proofs.stage.proof import CannotProve

FROM_A_CLEAN_PROCESS = multiprocessing.get_context("forkserver")
STARTS_WITHIN_SECONDS = 120.0
LONGER = 1.5
"""A move is killed within so many times of what an undisturbed one takes."""
UNTOUCHED = ("models", "warehouse")


def there_and_back(root: Path, server: PostgresServer) -> tuple[int, float, list[str]]:
    """Move to PostgreSQL and back to SQLite; how many rows each move took, in how many seconds, and
    what was wrong.
    """
    faults: list[str] = []
    seconds = 0.0
    with shop_in(root) as shop:
        before, old = content_of(shop), shop.database.url
    files = files_of(root, *UNTOUCHED)
    for target in (empty_schema(server, "there"), f"sqlite:///{root / 'back.db'}"):
        began = time.monotonic()
        migrate(workspace_of(root), target)
        seconds = max(seconds, time.monotonic() - began)
        with shop_in(root) as shop:
            if shop.database.url != target:
                faults.append("the workspace does not point at the new database")
            if content_of(shop) != before:
                faults.append("the new database does not hold what the old one held")
        if not _is_read_only(old):
            faults.append("the old database can still be written")
        faults += _opens(root, old)
        old = target
    if files_of(root, *UNTOUCHED) != files:
        faults.append("files of the models or the warehouse were touched")
    with shop_in(root) as shop:
        ingest(shop.workspace, shop.database)
        if any(shop.customers.find(erased) is not None for erased in ERASED_BEFORE):
            faults.append("ingest brought somebody back who was erased")
    return sum(table.rows for table in before.values()), seconds, faults


def killed_moves(
    root: Path, server: PostgresServer, cycles: int, seconds: float, progress: Progress
) -> tuple[dict[str, int], list[str]]:
    """Kill a move again and again, of which one takes so many `seconds`; how it was found
    afterwards, and what was wrong.
    """
    FROM_A_CLEAN_PROCESS.set_forkserver_preload(["serving.operations.moving"])
    draw = random.Random(cycles)  # noqa: S311 - a moment, no secret
    found = {"the old one in use": 0, "the new one in use": 0, "finished by calling it again": 0}
    faults: list[str] = []
    for cycle in range(cycles):
        progress(f"killing a move, {cycle + 1} of {cycles}", cycle / cycles)
        with shop_in(root) as shop:
            before, old = content_of(shop), shop.database.url
        target = (
            empty_schema(server, f"killed_{cycle}")
            if old.startswith("sqlite")
            else f"sqlite:///{root / f'killed_{cycle}.db'}"
        )
        _start_and_kill(root, target, draw.uniform(0, LONGER * seconds))
        found[_state(root, old)] += 1
        with_new = _finish(root, target)
        with shop_in(root) as shop:
            if not with_new or content_of(shop) != before:
                faults.append(f"kill {cycle + 1}: the content is not what it was")
    return found, faults


def _start_and_kill(root: Path, target: str, seconds: float) -> None:
    ours, theirs = FROM_A_CLEAN_PROCESS.Pipe(duplex=False)
    mover = FROM_A_CLEAN_PROCESS.Process(target=_move, args=(root, target, theirs), daemon=True)
    mover.start()
    theirs.close()
    if not ours.poll(STARTS_WITHIN_SECONDS):
        raise CannotProve("the process that moves did not begin")
    time.sleep(seconds)
    mover.kill()
    mover.join()
    ours.close()


def _move(root: Path, target: str, began: Connection) -> None:
    began.send(None)
    migrate(workspace_of(root), target)


def _state(root: Path, old: str) -> str:
    try:
        with shop_in(root) as shop:
            return "the old one in use" if shop.database.url == old else "the new one in use"
    except DatabaseMoved:
        return "finished by calling it again"


def _finish(root: Path, target: str) -> bool:
    """Move again what has not arrived; whether the workspace is at the target then."""
    while True:
        with shop_in(root) as shop:
            try:
                if shop.database.url == target:
                    return True
            except DatabaseMoved:
                pass
        try:
            migrate(workspace_of(root), target)
        except DBAPIError:  # PostgreSQL ends the session of who was killed a little later
            time.sleep(0.1)


def _is_read_only(url: str) -> bool:
    statements = (
        "INSERT INTO suppressed (tag, erased_at) VALUES ('a', 'b')",
        "UPDATE opt_outs SET value = NULL",
        "DELETE FROM customers",
    )
    database = Database(url)
    try:
        return all(map(_refused, [database] * len(statements), statements))
    finally:
        database.close()


def _refused(database: Database, statement: str) -> bool:
    try:
        with database.write() as connection:
            connection.execute(text(statement))
    except DBAPIError as error:
        return "read-only" in str(error.orig)
    return False


def _opens(root: Path, url: str) -> list[str]:
    try:
        with shop_in(root, url) as shop:
            shop.ledger.position()
    except SaysoError as error:
        return [] if "was moved to" in str(error) else [f"the old database is refused with {error}"]
    return ["the old database can still be opened by its workspace"]
