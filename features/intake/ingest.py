"""From the shop's sources to the warehouse, all or nothing."""

from __future__ import annotations

import logging
from dataclasses import replace

from features.clock import Clock, utc_now
from features.database.engine import Database
from features.errors import SourceError
from features.intake.ingest_report import IngestReport
from features.intake.loading.day.load import DayLoad
from features.intake.loading.figures import look_at_load, report_of
from features.intake.loading.loaded import read_loaded
from features.intake.loading.whole import WholeLoad
from features.intake.reading.source_files import ReadAnew
from features.progress import Progress, silent
from features.shop.workspace import Workspace
from features.warehouse.store import Warehouse

log = logging.getLogger("sayso.intake")


def ingest(
    workspace: Workspace,
    database: Database,
    progress: Progress = silent,
    clock: Clock = utc_now,
    accept: float = 1.0,
    *,
    whole: bool = False,
) -> IngestReport:
    """Bring the warehouse up to all sources of `sayso.toml`, and `rejected/` with it.

    Only what is new is read, unless something changed that may change what became of other rows,
    or the `whole` is asked for; what is in the warehouse is the same either way.

    Raises `SourceError` where a source cannot be read, no purchase is left, or a larger share of
    a source's lines than `accept` would be rejected; then nothing has changed.
    """
    now = clock()
    faults = {
        name: fault
        for name, source in workspace.config.catalog.sources.items()
        if (fault := source.fault(now.date()))
    }
    warehouse = Warehouse(workspace.warehouse)
    before = read_loaded(warehouse.notes) if warehouse.filled and not whole else None
    day = None if before is None else DayLoad(workspace, database, before, faults, now, accept)
    if day is None or not _is_loaded(day, warehouse, progress):
        WholeLoad(workspace, database, faults, now, accept).run(warehouse, progress)
    report = report_of(workspace, warehouse)
    health = look_at_load(workspace, warehouse, report, now)
    progress("done", 1.0)
    return replace(report, health=health)


def _is_loaded(day: DayLoad, warehouse: Warehouse, progress: Progress) -> bool:
    """Load what is new alone, and whether that could be done; else nothing has changed."""
    try:
        day.run(warehouse, progress)
    except ReadAnew as reason:
        log.info("all sources are loaded: %s", reason)
        return False
    except SourceError:  # the load of all of them says what is wrong, where it still is
        log.info("all sources are loaded: what is new cannot be read by itself")
        return False
    return True
