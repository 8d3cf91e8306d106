"""What is told after a load: what was counted, and what the warehouse holds now."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from features.errors import WorkspaceError
from features.intake.cleaning import RULES
from features.intake.health.figures import currency_shares
from features.intake.health.look import Health, Left, look_at
from features.intake.health.record import HealthRecord
from features.intake.ingest_report import IngestReport, Purchases
from features.intake.loading.loaded import Loaded, all_by_status, read_loaded
from features.intake.loading.stored import MICRO, StoredRows
from features.intake.reading.rejected import rejected_file
from features.shop.workspace import Workspace
from features.tables.declared import products, transactions
from features.warehouse.store import Warehouse


def report_of(workspace: Workspace, warehouse: Warehouse) -> IngestReport:
    """The report of the whole warehouse, by what its load noted.

    Raises `WorkspaceError` where its notes are gone.
    """
    loaded = _noted(warehouse)
    lines = StoredRows(warehouse.files(transactions.NAME)).figures(loaded.parts).values()
    set_aside = {**dict.fromkeys(RULES, 0), **loaded.set_aside}
    read, rejected = loaded.read, loaded.rejected
    return IngestReport(
        read=read,
        kept=read - rejected - sum(set_aside.values()),
        set_aside=set_aside,
        rejected=rejected,
        rejected_files=_rejected_files(workspace.rejected, loaded),
        copies=tuple(name for source in loaded.sources.values() for name in source.copies),
        not_read=loaded.not_read,
        purchases=Purchases(
            lines=sum(part.lines for part in lines),
            orders=loaded.orders,
            customers=loaded.customers,
            units=float(sum(part.units for part in lines)),
            gross=round(sum(part.gross for part in lines) / MICRO, 2),
            net=round(sum(part.net for part in lines) / MICRO, 2),
            currency=workspace.config.shop.currency,
        ),
        by_status=all_by_status(loaded.sources.values()),
        customers=loaded.customers,
        products=StoredRows(warehouse.files(products.NAME)).rows,
        orders=loaded.orders,
        first=min(part.first for part in lines if part.first is not None),
        last=max(part.last for part in lines if part.last is not None),
        over_http=loaded.over_http,
        interactions=loaded.interactions,
    )


def look_at_load(
    workspace: Workspace, warehouse: Warehouse, report: IngestReport, now: datetime
) -> Health:
    """Set what a load left, as its `report` tells it, against the load before.

    Raises `WorkspaceError` where its notes are gone.
    """
    kinds = {"kept": report.kept, "rejected": report.rejected, **report.set_aside}
    counts = {
        "lines": report.purchases.lines,
        "orders": report.orders,
        "customers": report.customers,
        "products": report.products,
    }
    with warehouse.alone():
        loaded = Left(
            {name: warehouse.files(name) for name in workspace.tables if warehouse.has(name)},
            warehouse.notes,
            counts,
            kinds,
            currency_shares(_noted(warehouse).currencies),
        )
        record = HealthRecord(workspace.data_health)
        return look_at(loaded, workspace.tables, workspace.config.catalog, record, now)


def _noted(warehouse: Warehouse) -> Loaded:
    loaded = read_loaded(warehouse.notes)
    if loaded is None:
        raise WorkspaceError("the notes of the last load are gone; load again with `sayso ingest`")
    return loaded


def _rejected_files(folder: Path, loaded: Loaded) -> tuple[Path, ...]:
    return tuple(
        rejected_file(folder, name) for name, source in loaded.sources.items() if source.rejected
    )
