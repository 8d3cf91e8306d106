"""One look at a load: its figures, set against the load before, noted in the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from features.catalog import Catalog
from features.errors import WorkspaceError
from features.intake.health.drift import Oddity, drift, drift_of_added, standing
from features.intake.health.figures import Figures, TableFigures, shares, table_figures
from features.intake.health.part_health import KnownParts, health_of, step_of
from features.intake.health.record import HealthRecord, Load
from features.intake.health.stored_table import StoredTable
from features.tables.declared import transactions
from features.tables.table import RECORDED_AT, Events, Facts
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
    """What a load left: the `files` of each table of the warehouse, and the folder of its `notes`;
    the `counts` of lines, orders, customers and products in it; how many of the lines read became
    what (`outcomes`); and which part of them named which currency.
    """

    files: Mapping[str, Sequence[Path]]
    notes: Path
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
    look = _Look(loaded, tables, catalog)
    figures = look.figures()
    try:
        past = record.loads()
        new = look.added(past[-1].figures.newest) if past else {}
        load = _set_against(past, figures, new, moment)
        record.append(load)
    except WorkspaceError as error:
        return Health(figures, None, (Oddity("record", str(error)),))
    return Health(figures, past[-1].at if past else None, load.oddities)


class _Look:
    """A look at what a load left, of whose parts those are read that were written since the last
    look.
    """

    def __init__(self, loaded: Left, tables: Tables, catalog: Catalog) -> None:
        self._loaded = loaded
        self._tables = tables
        self._sensitive = {
            field.name for field in catalog.fields.values() if field.sensitivity == "sensitive"
        }
        known = KnownParts(loaded.notes)
        before = known.read()
        self._stored = {
            name: StoredTable(tables[name], files, self._sensitive, before)
            for name, files in loaded.files.items()
        }
        self._parts = {name: table.parts() for name, table in self._stored.items()}
        events = [name for name in self._parts if isinstance(tables[name], Events)]
        kept = {file: part for name in events for file, part in self._parts[name].items()}
        if kept.keys() != before.keys() or any(before[one] is not kept[one] for one in kept):
            known.write(kept)

    def figures(self) -> Figures:
        """Of the whole warehouse."""
        lines, loaded = self._parts[transactions.NAME].values(), self._loaded
        days = frozenset[date]().union(*(part.days for part in lines))
        return Figures(
            counts=dict(loaded.counts),
            oldest=min(part.oldest for part in lines if part.oldest is not None),
            newest=max(part.newest for part in lines if part.newest is not None),
            pause_days=usual_pause(sorted(days)).days,
            outcomes=shares(loaded.outcomes),
            currencies=dict(loaded.currencies),
            tables={
                name: table_figures(parts.values(), self._tables[name], self._sensitive)
                for name, parts in self._parts.items()
            },
        )

    def added(self, after: datetime) -> dict[str, TableFigures]:
        """Of the rows that were recorded after a moment, of the tables that say when they were."""
        found = {}
        for name, stored in self._stored.items():
            table = self._tables[name]
            if RECORDED_AT in (column for column, _ in table.kept) and not isinstance(table, Facts):
                rows = stored.since(after, self._parts[name])
                part = health_of(rows, table, self._sensitive, step_of(rows.num_rows))
                found[name] = table_figures([part], table, self._sensitive)
        return found


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
