"""What lies of a customer in files: the warehouse, refused rows, logs and exports."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from features.catalog import CustomerIds
from features.customers.id_normalisation import comparable, normalised
from features.errors import SourceError
from features.intake.reading.source_files import files_of
from features.shop.shop import Shop
from serving.rights.store import Person

PATTERNS = ("rejected/*.csv", "*.log", "*.json", "*.jsonl", "exports/*")
"""Where a workspace may hold text that names a customer."""


@dataclass(frozen=True)
class WarehouseRows:
    """What the shop recorded of a customer."""

    shop: Shop
    name: str = "warehouse"
    remains: str | None = None

    def count(self, _connection: Connection, person: Person) -> int:
        """Rows of the customer in all tables."""
        if not self.shop.warehouse.filled:
            return 0
        return sum(self.shop.warehouse.count(number) for number in person.numbers)

    def export(self, _connection: Connection, person: Person) -> dict[str, list[dict[str, Any]]]:
        """The rows by table."""
        if not self.shop.warehouse.filled:
            return {}
        held: dict[str, list[dict[str, Any]]] = {}
        for number in person.numbers:
            for name, table in self.shop.warehouse.rows_of(number).items():
                held.setdefault(name, []).extend(table.drop_columns(["customer"]).to_pylist())
        return held

    def erase(self, _connection: Connection, person: Person) -> None:
        """Write all tables anew without them."""

        def without(_name: str, rows: pa.Table) -> pa.Table:
            if "customer" not in rows.column_names:
                return rows
            others = ~np.isin(rows["customer"].to_numpy(), person.numbers)
            return rows if others.all() else rows.filter(pa.array(others))

        # lists of what rows told of other tables may say what this customer alone said, and the
        # statistics that are kept name products that nobody else may have bought
        self.shop.warehouse.rewrite(without, forget_notes=True)
        self.shop.workspace.product_statistics.unlink(missing_ok=True)


@dataclass(frozen=True)
class TextFiles:
    """Rows that ingest refused, log files and exports within the workspace, as far as they name the
    customer.

    A file that is the customer's own export goes as a whole, of others the lines that hold their
    id.
    """

    shop: Shop
    name: str = "files of the workspace"
    remains: str | None = None

    @cached_property
    def _sources(self) -> frozenset[Path]:
        root = self.shop.workspace.root
        return frozenset(
            file.resolve()
            for source in self.shop.config.sources
            if source.file
            for file in _files_of(source.file, root)
        )

    def count(self, _connection: Connection, person: Person) -> int:
        """How many lines name the customer; an export of theirs counts as one."""
        return sum(found for _, found in self._found(person))

    def export(self, _connection: Connection, person: Person) -> list[str]:
        """Names of the files that do."""
        return [
            str(file.relative_to(self.shop.workspace.root))
            for file, found in self._found(person)
            if found
        ]

    def erase(self, _connection: Connection, person: Person) -> None:
        """Remove them."""
        for file, found in self._found(person):
            if found and _is_export_of(file, person, self._ids):
                file.unlink()
            elif found:
                others = [line for line in _lines(file) if not _names(line, person, self._ids)]
                _write(file, others)

    def _found(self, person: Person) -> list[tuple[Path, int]]:
        return [
            (
                file,
                1
                if _is_export_of(file, person, self._ids)
                else sum(_names(line, person, self._ids) for line in _lines(file)),
            )
            for file in self._files()
        ]

    @property
    def _ids(self) -> CustomerIds:
        return self.shop.config.catalog.ids

    def _files(self) -> Iterator[Path]:
        root = self.shop.workspace.root
        for pattern in PATTERNS:
            for file in sorted(root.glob(pattern)):
                if file.is_file() and file.resolve() not in self._sources:
                    yield file


def _files_of(pattern: str, root: Path) -> list[Path]:
    """Files of a source, if they are still there."""
    try:
        return files_of(pattern, root)
    except SourceError:
        return []


def _is_export_of(file: Path, person: Person, ids: CustomerIds) -> bool:
    if file.suffix != ".json":
        return False
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return False
    if not isinstance(document, dict):
        return False
    stated = (document.get("customer_id"), document.get("pii_principal_id"))
    named = {normalised(id, ids) for id in stated if isinstance(id, str)}
    return not named.isdisjoint(person.ids)


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True)


def _write(file: Path, lines: list[str]) -> None:
    partial = file.with_name(f"{file.name}.partial")
    partial.write_text("".join(lines), encoding="utf-8", errors="surrogateescape")
    os.replace(partial, file)


def _names(line: str, person: Person, ids: CustomerIds) -> bool:
    """Whether one of the person's ids stands in the line."""
    return any(_stands_in(line, one, ids) for one in person.ids)


def _stands_in(line: str, id: str, ids: CustomerIds) -> bool:
    """Whether the id, however it is written, stands in the line as a word of its own; an id within
    a longer word or number is somebody else's.
    """
    line = comparable(line, id, ids)
    if re.search(rf"(?<![\w.@-]){re.escape(id)}(?![\w@-])", line) is not None:
        return True
    with contextlib.suppress(csv.Error):  # no line of CSV at all
        return id in {normalised(cell, ids) for cell in next(csv.reader([line]), [])}
    return False
