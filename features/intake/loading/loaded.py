"""What a load noted for the next one: by which settings which files were read, and what was
counted. It lies beside the tables in their generation, so that both change at once.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from features.config.schema import Config
from features.intake.ingest_report import Counted
from features.intake.loading.stored import PartFigures
from features.intake.reading.databases.rows import Mark
from features.intake.reading.source_files import FileRead
from features.private_file import replace_text
from features.shop.workspace import Workspace
from features.tables.tables import Tables

VERSION = 2
"""Of these notes, and of all that decides what becomes of a row: another one loads everything."""
NAME = "loaded.json"


@dataclass(frozen=True)
class LoadedSource:
    """What a source held at the last load; `joined` are the files that say more of its rows.

    `currencies` counts the kept lines that name each currency. `last_back` is the moment of the
    newest line that took something back. `left` says that lines were left out for what other files
    hold, and `expired` that some were past their retention, so that what is in the warehouse does
    not tell all. `awaited` is when a line may be read that was rejected since its moment lay in the
    future, `marked` how far a database was read.
    """

    files: dict[str, FileRead] = field(default_factory=dict)
    copies: tuple[str, ...] = ()
    joined: dict[str, FileRead] = field(default_factory=dict)
    read: int = 0
    rejected: int = 0
    set_aside: dict[str, int] = field(default_factory=dict)
    by_status: dict[str, Counted] = field(default_factory=dict)
    currencies: dict[str, int] = field(default_factory=dict)
    last_back: datetime | None = None
    left: bool = False
    expired: bool = False
    awaited: datetime | None = None
    marked: Mark | None = None


@dataclass(frozen=True)
class Loaded:
    """What the last load noted.

    `people` says how many were erased and how many ids merged by then, `until` up to which moment
    each table holds events, `parts` what each part of the order lines comes to, `left_out` how
    many rows of each table were read and not taken in, by reason, and `lines` how many of each are
    in. `shared_orders` says that customers may have orders of one number. `over_http` counts the
    rows that were sent, `displaced` says that some stand in the place of rows of files, and
    `interactions` counts those of each kind.
    """

    settings: str
    made_at: datetime
    salt: str
    people: tuple[int, int]
    not_read: dict[str, str]
    sources: dict[str, LoadedSource]
    left_out: dict[str, dict[str, int]]
    until: dict[str, datetime] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    parts: dict[str, PartFigures] = field(default_factory=dict)
    orders: int = 0
    customers: int = 0
    shared_orders: bool = True
    over_http: int = 0
    displaced: bool = False
    interactions: dict[str, int] = field(default_factory=dict)
    version: int = VERSION

    @property
    def read(self) -> int:
        """Rows of all sources."""
        return sum(source.read for source in self.sources.values())

    @property
    def rejected(self) -> int:
        """Rejected rows of all sources."""
        return sum(source.rejected for source in self.sources.values())

    @property
    def currencies(self) -> Counter[str]:
        """Kept lines of all sources that name each currency."""
        total: Counter[str] = Counter()
        for source in self.sources.values():
            total.update(source.currencies)
        return total

    @property
    def set_aside(self) -> Counter[str]:
        """Rows that were set aside or left out, by rule."""
        total: Counter[str] = Counter()
        for rows in self.left_out.values():
            total.update(rows)
        for source in self.sources.values():
            total.update(source.set_aside)
        return total


_ADAPTER = TypeAdapter(Loaded)


def read_loaded(notes: Path) -> Loaded | None:
    """What was noted; None where nothing was, or by a version that knew something else."""
    try:
        text = (notes / NAME).read_text(encoding="ascii")
        if json.loads(text).get("version") != VERSION:
            return None
        return _ADAPTER.validate_json(text)
    except (FileNotFoundError, ValidationError, ValueError, AttributeError):
        return None


def write_loaded(loaded: Loaded, notes: Path) -> None:
    """Note it."""
    replace_text(notes / NAME, _ADAPTER.dump_json(loaded, ensure_ascii=True).decode("ascii"))


def settings_of(workspace: Workspace) -> str:
    """A digest of all settings that decide what becomes of the sources' rows."""
    config: Config = workspace.config
    kept_days = {name: one.retention_days for name, one in config.catalog.fields.items()}
    told = [
        VERSION,
        [source.model_dump(mode="json") for source in config.sources],
        [config.shop.currency, config.shop.rates, config.shop.time_zone],
        [config.catalog.ids.name, kept_days],
        _declared(workspace.tables),
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _declared(tables: Tables) -> list[list[object]]:
    return [[name, type(table).__name__, table.kept] for name, table in tables.items()]


def added(
    before: Mapping[str, Counted], more: Mapping[str, Counted], again: Mapping[str, int]
) -> dict[str, Counted]:
    """Both counts together, of whose orders so many were counted `again`."""
    nothing = Counted(0, 0)
    return {
        rule: Counted(
            before.get(rule, nothing).lines + more.get(rule, nothing).lines,
            before.get(rule, nothing).orders + more.get(rule, nothing).orders - again.get(rule, 0),
        )
        for rule in dict.fromkeys([*before, *more])
    }


def all_by_status(sources: Iterable[LoadedSource]) -> dict[str, Counted]:
    """What was set aside from the order lines of all sources, by rule."""
    found: dict[str, Counted] = {}
    for source in sources:
        found = added(found, source.by_status, {})
    return found
