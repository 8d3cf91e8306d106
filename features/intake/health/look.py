"""One look at a load: its figures, set against the load before, noted in the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.catalog import Catalog
from features.errors import WorkspaceError
from features.intake.health.drift import Oddity, drift, drift_of_added, standing
from features.intake.health.figures import (
    Figures,
    TableFigures,
    ends,
    shares,
    table_figures,
)
from features.intake.health.record import HealthRecord, Load
from features.intake.health.stored_table import StoredTable
from features.tables.declared import transactions
from features.tables.table import RECORDED_AT
from features.tables.tables import Tables
from features.warehouse.pauses import usual_pause


@dataclass(frozen=True)
class Health:
    """What a look at a load found: its figures, the moment of the load that it was set against
    (None: it is the first), and what is odd.
    """

    figures: Figures
    compared_with: datetime | None
    oddities: tuple[Oddity, ...]


@dataclass(frozen=True)
class Left:
    """What a load left: the `files` of each table of the warehouse; the `counts` of lines, orders,
    customers and products in it; how many of the lines read became what (`outcomes`); and which
    part of them named which currency.
    """

    files: Mapping[str, Sequence[Path]]
    counts: Mapping[str, int]
    outcomes: Mapping[str, int]
    currencies: Mapping[str, float]


def look_at(
    loaded: Left, tables: Tables, catalog: Catalog, record: HealthRecord, now: datetime
) -> Health:
    """Set a load against the last one in the `record`, and note it there.

    A record that cannot be read or written is odd, and stops no load.
    """
    moment = now.astimezone(UTC).replace(tzinfo=None)
    stored = {name: StoredTable(files) for name, files in loaded.files.items()}
    figures = _figures(loaded, stored[transactions.NAME], _of_each(stored, tables, catalog))
    try:
        past = record.loads()
        new = _added(stored, past[-1].figures.newest) if past else {}
        load = _set_against(past, figures, _of_each(new, tables, catalog), moment)
        record.append(load)
    except WorkspaceError as error:
        return Health(figures, None, (Oddity("record", str(error)),))
    return Health(figures, past[-1].at if past else None, load.oddities)


def _set_against(
    past: list[Load], figures: Figures, new: dict[str, TableFigures], now: datetime
) -> Load:
    """The load with what is odd about it: what neither the last load explains nor the last one that
    nothing was odd about, so that a mended export is not odd again.
    """
    if not past:
        return Load(now, figures, new, now, ())
    last = past[-1]
    found = [*drift(last.figures, figures), *drift_of_added(last.figures.tables, new)]
    sound = next((load for load in reversed(past) if not load.oddities), None)
    if found and sound is not None and sound is not last:
        same = [*drift(sound.figures, figures), *drift_of_added(sound.figures.tables, new)]
        found = [one for one in found if one.what in {other.what for other in same}]
    since = last.newest_since if figures.newest == last.figures.newest else now
    found += standing(figures.newest, since, now, timedelta(days=figures.pause_days))
    return Load(now, figures, new, since, tuple(found))


def _figures(loaded: Left, lines: StoredTable, of_each: dict[str, TableFigures]) -> Figures:
    oldest, newest = ends(lines[RECORDED_AT])
    days: Any = pc.unique(lines[transactions.ORDERED_AT].cast(pa.date32(), safe=False))
    return Figures(
        counts=dict(loaded.counts),
        oldest=oldest,
        newest=newest,
        pause_days=usual_pause(sorted(days.to_pylist())).days,
        outcomes=shares(loaded.outcomes),
        currencies=dict(loaded.currencies),
        tables=of_each,
    )


def _of_each(
    rows: Mapping[str, StoredTable] | Mapping[str, pa.Table], tables: Tables, catalog: Catalog
) -> dict[str, TableFigures]:
    sensitive = {
        field.name for field in catalog.fields.values() if field.sensitivity == "sensitive"
    }
    return {name: table_figures(table, tables[name], sensitive) for name, table in rows.items()}


def _added(stored: Mapping[str, StoredTable], after: datetime) -> dict[str, pa.Table]:
    """The rows that were recorded after a moment, of the tables that say when they were."""
    return {
        name: table.since(after)
        for name, table in stored.items()
        if RECORDED_AT in table.column_names
    }
