"""A service on a small disk of its own, on SQLite and on PostgreSQL, put through everything.

Run by `serving.proofs.blocking.proof` as `python -m serving.proofs.blocking.path FOLDER SHARE`
where it may mount.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from features.config.environment import Settings
from features.database.engine import Database
from features.database.tables import metadata
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.api_keys import Keys
from serving.proofs.blocking import befalling
from serving.proofs.blocking.befalling import Befalling
from serving.proofs.blocking.trial import CALLERS, Trial
from serving.proofs.blocking.watch import bare_server, worker_on
from serving.proofs.stage.postgres import PostgresServer, postgres_server
from serving.proofs.stage.sandbox import hand_over, pass_on
from serving.proofs.stage.small_shop import make_shop, sharing_everything
from serving.server import free_port, running

DISK_SIZE = "96m"
LASTS = 30.0
"""Seconds that each thing lasts at full size."""
SHORTEST = 4.0
LOAD_TIMES = 10
LOAD_CONNECTIONS = 200
HEADS = ("ledger_head", "decision_head")


def try_all(trial: Trial, things: Mapping[str, Befalling], lasts: float) -> None:
    """Put one service through everything, and compare records and answers."""
    before = trial.recorded()
    rate = trial.undergo("eight clients", seconds=lasts, pace=0.0, choices_at_once=True)
    trial.counts["answers a second to eight clients"] = round(rate)
    for name, befall in things.items():
        pass_on(f"{trial.name}: {name}", 0.5)
        trial.undergo(name, befall, seconds=lasts)
    pass_on(f"{trial.name}: ten times the load", 0.8)
    trial.undergo(
        "ten times the load",
        seconds=lasts,
        connections=LOAD_CONNECTIONS,
        pace=LOAD_CONNECTIONS / max(1.0, LOAD_TIMES * rate),
        choices_at_once=True,
    )
    if not trial.counts["statuses 429"]:
        trial.faults.append(f"{trial.name}: ten times the load was not told to come later")
    trial.check_records(before)


@contextmanager
def served(name: str, workspace: Workspace, log: Path, bare: int) -> Iterator[Trial]:
    """A running service and the trial of it."""
    port, database = free_port(), Database(workspace.database_url)
    _, key = Keys(database).create(["all"])
    with running(workspace, port, log):
        worker = worker_on(port)
        yield Trial(name, port, key, worker, bare, database, sharing_everything())
    database.close()


def _on_sqlite(folder: Path, shop: Shop, lasts: float, bare: int) -> Trial:
    workspace = shop.workspace
    with served("SQLite", workspace, folder / "sqlite.log", bare) as trial:
        url = f"http://127.0.0.1:{trial.port}"
        things = {
            "a megabyte of wrong elements": befalling.wrong_elements(url, trial.key),
            "megabytes to the login": befalling.large_logins(url),
            "database gone": befalling.file_gone(workspace),
            "database locked": befalling.locked(trial.database),
            "database slow": befalling.slow(trial.database),
            "disk full": befalling.full_disk(workspace.root),
        }
        try_all(trial, things, lasts)
        return trial


def _on_postgresql(
    folder: Path, shop: Shop, server: PostgresServer, lasts: float, bare: int
) -> Trial:
    workspace = _moved(shop, server.url)
    with served("PostgreSQL", workspace, folder / "postgresql.log", bare) as trial:
        things = {
            "database frozen": befalling.frozen(server),
            "database stopped": befalling.stopped(server),
            "database locked": befalling.locked(trial.database),
            "database slow": befalling.slow(trial.database),
            "disk full": befalling.full_disk(workspace.root),
        }
        try_all(trial, things, lasts)
        return trial


def _moved(shop: Shop, url: str) -> Workspace:
    """The same workspace with what its database holds in an empty PostgreSQL."""
    there = Database.open(url)
    with shop.database.read() as source, there.write() as target:
        for table in metadata.sorted_tables:
            rows = [dict(row) for row in source.execute(table.select()).mappings()]
            if table.name in HEADS:
                target.execute(table.update().values(**rows[0]))
            elif rows:
                target.execute(table.insert(), rows)
    there.close()
    root = shop.workspace.root
    mlflow = shop.workspace.mlflow_uri
    return Workspace.open(root, Settings(workspace=root, database_url=url, mlflow_uri=mlflow))


def main() -> None:
    """Make the disk and the shop on it, and try."""
    folder, share = Path(sys.argv[1]), float(sys.argv[2])
    lasts = max(SHORTEST, LASTS * share)
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(  # noqa: S603 - a fixed command
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "sayso-selftest", str(disk)],  # noqa: S607 - as above
        check=True,
    )
    os.chmod(folder, 0o755)  # noqa: PTH101, S103 - PostgreSQL's own user passes through
    shop = make_shop(disk, lambda what, done: pass_on(what, 0.3 * done))
    with bare_server() as bare, postgres_server(durable=False) as server:
        trials = [
            _on_postgresql(folder, shop, server, lasts, bare),
            _on_sqlite(folder, shop, lasts, bare),
        ]
    shutil.rmtree(disk / "shop", ignore_errors=True)
    hand_over(
        {
            "counts": {trial.name: dict(trial.counts) for trial in trials},
            "seconds": {trial.name: trial.seconds for trial in trials},
            "faults": [fault for trial in trials for fault in trial.faults],
            "callers": CALLERS,
        }
    )


if __name__ == "__main__":
    main()
