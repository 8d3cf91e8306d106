"""A service on SQLite and one on PostgreSQL, put through everything.

The one on SQLite is on a small disk of its own, run by `serving.proofs.blocking.proof` as `python
-m serving.proofs.blocking.path FOLDER SECONDS` where it may mount.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from features.database.engine import Database
from features.progress import Progress
from features.shop.workspace import Workspace
from serving.access.api_keys import Keys
from serving.operations.moving import migrate
from serving.proofs.blocking import befalling
from serving.proofs.blocking.befalling import Befalling
from serving.proofs.blocking.trial import Trial
from serving.proofs.blocking.watch import bare_server, worker_on
from serving.proofs.stage.postgres import postgres_server
from serving.proofs.stage.sandbox import hand_over, pass_on
from serving.proofs.stage.small_shop import sharing_everything
from serving.proofs.stage.synthetic_shop import workspace_in
from serving.server import free_port, running

DISK_SIZE = "96m"
SHOP = "shop"
"""Folder of the workspace."""
WARM_SECONDS = 4.0
LOAD_TIMES = 10
LOAD_CONNECTIONS = 200


def try_all(
    trial: Trial, things: Mapping[str, Befalling], lasts: float, progress: Progress
) -> None:
    """Put one service through everything, and compare records and answers."""
    before = trial.recorded()
    trial.warm_up(WARM_SECONDS)
    rate = trial.undergo("eight clients", seconds=lasts, pace=0.0, choices_at_once=True)
    trial.counts["answers a second to eight clients"] = round(rate)
    for number, (name, befall) in enumerate(things.items()):
        progress(f"{trial.name}: {name}", 0.1 + 0.8 * number / len(things))
        trial.undergo(name, befall, seconds=lasts)
    progress(f"{trial.name}: ten times the load", 0.9)
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
    """A service on SQLite, in a workspace on a small `disk` of its own, put through everything."""
    workspace = workspace_in(disk / SHOP)
    with bare_server() as bare, served("SQLite", workspace, log, bare) as trial:
        things = {
            "a megabyte of wrong elements": befalling.wrong_elements(trial.port, trial.key),
            "megabytes to the login": befalling.large_logins(trial.port),
            "database gone": befalling.file_gone(workspace),
            "database locked": befalling.locked(trial.database),
            "database slow": befalling.slow(trial.database),
            "disk full": befalling.full_disk(workspace.root),
        }
        try_all(trial, things, lasts, progress)
        return trial


def on_postgresql(root: Path, log: Path, lasts: float, progress: Progress) -> Trial:
    """The workspace in `root`, moved to a PostgreSQL server of its own, put through what befalls
    such a one.
    """
    with postgres_server(durable=False) as server, bare_server() as bare:
        migrate(workspace_in(root), server.url)
        workspace = workspace_in(root, server.url)
        with served("PostgreSQL", workspace, log, bare) as trial:
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


def main() -> None:
    """Make the disk, copy the shop onto it, and try."""
    folder, lasts = Path(sys.argv[1]), float(sys.argv[2])
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(  # noqa: S603 - a fixed command
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "sayso-selftest", str(disk)],  # noqa: S607 - as above
        check=True,
    )
    shutil.copytree(folder / SHOP, disk / SHOP)
    hand_over(told(on_sqlite(disk, folder / "sqlite.log", lasts, pass_on)))


if __name__ == "__main__":
    main()
