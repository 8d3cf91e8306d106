"""Whether a source maps the columns that its table needs, and its files have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from features.config.sources import Source
from features.errors import SourceError
from features.intake.reading.cells import is_readable
from features.intake.reading.raw_table import TableFile
from features.tables.table import Column
from features.tables.tables import Tables


def check_mapping(source: Source, tables: Tables, file: Path) -> None:
    """Raise `SourceError` where `source` maps what its table has not, or not what it needs."""
    allowed, one_of = tables.stated_in(source.table), tables[source.table].one_of
    if unknown := [name for name in source.stated if name not in allowed]:
        raise SourceError(
            f"the source `{source.name}` maps {_list(unknown)}; `{source.table}` has"
            f" {_list(allowed)}",
            file=file,
        )
    missing = [
        name for name, column in allowed.items() if column.required and name not in source.stated
    ]
    if missing:
        raise SourceError(
            f"the source `{source.name}` maps no {_list(missing)}; state in sayso.toml which"
            " columns they are",
            file=file,
        )
    for group in one_of:
        if not {*group} & source.columns.keys():
            neither = " nor ".join(f"`{name}`" for name in group)
            raise SourceError(
                f"the source `{source.name}` maps neither {neither}; one of them is needed",
                file=file,
            )


def check_columns(
    source: Source, declared: Mapping[str, Column], file: Path, table: TableFile
) -> None:
    """Raise `SourceError` where a file lacks a column, or has one of a type that cannot be read."""
    found = table.types
    if missing := sorted({name for name in source.file_columns if name not in found}):
        raise SourceError(
            f"the column {_list(missing)} is missing; found are {_list(found)}. "
            f"Correct `columns` of the source `{source.name}` in sayso.toml, or the file",
            file=file,
        )
    for column, mapped in source.columns.items():
        name = mapped if isinstance(mapped, str) else mapped[0]
        if not is_readable(found[name], declared[column].kind, source.date_format):
            raise SourceError(
                f"the column `{name}` is of type {found[name]}, which `{column}` cannot be; export"
                " it as text",
                file=file,
            )


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
