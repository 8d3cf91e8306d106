"""How long loads take, and how much memory: all of a made-up shop's export, a day put behind it,
and recognising its columns; beside pandas, which reads the file and writes it as Parquet.
"""

from __future__ import annotations

import multiprocessing
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from features.database.engine import Database
from features.errors import SourceError
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.progress import Progress, silent
from features.shop.workspace import Workspace
from features.synthetic.export_file import append_day, write_export

DAY_LINES = 1_000
UNIT = 1_024 if sys.platform == "darwin" else 1
"""Systems disagree in what they count the memory of a process."""
Step = Callable[[Path, Path], dict[str, Any]]


@dataclass(frozen=True)
class Took:
    """What a step took in a process of its own, without starting it: seconds by the wall and of
    the processors, and the most memory that the process ever had.
    """

    seconds: float
    cpu_seconds: float
    peak_rss_mb: float


def ingest_benchmark(rows: int, bad: float, progress: Progress = silent) -> dict[str, Any]:
    """Measure with so many lines, of which the share `bad` cannot be read: the report of `sayso
    benchmark ingest --json`.

    Raises `SourceError` where a step fails.
    """
    with TemporaryDirectory(prefix="sayso-") as folder:
        file, root = Path(folder) / "orders.csv", Path(folder) / "shop"
        progress(f"writing {rows:,} lines", 0.0)
        write_export(file, rows, bad)
        report: dict[str, Any] = {"rows": rows, "file_mb": file.stat().st_size / 1e6}
        for share, (name, step) in enumerate(STEPS.items(), start=1):
            progress(name, share / (len(STEPS) + 1))
            report[name] = _apart(step, file, root)
        whole, peer = report["whole"], report["pandas"]
        progress("done", 1.0)
        return {**report, "ratio_to_pandas": whole["seconds"] / peer["seconds"]}


def _init(file: Path, root: Path) -> dict[str, Any]:
    create(root, [file])
    return {}


def _load(_file: Path, root: Path) -> dict[str, Any]:
    workspace = Workspace.open(root)
    database = Database.open(workspace.database_url)
    report = ingest(workspace, database)
    database.close()
    return {"lines": report.purchases.lines, "rejected": report.rejected}


def _day(file: Path, _root: Path) -> dict[str, Any]:
    append_day(file, DAY_LINES)
    return {"added": DAY_LINES}


def _pandas(file: Path, root: Path) -> dict[str, Any]:
    pd.read_csv(file).to_parquet(root / "peer.parquet")
    return {}


STEPS: dict[str, Step] = {
    "init": _init,
    "whole": _load,
    "append": _day,
    "day": _load,
    "pandas": _pandas,
}


def _apart(step: Step, file: Path, root: Path) -> dict[str, Any]:
    """What a step tells and took, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_run, args=(step, file, root, theirs))
    process.start()
    theirs.close()
    try:
        found: dict[str, Any] = mine.recv()
    except EOFError:
        raise SourceError(
            "the process of a step ended; is there memory enough?", file=file
        ) from None
    finally:
        process.join()
    return found


def _run(step: Step, file: Path, root: Path, told: Connection) -> None:
    begun, used = time.perf_counter(), time.process_time()
    found = step(file, root)
    took = Took(
        time.perf_counter() - begun,
        time.process_time() - used,
        _peak_mb(),
    )
    told.send({**asdict(took), **found})


def _peak_mb() -> float:
    """The most memory that this process had; what its parent had before does not count where the
    system tells them apart.
    """
    status = Path("/proc/self/status")
    if status.exists():
        told = re.search(r"VmHWM:\s+([0-9]+) kB", status.read_text(encoding="ascii"))
        if told is not None:
            return int(told[1]) / 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / UNIT / 1_024
