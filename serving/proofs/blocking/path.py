"""A service on SQLite and one on PostgreSQL, put through everything.

The one on SQLite is on a small disk of its own, run by `serving.proofs.blocking.proof` as `python
-m serving.proofs.blocking.path FOLDER SECONDS` where it may mount.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from features.config.environment import Settings
from features.database.engine import Database
from features.database.tables import metadata
from features.progress import Progress
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.api_keys import Keys
from serving.proofs.blocking import befalling
from serving.proofs.blocking.befalling import Befalling
from serving.proofs.blocking.trial import Trial
from serving.proofs.blocking.watch import bare_server, worker_on
from serving.proofs.stage.postgres import postgres_server
from serving.proofs.stage.sandbox import hand_over, pass_on
from serving.proofs.stage.small_shop import make_shop, sharing_everything
from serving.server import free_port, running

DISK_SIZE = "96m"
WARM_SECONDS = 4.0
LOAD_TIMES = 10
LOAD_CONNECTIONS = 200
HEADS = ("ledger_head", "decision_head")


def try_all(
    trial: Trial, things: Mapping[str, Befalling], lasts: float, progress: Progress
) -> None:
    """Put one service through everything, and compare records and answers."""
    before = trial.recorded()
    trial.warm_up(WARM_SECONDS)
    rate = trial.undergo("eight clients", seconds=lasts, pace=0.0, choices_at_once=True)
    trial.counts["answers a second to eight clients"] = round(rate)
    for number, (name, befall) in enumerate(things.items()):
        progress(f"{trial.name}: {name}", 0.4 + 0.4 * number / len(things))
        trial.undergo(name, befall, seconds=lasts)
    progress(f"{trial.name}: ten times the load", 0.8)
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


def on_sqlite(disk: Path, log: Path, lasts: float, progress: Progress) -> Trial:
    """A service on SQLite, on a small `disk` of its own, put through everything."""
    shop = make_shop(disk, lambda what, done: progress(what, 0.3 * done))
    workspace = shop.workspace
    with bare_server() as bare, served("SQLite", workspace, log, bare) as trial:
        url = f"http://127.0.0.1:{trial.port}"
        things = {
            "a megabyte of wrong elements": befalling.wrong_elements(url, trial.key),
            "megabytes to the login": befalling.large_logins(url),
            "database gone": befalling.file_gone(workspace),
            "database locked": befalling.locked(trial.database),
            "database slow": befalling.slow(trial.database),
            "disk full": befalling.full_disk(workspace.root),
        }
        try_all(trial, things, lasts, progress)
        return trial


def on_postgresql(folder: Path, lasts: float, progress: Progress) -> Trial:
    """A service on a PostgreSQL server of its own, put through what befalls such a one."""
    shop = make_shop(folder, lambda what, done: progress(what, 0.3 * done))
    with postgres_server(durable=False) as server, bare_server() as bare:
        workspace = _moved(shop, server.url)
        with served("PostgreSQL", workspace, folder / "postgresql.log", bare) as trial:
            things = {
                "database frozen": befalling.frozen(server),
                "database stopped": befalling.stopped(server),
                "database locked": befalling.locked(trial.database),
                "database slow": befalling.slow(trial.database),
            }
            try_all(trial, things, lasts, progress)
            return trial


def told(trial: Trial) -> dict[str, Any]:
    """What was found, as JSON takes it."""
    return {
        "name": trial.name,
        "counts": dict(trial.counts),
        "seconds": trial.seconds,
        "faults": trial.faults,
    }


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
    folder, lasts = Path(sys.argv[1]), float(sys.argv[2])
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(  # noqa: S603 - a fixed command
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "sayso-selftest", str(disk)],  # noqa: S607 - as above
        check=True,
    )
    hand_over(told(on_sqlite(disk, folder / "sqlite.log", lasts, pass_on)))


if __name__ == "__main__":
    main()
